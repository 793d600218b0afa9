#pragma once

#include "../callout.h"
#include "../changes.h"
#include "client.h"

#include <dhcpsrv/cfg_host_operations.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/host_mgr.h>
#include <dhcpsrv/parsers/host_reservation_parser.h>

#include <algorithm>
#include <optional>

namespace runscript {

/// Where the subnet's id is kept with a packet.
constexpr const char* SUBNET_ID = "runscript-subnet-id";

/// What the families call alike where something is reserved.
struct Hosts4 : Family4 {
    using Parser = isc::dhcp::HostReservationParser4;
    static constexpr const char* ADDRESSES[] = {"ip-address"};

    static isc::dhcp::SubnetID subnet_of(const isc::dhcp::Host& host) { return host.getIPv4SubnetID(); }
    static void set_subnet(isc::dhcp::Host& host, isc::dhcp::SubnetID id) { host.setIPv4SubnetID(id); }
    template <typename... What>
    static isc::dhcp::ConstHostPtr find(const What&... what) {
        return isc::dhcp::HostMgr::instance().get4(what...);
    }
};

struct Hosts6 : Family6 {
    using Parser = isc::dhcp::HostReservationParser6;
    static constexpr const char* ADDRESSES[] = {"ip-addresses", "prefixes"};

    static isc::dhcp::SubnetID subnet_of(const isc::dhcp::Host& host) { return host.getIPv6SubnetID(); }
    static void set_subnet(isc::dhcp::Host& host, isc::dhcp::SubnetID id) { host.setIPv6SubnetID(id); }
    template <typename... What>
    static isc::dhcp::ConstHostPtr find(const What&... what) {
        return isc::dhcp::HostMgr::instance().get6(what...);
    }
};

/// The subnet that Kea has chosen for the packet; null if it has chosen none. Where the hook point is not told it, the packet
/// has kept its id.
template <typename Family>
typename Family::SubnetArgument chosen_subnet(const CalloutHandle& handle, const HookPoint& point) {
    if (point.chooses_subnet) {
        return argument<typename Family::SubnetArgument>(handle, Family::SUBNET);
    }
    isc::dhcp::SubnetID id = 0;
    try {
        handle.getContext(SUBNET_ID, id);
    } catch (const isc::hooks::NoSuchCalloutContext&) {
        return {};
    }
    return Family::find_subnet(id);
}

/// The client of a packet, and where it is.
template <typename Family>
struct Place {
    using SubnetPtr = typename Family::SubnetArgument;

    typename Family::Packet query;
    std::vector<Identity> identifiers;
    Identity client;
    /// That Kea has chosen.
    SubnetPtr subnet;
    isc::dhcp::SubnetID id;

    bool is_shared() const { return subnet->getNextSubnet(subnet) != nullptr; }

    /// The ids of the shared network's subnets, or of the one that there is; this first.
    std::vector<isc::dhcp::SubnetID> network(const SubnetPtr& first) const {
        auto ids = ids_of(network_of(subnet));
        std::iter_swap(std::find(ids.begin(), ids.end(), first->getID()), ids.begin());
        return ids;
    }
};

/// Nothing if the client has no identifier of its own by which Kea looks for reservations.
template <typename Family>
std::optional<Place<Family>> place_of(const CalloutHandle& handle, const typename Family::SubnetArgument& subnet) {
    const auto query = argument<typename Family::Packet>(handle, Family::QUERY);
    auto identifiers = identifiers_of(query);
    auto client = own(identifiers);
    if (!client) {
        return std::nullopt;
    }
    return Place<Family>{query, std::move(identifiers), std::move(*client), subnet, subnet->getID()};
}

} // namespace runscript
