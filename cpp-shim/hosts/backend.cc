#include "backend.h"

#include "client.h"

#include <dhcpsrv/base_host_data_source.h>
#include <dhcpsrv/cfg_host_operations.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/host_data_source_factory.h>
#include <dhcpsrv/host_mgr.h>
#include <dhcpsrv/parsers/host_reservation_parser.h>
#include <hooks/hooks_manager.h>

#include <boost/make_shared.hpp>

#include <algorithm>

namespace runscript {
namespace {

using isc::asiolink::IOAddress;
using isc::dhcp::BaseHostDataSource;
using isc::dhcp::ConstHostCollection;
using isc::dhcp::ConstHostPtr;
using isc::dhcp::Host;
using isc::dhcp::HostDataSourceFactory;
using isc::dhcp::HostMgr;
using isc::dhcp::HostPageSize;
using isc::dhcp::HostPtr;
using isc::dhcp::SubnetID;
using isc::hooks::CalloutHandle;
using isc::hooks::HooksManager;

/// reservations/places.cc has its twin.
constexpr const char* TYPE = "runscript";

/// How many `WithoutHostBackend` of this thread there are.
thread_local unsigned without = 0;
/// Whether this thread carries out a command for reservations.
thread_local bool is_in_command = false;

bool is_hidden() { return without > 0 || is_in_command; }

bool is_registered = false;
/// What `why_no_reservation` says.
const char* why_not = "";
/// Kea's number of the last configuration with this library.
uint32_t sequence = 0;
/// By what Kea has looked for reservations.
std::list<Host::IdentifierType> identifiers;

bool is_dhcp4() { return isc::dhcp::CfgMgr::instance().getFamily() == AF_INET; }

ConstHostCollection list_of(const ConstHostPtr& host) {
    return host ? ConstHostCollection{host} : ConstHostCollection();
}

/// Kea finds here whatever it looks for on a packet's way. Lists are for commands, to which nothing is shown, and nothing is
/// added or deleted by them.
class HostBackend : public BaseHostDataSource {
  public:
    ConstHostCollection getAll(const Host::IdentifierType& type, const uint8_t* bytes,
                               const size_t size) const override {
        return is_hidden() ? ConstHostCollection() : host_store().find(Identity{type, {bytes, bytes + size}});
    }
    ConstHostPtr get4(const SubnetID& subnet, const Host::IdentifierType& type, const uint8_t* bytes,
                      const size_t size) const override {
        return find(subnet, type, bytes, size);
    }
    ConstHostPtr get6(const SubnetID& subnet, const Host::IdentifierType& type, const uint8_t* bytes,
                      const size_t size) const override {
        return find(subnet, type, bytes, size);
    }
    ConstHostPtr get4(const SubnetID& subnet, const IOAddress& address) const override { return find(subnet, address); }
    ConstHostPtr get6(const SubnetID& subnet, const IOAddress& address) const override { return find(subnet, address); }
    ConstHostCollection getAll4(const SubnetID& subnet, const IOAddress& address) const override {
        return list_of(find(subnet, address));
    }
    ConstHostCollection getAll6(const SubnetID& subnet, const IOAddress& address) const override {
        return list_of(find(subnet, address));
    }

    ConstHostCollection getAll4(const SubnetID&) const override { return {}; }
    ConstHostCollection getAll6(const SubnetID&) const override { return {}; }
    ConstHostCollection getAll4(const IOAddress&) const override { return {}; }
    /// Of Kea from 2.6 on.
    virtual ConstHostCollection getAll6(const IOAddress&) const { return {}; }
    ConstHostPtr get6(const IOAddress&, const uint8_t) const override { return {}; }
    ConstHostCollection getAllbyHostname(const std::string&) const override { return {}; }
    ConstHostCollection getAllbyHostname4(const std::string&, const SubnetID&) const override { return {}; }
    ConstHostCollection getAllbyHostname6(const std::string&, const SubnetID&) const override { return {}; }
    ConstHostCollection getPage4(const SubnetID&, size_t&, uint64_t, const HostPageSize&) const override { return {}; }
    ConstHostCollection getPage6(const SubnetID&, size_t&, uint64_t, const HostPageSize&) const override { return {}; }
    ConstHostCollection getPage4(size_t&, uint64_t, const HostPageSize&) const override { return {}; }
    ConstHostCollection getPage6(size_t&, uint64_t, const HostPageSize&) const override { return {}; }

    void add(const HostPtr&) override { refuse("add"); }
    /// Of Kea from 2.6 on.
    virtual void update(const HostPtr&) { refuse("update"); }
    bool del(const SubnetID&, const IOAddress&) override { return false; }
    bool del4(const SubnetID&, const Host::IdentifierType&, const uint8_t*, const size_t) override { return false; }
    bool del6(const SubnetID&, const Host::IdentifierType&, const uint8_t*, const size_t) override { return false; }

    std::string getType() const override { return TYPE; }
    bool setIPReservationsUnique(const bool) override { return true; }

