#include "leased.h"

#include "../lease.h"
#include "../lease_origin.h"

#include <dhcpsrv/lease_mgr_factory.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::asiolink::IOAddress;
using isc::dhcp::ClientId;
using isc::dhcp::Host;
using isc::dhcp::HostPtr;
using isc::dhcp::IPv6Resrv;
using isc::dhcp::Lease;
using isc::dhcp::Lease4Collection;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6Collection;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6Ptr;
using isc::dhcp::SUBNET_ID_UNUSED;
using isc::dhcp::SubnetID;

using Subnets = std::vector<SubnetID>;

bool stands_for_reservation(const Lease& lease) { return is_held(lease) && !lease.expired() && is_reserved(lease); }

template <typename LeasePtr>
bool is_of_any(const LeasePtr& lease, const Subnets& subnets) {
    return std::find(subnets.begin(), subnets.end(), lease->subnet_id_) != subnets.end();
}

template <typename Leases>
Leases those_that_stand(Leases leases) {
    const auto stands = [](const auto& lease) { return stands_for_reservation(*lease); };
    leases.erase(std::stable_partition(leases.begin(), leases.end(), stands), leases.end());
    return leases;
}

/// Kea, too, looks by the client identifier first.
Lease4Collection leases_of(const Pkt4Ptr& query) {
    const auto& leases = LeaseMgrFactory::instance();
    const auto id = client_id_of(query);
    if (ClientId::MIN_CLIENT_ID_LEN <= id.size() && id.size() <= ClientId::MAX_CLIENT_ID_LEN) {
        const Lease4Collection found = leases.getLease4(ClientId(id));
        if (!found.empty()) {
            return found;
        }
    }
    const auto hwaddr = query->getHWAddr();
    return hwaddr && !hwaddr->hwaddr_.empty() ? leases.getLease4(*hwaddr) : Lease4Collection();
}

Lease6Collection leases_of(const Pkt6Ptr& query) {
    const auto duid = query->getClientId();
    return duid ? LeaseMgrFactory::instance().getLeases6(*duid) : Lease6Collection();
}

bool is_of(const Lease4Ptr& lease, const Pkt4Ptr& query) {
    const auto hwaddr = query->getHWAddr();
    return (lease->client_id_ && lease->client_id_->getClientId() == client_id_of(query)) ||
           (hwaddr && lease->hwaddr_ && !hwaddr->hwaddr_.empty() && *hwaddr == *lease->hwaddr_);
}

bool is_of(const Lease6Ptr& lease, const Pkt6Ptr& query) {
    const auto duid = query->getClientId();
    const auto hwaddr = hwaddr_of(query);
    return (duid && lease->duid_ && *duid == *lease->duid_) ||
           (lease->hwaddr_ && !hwaddr.empty() && lease->hwaddr_->hwaddr_ == hwaddr);
}

template <typename LeasePtr, typename Packet>
std::string holder(const LeasePtr& lease, const Packet& query) {
    if (!lease || !stands_for_reservation(*lease) || is_of(lease, query)) {
        return "";
    }
    return lease->addr_.toText() + " is still leased to another client that it was reserved for";
}

} // namespace

Lease4Collection reserved_leases(const Pkt4Ptr& query) { return those_that_stand(leases_of(query)); }
Lease6Collection reserved_leases(const Pkt6Ptr& query) { return those_that_stand(leases_of(query)); }

HostPtr host_of(const Lease4Collection& leases, const Subnets& subnets, const Identity& client) {
    for (const Lease4Ptr& lease : leases) {
        if (is_of_any(lease, subnets)) {
            return HostPtr(new Host(client.bytes.data(), client.bytes.size(), client.type, lease->subnet_id_,
                                    SUBNET_ID_UNUSED, lease->addr_));
        }
    }
    return {};
}

/// Of a machine with one DUID, the lease may be another interface's.
bool is_anothers(const Lease6Ptr& lease, const Identity& client) {
    const auto& hwaddr = lease->hwaddr_;
    return client.type == Host::IDENT_HWADDR && hwaddr && !hwaddr->hwaddr_.empty() && hwaddr->hwaddr_ != client.bytes;
}

/// A reservation is of one subnet: that of the first.
HostPtr host_of(const Lease6Collection& leases, const Subnets& subnets, const Identity& client) {
    HostPtr host;
    for (const Lease6Ptr& lease : leases) {
        if (!is_of_any(lease, subnets) || is_anothers(lease, client)) {
            continue;
        }
        if (!host) {
            host.reset(new Host(client.bytes.data(), client.bytes.size(), client.type, SUBNET_ID_UNUSED,
                                lease->subnet_id_, IOAddress::IPV4_ZERO_ADDRESS()));
        }
        if (host->getIPv6SubnetID() == lease->subnet_id_) {
            const bool is_prefix = lease->getType() == Lease::TYPE_PD;
            host->addReservation(IPv6Resrv(is_prefix ? IPv6Resrv::TYPE_PD : IPv6Resrv::TYPE_NA, lease->addr_,
                                           is_prefix ? lease->prefixlen_ : 128));
        }
    }
    return host;
}

std::string other_holder(const Host& host, const Pkt4Ptr& query) {
    const IOAddress address = host.getIPv4Reservation();
    return address.isV4Zero() ? "" : holder(LeaseMgrFactory::instance().getLease4(address), query);
}

std::string other_holder(const Host& host, const Pkt6Ptr& query) {
    const auto range = host.getIPv6Reservations();
    for (auto one = range.first; one != range.second; ++one) {
        const IPv6Resrv& reserved = one->second;
        const auto type = reserved.getType() == IPv6Resrv::TYPE_PD ? Lease::TYPE_PD : Lease::TYPE_NA;
        const std::string other = holder(LeaseMgrFactory::instance().getLease6(type, reserved.getPrefix()), query);
        if (!other.empty()) {
            return other;
        }
    }
    return "";
}

} // namespace runscript
