#include "reserve.h"

#include "../changes.h"
#include "../lease_origin.h"
#include "backend.h"
#include "client.h"
#include "leased.h"

#include <dhcpsrv/cfg_host_operations.h>
#include <dhcpsrv/host_mgr.h>
#include <dhcpsrv/parsers/host_reservation_parser.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::asiolink::IOAddress;
using isc::data::Element;
using isc::data::ElementPtr;
using isc::dhcp::ConstHostPtr;
using isc::dhcp::Host;
using isc::dhcp::HostMgr;
using isc::dhcp::HostPtr;
using isc::dhcp::IPv6Resrv;
using isc::dhcp::SubnetID;

/// Where the subnet's id is kept with a packet, for hook points that are not told it.
constexpr const char* SUBNET_ID = "runscript-subnet-id";

/// What they do alike.
struct Reserve4 : Family4 {
    using Parser = isc::dhcp::HostReservationParser4;
    static constexpr const char* ADDRESSES[] = {"ip-address"};

    static SubnetArgument find_subnet(SubnetID id) {
        return isc::dhcp::CfgMgr::instance().getCurrentCfg()->getCfgSubnets4()->getSubnet(id);
    }
    static SubnetID subnet_of(const Host& host) { return host.getIPv4SubnetID(); }
    static ConstHostPtr find_other(SubnetID subnet, const Identity& one) {
        return HostMgr::instance().get4(subnet, one.type, one.bytes.data(), one.bytes.size());
    }
    static ConstHostPtr find_other(SubnetID subnet, const IOAddress& address) {
        return HostMgr::instance().get4(subnet, address);
    }
};

struct Reserve6 : Family6 {
    using Parser = isc::dhcp::HostReservationParser6;
    static constexpr const char* ADDRESSES[] = {"ip-addresses", "prefixes"};

    static SubnetArgument find_subnet(SubnetID id) {
        return isc::dhcp::CfgMgr::instance().getCurrentCfg()->getCfgSubnets6()->getSubnet(id);
    }
    static SubnetID subnet_of(const Host& host) { return host.getIPv6SubnetID(); }
    static ConstHostPtr find_other(SubnetID subnet, const Identity& one) {
        return HostMgr::instance().get6(subnet, one.type, one.bytes.data(), one.bytes.size());
    }
    static ConstHostPtr find_other(SubnetID subnet, const IOAddress& address) {
        return HostMgr::instance().get6(subnet, address);
    }
};

/// The subnet that Kea has chosen for the packet; null if it has chosen none.
template <typename Family>
typename Family::SubnetArgument chosen_subnet(const CalloutHandle& handle, const HookPoint& point) {
    if (point.chooses_subnet) {
        return argument<typename Family::SubnetArgument>(handle, Family::SUBNET);
    }
    SubnetID id = 0;
    try {
        handle.getContext(SUBNET_ID, id);
    } catch (const isc::hooks::NoSuchCalloutContext&) {
        return {};
    }
    return Family::find_subnet(id);
}

/// A packet, whose it is, and where.
template <typename Family>
struct Place {
    typename Family::Packet query;
    std::vector<Identity> identifiers;
    Identity client;
    /// The chosen one first.
    std::vector<typename Family::SubnetArgument> network;

    Place(const CalloutHandle& handle, const HookPoint& point)
        : query(argument<typename Family::Packet>(handle, Family::QUERY)), identifiers(identifiers_of(query)) {
        const auto subnet = chosen_subnet<Family>(handle, point);
        expect(subnet != nullptr, "comes before Kea has chosen a subnet, or there is none");
        const auto identifier = own(identifiers);
        expect(identifier.has_value(), "is for nobody: the client has none of the identifiers that "
                                       "\"host-reservation-identifiers\" names");
        client = *identifier;
        network = network_of(subnet);
    }

    SubnetID subnet() const { return network.front()->getID(); }
};

/// The client has a reservation in the configuration or a database. It wins, in whatever order Kea looks for them.
template <typename Family>
bool has_another(const Place<Family>& place, bool in_full) {
    const WithoutHostBackend without;
    const std::vector<SubnetID> ids = ids_of(place.network);
    bool is_behind = false;
    for (const Identity& one : place.identifiers) {
        if (ids.size() == 1) {
            // Kea finds one by an earlier identifier, or the same, before ours.
            if ((in_full || is_behind) && Family::find_other(ids.front(), one)) {
                return true;
            }
            is_behind = is_behind || one == place.client;
            continue;
        }
        // In a shared network Kea may ask for all at once, and take the last.
        for (const ConstHostPtr& host : HostMgr::instance().getAll(one.type, one.bytes.data(), one.bytes.size())) {
            if (std::find(ids.begin(), ids.end(), Family::subnet_of(*host)) != ids.end()) {
                return true;
            }
        }
    }
    return false;
}

/// By Kea's own parser, which wants an identifier in its own notation.
template <typename Family>
HostPtr parse(SubnetID subnet, const Identity& client, const ElementPtr& reservation) {
    reservation->set("hw-address", Element::create("00"));
    const HostPtr host = typename Family::Parser().parse(subnet, reservation);
    host->setIdentifier(client.bytes.data(), client.bytes.size(), client.type);
    return host;
}

/// The subnet of the addresses is put first; prefixes may be anywhere.
template <typename Family>
void find_home(Place<Family>& place, const std::vector<IOAddress>& addresses) {
    const auto has_all = [&](const auto& subnet) {
        return std::all_of(addresses.begin(), addresses.end(),
                           [&](const IOAddress& address) { return subnet->inRange(address); });
    };
    const auto home = std::find_if(place.network.begin(), place.network.end(), has_all);
    expect(home != place.network.end(),
           "is not of " + place.network.front()->toText() +
               (place.network.size() > 1 ? " or another subnet of its shared network" : ""));
    std::iter_swap(home, place.network.begin());
}