  private:
    static ConstHostPtr find(SubnetID subnet, Host::IdentifierType type, const uint8_t* bytes, size_t size) {
        return is_hidden() ? ConstHostPtr() : host_store().find(subnet, Identity{type, {bytes, bytes + size}});
    }
    static ConstHostPtr find(SubnetID subnet, const IOAddress& address) {
        return is_hidden() ? ConstHostPtr() : host_store().find(subnet, address);
    }
    /// Where there is no other place, it must not look as if the reservation had been kept.
    static void refuse(const char* what) {
        if (HostMgr::instance().getHostDataSourceList().size() == 1) {
            isc_throw(isc::dhcp::NoHostDataSourceManager,
                      "Unable to " << what << " a host because there is no hosts-database configured.");
        }
    }
};

/// Commands that look for reservations.
constexpr const char* COMMANDS[] = {"reservation-add",
                                    "reservation-get",
                                    "reservation-get-all",
                                    "reservation-get-page",
                                    "reservation-get-by-hostname",
                                    "reservation-get-by-id",
                                    "reservation-get-by-address",
                                    "reservation-update",
                                    "reservation-del"};

int hide(CalloutHandle&) {
    is_in_command = true;
    return 0;
}

int show(CalloutHandle&) {
    is_in_command = false;
    return 0;
}

void hide_from_commands() {
    for (const char* command : COMMANDS) {
        // Else Kea would take the command for one that is carried out.
        if (HooksManager::commandHandlersPresent(command)) {
            HooksManager::preCalloutsLibraryHandle().registerCommandCallout(command, hide);
            HooksManager::postCalloutsLibraryHandle().registerCommandCallout(command, show);
        }
    }
}

Subnet4Argument find_subnet(const isc::dhcp::CfgSubnets4& subnets, SubnetID id) { return subnets.getSubnet(id); }
Subnet6Argument find_subnet(const isc::dhcp::CfgSubnets6& subnets, SubnetID id) { return subnets.getSubnet(id); }

/// The subnets of a configuration, and the sorted ids of their shared networks, which are found once.
template <typename Subnets>
class Networks {
  public:
    explicit Networks(const Subnets& subnets) : subnets_(subnets) {}

    /// Whether the reservation's subnets are the same still, and its addresses of the first.
    bool hold(const Reserved& reserved) {
        const auto home = find_subnet(subnets_, reserved.subnets.front());
        if (!home) {
            return false;
        }
        const auto& network = sorted_ids(home);
        const auto is_there = [&](SubnetID id) { return std::binary_search(network.begin(), network.end(), id); };
        const auto addresses = reserved.host ? addresses_of(*reserved.host, false) : std::vector<IOAddress>();
        return network.size() == reserved.subnets.size() &&
               std::all_of(reserved.subnets.begin(), reserved.subnets.end(), is_there) &&
               std::all_of(addresses.begin(), addresses.end(), [&](const auto& one) { return home->inRange(one); });
    }

  private:
    template <typename SubnetPtr>
    const std::vector<SubnetID>& sorted_ids(const SubnetPtr& home) {
        auto& ids = networks_[home->getID()];
        if (ids.empty()) {
            ids = ids_of(network_of(home));
            std::sort(ids.begin(), ids.end());
        }
        return ids;
    }

    const Subnets& subnets_;
    std::map<SubnetID, std::vector<SubnetID>> networks_;
};

/// Kea's configuration is another: what does not fit it goes, the rest is read anew at the client's next answer.
void renew(const isc::dhcp::SrvConfig& config) {
    const auto& wanted = is_dhcp4() ? config.getCfgHostOperations4() : config.getCfgHostOperations6();
    // After a configuration without this library, nobody knows what has become of the addresses. One that Kea gave up at the
    // last moment has had the same number as this.
    const bool was_without = config.getSequence() > sequence + 1;
    if (was_without || identifiers != wanted->getIdentifierTypes()) {
        host_store().clear();
    }
    sequence = config.getSequence();
    identifiers = wanted->getIdentifierTypes();
    const auto drop_what_does_not_fit = [](auto networks) {
        host_store().remove_if([&](Reserved& one) {
            one.is_outdated = true;
            return !networks.hold(one);
        });
    };
    is_dhcp4() ? drop_what_does_not_fit(Networks(*config.getCfgSubnets4()))
               : drop_what_does_not_fit(Networks(*config.getCfgSubnets6()));
}

/// Kea's parsers fill tables when they are used first, without a lock. So that is here, where Kea has one thread.
void prepare_parsers() {
    const auto parse = [](auto parser) {
        const auto reservation = isc::data::Element::createMap();
        reservation->set("hw-address", isc::data::Element::create("00"));
        parser.parse(0, reservation);
    };
    is_dhcp4() ? parse(isc::dhcp::HostReservationParser4()) : parse(isc::dhcp::HostReservationParser6());
}

} // namespace

void register_host_backend(size_t limit) {
    host_store().set_limit(limit);
    why_not = "Kea has not taken its configuration yet";
    if (limit == 0) {
        why_not = "\"reservation-limit\" is 0: let it be more";
        return;
    }
    HostDataSourceFactory::registerFactory(
        TYPE, [](const auto&) { return isc::dhcp::HostDataSourcePtr(boost::make_shared<HostBackend>()); }, true);
    is_registered = true;
}

/// libdhcp_host_cache keeps copies of what Kea finds, and looks there first: what has changed since would not count.
void attach_host_backend(const isc::dhcp::SrvConfig& config) {
    if (!is_registered) {
        return;
    }
    why_not = HostDataSourceFactory::registeredFactory("cache")
                  ? "libdhcp_host_cache would keep it: take that out of hooks-libraries"
                  : "";
    if (*why_not != '\0') {
        return;
    }
    renew(config);
    prepare_parsers();
    HostMgr::addBackend(std::string("type=") + TYPE);
    hide_from_commands();
}

void withdraw_host_backend() {
    if (is_registered) {
        HostMgr::delBackend(TYPE);
        HostDataSourceFactory::deregisterFactory(TYPE, true);
        is_registered = false;
    }
}

bool is_host_backend_last() {
    const auto& all = HostMgr::instance().getHostDataSourceList();
    return !all.empty() && all.back()->getType() == TYPE;
}

const char* why_no_reservation() noexcept { return why_not; }

WithoutHostBackend::WithoutHostBackend() noexcept { ++without; }
WithoutHostBackend::~WithoutHostBackend() { --without; }

} // namespace runscript
