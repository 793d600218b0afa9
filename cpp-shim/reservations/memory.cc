#include "memory.h"

#include <dhcpsrv/cfg_hosts.h>
#include <util/multi_threading_mgr.h>

#include <algorithm>

namespace reservations::memory {
namespace {

using isc::dhcp::CfgHosts;
using isc::dhcp::CfgHostsPtr;
using isc::dhcp::CfgMgr;
using isc::dhcp::Host;
using isc::dhcp::HostCollection;
using isc::util::MultiThreadingCriticalSection;

/// Kea's threads stand still, those of packets and those of a high-availability listener. One of the latter cannot have itself
/// stand still.
class Halted {
  public:
    Halted() try {
    } catch (const isc::MultiThreadingInvalidOperation&) {
        isc_throw(isc::BadValue,
                  "reservations in memory cannot be changed over a high-availability listener: give this command "
                  "over the control socket");
    }

  private:
    MultiThreadingCriticalSection section_;
};

CfgHostsPtr configured() { return CfgMgr::instance().getCurrentCfg()->getCfgHosts(); }

/// Removes those of a subnet that match; which they were. Kea 2.2 can remove all of a subnet, and nothing less: the others are
/// put back.
template <typename Matches>
HostCollection take(SubnetID subnet, Matches matches) {
    const CfgHostsPtr hosts = configured();
    const HostCollection all = is_dhcp4() ? hosts->getAll4(subnet) : hosts->getAll6(subnet);
    HostCollection taken, kept;
    for (const HostPtr& host : all) {
        (matches(*host) ? taken : kept).push_back(host);
    }
    if (!taken.empty()) {
        is_dhcp4() ? hosts->delAll4(subnet) : hosts->delAll6(subnet);
        for (const HostPtr& host : kept) {
            hosts->add(host);
        }
    }
    return taken;
}

/// Kea may add a reservation in part before it finds that another has one of its addresses.
void add_whole(const HostPtr& host) {
    try {
        configured()->add(host);
    } catch (...) {
        take(subnet_of(*host), [&](const Host& other) { return &other == host.get(); });
        throw;
    }
}

/// An address, or a delegated prefix of whatever length.
bool has(const Host& host, const IOAddress& address) {
    if (address.isV4()) {
        return host.getIPv4Reservation() == address;
    }
    const auto [first, last] = host.getIPv6Reservations();
    return std::any_of(first, last, [&](const auto& one) { return one.second.getPrefix() == address; });
}

auto has(const Identifier& identifier) {
    return [&identifier](const Host& host) {
        return host.getIdentifierType() == identifier.type && host.getIdentifier() == identifier.bytes;
    };
}

} // namespace

void add(const HostPtr& host) {
    const Halted halted;
    add_whole(host);
}

bool update(const HostPtr& host) {
    const Identifier identifier{host->getIdentifierType(), host->getIdentifier()};
    const Halted halted;
    const HostCollection old = take(subnet_of(*host), has(identifier));
    if (old.empty()) {
        return false;
    }
    try {
        add_whole(host);
    } catch (...) {
        std::for_each(old.begin(), old.end(), add_whole);
        throw;
    }
    return true;
}

bool del(SubnetID subnet, const IOAddress& address) {
    const Halted halted;
    return !take(subnet, [&](const Host& host) { return has(host, address); }).empty();
}

bool del(SubnetID subnet, const Identifier& identifier) {
    const Halted halted;
    return !take(subnet, has(identifier)).empty();
}

} // namespace reservations::memory