/// Kea would take no notice of it, and say nothing.
template <typename Family>
void expect_noticed(const Place<Family>& place, const std::vector<IOAddress>& addresses) {
    const auto& subnet = place.network.front();
    const std::string name = subnet->toText();
    expect(subnet->getReservationsInSubnet(), "\"reservations-in-subnet\" of " + name + " is false");
    expect(subnet->clientSupported(place.query->getClasses()), name + " is closed to this client's classes");
    for (const IOAddress& address : addresses) {
        expect(!subnet->getReservationsOutOfPool() || !subnet->inPool(Family::ADDRESS, address),
               address.toText() + " is in a pool, and \"reservations-out-of-pool\" of " + name + " is true");
    }
}

/// Another client has it, by the configuration, a database, or a lease that a reservation of ours has given.
template <typename Family>
void expect_free(const Place<Family>& place, const Host& host) {
    const WithoutHostBackend without;
    for (const IOAddress& address : addresses_of(host, true)) {
        const ConstHostPtr other = Family::find_other(place.subnet(), address);
        expect(!other, address.toText() + " is reserved for " + (other ? other->getIdentifierAsText() : ""));
    }
    const std::string holder = other_holder(host, place.query);
    expect(holder.empty(), holder);
}

/// Nor does its lease stand for a reservation.
template <typename Family>
void reserve_nothing(const Place<Family>& place) {
    host_store().put({place.client, hwaddr_of(place.query), ids_of(place.network), nullptr, nullptr, ""});
}

template <typename Family>
void reserve(const std::string& text, Place<Family> place) {
    if (host_store().renew(place.subnet(), place.client, text) && !has_another(place, false)) {
        return;
    }
    if (has_another(place, true)) {
        reserve_nothing(place);
        throw Refusal("the client has a reservation in Kea's configuration or a hosts database, which counts");
    }
    const ElementPtr reservation = Element::fromJSON(text);
    HostPtr host = parse<Family>(place.subnet(), place.client, reservation);
    const auto addresses = addresses_of(*host, false);
    const SubnetID chosen = place.subnet();
    find_home(place, addresses);
    expect_noticed(place, addresses);
    expect_free(place, *host);
    Reserved reserved{place.client, hwaddr_of(place.query), ids_of(place.network), nullptr, nullptr, text};
    if (place.network.size() > 1) {
        for (const char* key : Family::ADDRESSES) {
            reservation->remove(key);
        }
        reserved.elsewhere = parse<Family>(chosen, place.client, reservation);
    }
    if (place.subnet() != chosen) {
        host->getIPv4SubnetID() == chosen ? host->setIPv4SubnetID(place.subnet())
                                          : host->setIPv6SubnetID(place.subnet());
    }
    reserved.host = std::move(host);
    const auto other = host_store().put(std::move(reserved));
    expect(!other, "is reserved for " + (other ? other->text() : "") +
                       ": have the answer to that client say null, or free it by runscript-forget");
}

/// For a client that was given nothing else, what its leases have from a reservation.
template <typename Family>
void reserve_leased(const Place<Family>& place) {
    if (host_store().is_answered(place.subnet(), place.client)) {
        return;
    }
    const std::vector<SubnetID> ids = ids_of(place.network);
    const HostPtr host = host_of_leases(place.query, ids, place.client);
    if (!host || has_another(place, true)) {
        return host_store().remove(place.subnet(), place.client);
    }
    Reserved reserved{place.client, hwaddr_of(place.query), ids, host, nullptr, ""};
    const SubnetID home = Family::subnet_of(*host);
    std::iter_swap(std::find(reserved.subnets.begin(), reserved.subnets.end(), home), reserved.subnets.begin());
    host_store().put(std::move(reserved));
}

template <typename Family>
void change(const Change& change, const CalloutHandle& handle, const HookPoint& point) {
    const char* why_not = why_no_reservation();
    expect(*why_not == '\0', why_not);
    Place<Family> place(handle, point);
    if (change.data.empty()) {
        reserve_nothing(place);
    } else {
        reserve<Family>({change.data.begin(), change.data.end()}, std::move(place));
    }
}

template <typename Family>
void follow(CalloutHandle& handle, const HookPoint& point) {
    const auto subnet = chosen_subnet<Family>(handle, point);
    if (!subnet) {
        return;
    }
    if (point.chooses_subnet) {
        handle.setContext(SUBNET_ID, subnet->getID());
    }
    if (own(identifiers_of(argument<typename Family::Packet>(handle, Family::QUERY)))) {
        reserve_leased(Place<Family>(handle, point));
    }
}

template <typename Family>
void mark(const CalloutHandle& handle) {
    const auto lease = argument<typename Family::LeasePtr>(handle, Family::LEASE);
    set_reserved(*lease, host_store().find(lease->subnet_id_, lease->addr_) != nullptr);
}

} // namespace

void reserve(const Change& wanted, CalloutHandle& handle, const HookPoint& point) {
    point.is_dhcp6 ? change<Reserve6>(wanted, handle, point) : change<Reserve4>(wanted, handle, point);
}

void follow_lease(CalloutHandle& handle, const HookPoint& point) {
    if (*why_no_reservation() == '\0') {
        point.is_dhcp6 ? follow<Reserve6>(handle, point) : follow<Reserve4>(handle, point);
    }
}

void mark_lease(CalloutHandle& handle, const HookPoint& point) {
    point.is_dhcp6 ? mark<Family6>(handle) : mark<Family4>(handle);
}

} // namespace runscript
