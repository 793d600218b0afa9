#include "reserve.h"

#include "../guard.h"
#include "../lease_origin.h"
#include "../option_data.h"
#include "backend.h"
#include "leased.h"
#include "place.h"

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
using isc::dhcp::SUBNET_ID_GLOBAL;
using isc::dhcp::SubnetID;

/// By identifiers that Kea looks by after the client's own, or by all.
enum class Extent { Behind, All };

/// The client has a reservation in the configuration or a database. It wins, in whatever order Kea looks for them.
template <typename Family>
bool has_another(const Place<Family>& place, Extent extent) {
    const WithoutHostBackend without;
    bool is_behind = false;
    for (const Identity& one : place.identifiers) {
        if (place.subnet->getReservationsGlobal() &&
            Family::find(SUBNET_ID_GLOBAL, one.type, one.bytes.data(), one.bytes.size())) {
            return true;
        }
        if (place.is_shared()) {
            // Kea may ask for all of them at once, and take the last.
            const auto hosts = HostMgr::instance().getAll(one.type, one.bytes.data(), one.bytes.size());
            const auto network = hosts.empty() ? std::vector<SubnetID>() : place.network(place.subnet);
            const auto is_here = [&](const ConstHostPtr& host) {
                return std::find(network.begin(), network.end(), Family::subnet_of(*host)) != network.end();
            };
            if (std::any_of(hosts.begin(), hosts.end(), is_here)) {
                return true;
            }
        } else if (extent == Extent::All || is_behind) {
            if (Family::find(place.id, one.type, one.bytes.data(), one.bytes.size())) {
                return true;
            }
        }
        is_behind = is_behind || one == place.client;
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

/// The subnet of a reservation; null if there is no reservation, or Kea's configuration has the subnet no more.
template <typename Family>
typename Family::SubnetArgument home_of(const ConstHostPtr& host) {
    return host ? Family::find_subnet(Family::subnet_of(*host)) : typename Family::SubnetArgument();
}

/// The subnet that the addresses are of; prefixes may be anywhere.
template <typename Family>
typename Family::SubnetArgument home_of(const Place<Family>& place, const std::vector<IOAddress>& addresses) {
    for (const auto& subnet : network_of(place.subnet)) {
        if (std::all_of(addresses.begin(), addresses.end(), [&](const auto& one) { return subnet->inRange(one); })) {
            return subnet;
        }
    }
    std::string all;
    for (const IOAddress& address : addresses) {
        all += (all.empty() ? "" : ", ") + address.toText();
    }
    throw Refusal(all + " is not of " + place.subnet->toText() +
                  (place.is_shared() ? " or another subnet of its shared network" : ""));
}

/// Kea would take no notice of it, and say nothing.
template <typename Family>
void expect_noticed(const Place<Family>& place, const typename Family::SubnetArgument& home,
                    const std::vector<IOAddress>& addresses) {
    const std::string name = home->toText();
    expect(home->getReservationsInSubnet(), "\"reservations-in-subnet\" of " + name + " is false");
    expect(home->clientSupported(place.query->getClasses()), name + " is closed to this client's classes");
    for (const IOAddress& address : addresses) {
        expect(!home->getReservationsOutOfPool() || !home->inPool(Family::ADDRESS, address),
               address.toText() + " is in a pool, and \"reservations-out-of-pool\" of " + name + " is true");
    }
}

/// For whom the configuration or a database has reserved one of the addresses, in words; empty if for nobody.
template <typename Family>
std::string other_owner(const typename Family::SubnetArgument& home, const Host& host) {
    const WithoutHostBackend without;
    for (const IOAddress& address : addresses_of(host, true)) {
        ConstHostPtr other = Family::find(home->getID(), address);
        if (!other && home->getReservationsGlobal()) {
            other = Family::find(SUBNET_ID_GLOBAL, address);
        }
        if (other) {
            return address.toText() + " is reserved for " + other->getIdentifierAsText();
        }
    }
    return "";
}

/// Another client has it, as above, or by a lease that a reservation of ours has given.
template <typename Family>
void expect_free(const Place<Family>& place, const typename Family::SubnetArgument& home, const Host& host) {
    const std::string owner = other_owner<Family>(home, host);
    expect(owner.empty(), owner);
    const std::string holder = other_holder(host, place.query);
    expect(holder.empty(), holder);
}

template <typename Family>
Reserved reserved_for(const Place<Family>& place, const typename Family::SubnetArgument& home, const HostPtr& host,
                      const HostPtr& elsewhere = {}, const std::string& text = "") {
    return {place.client, hwaddr_of(place.query), client_id_of(place.query), place.network(home), host, elsewhere,
            text};
}

template <typename Family>
Reserved made(const Place<Family>& place, const std::string& text) {
    const ElementPtr reservation = Element::fromJSON(text);
    if (const auto options = reservation->get("option-data")) {
        for (const auto& option : options->listValue()) {
            expect_reservable(Family::NUMBER, option);
        }
    }
    const HostPtr host = parse<Family>(place.id, place.client, reservation);
    const auto addresses = addresses_of(*host, false);
    const auto home = home_of(place, addresses);
    expect_noticed(place, home, addresses);
    expect_free(place, home, *host);
    HostPtr elsewhere;
    if (place.is_shared()) {
        for (const char* key : Family::ADDRESSES) {
            reservation->remove(key);
        }
        elsewhere = parse<Family>(place.id, place.client, reservation);
    }
    Family::set_subnet(*host, home->getID());
    return reserved_for(place, home, host, elsewhere, text);
}

/// Nor do its leases stand for a reservation.
template <typename Family>
void reserve_nothing(const Place<Family>& place) {
    host_store().put(reserved_for(place, place.subnet, nullptr));
}

/// The configuration or a database has given an address to another client since.
template <typename Family>
void lose_what_is_anothers(const Place<Family>& place) {
    const ConstHostPtr host = host_store().whole(place.id, place.client);
    const auto home = home_of<Family>(host);
    if (home && !other_owner<Family>(home, *host).empty()) {
        reserve_nothing(place);
    }
}

template <typename Family>
void reserve_answered(const Place<Family>& place, const std::string& text) {
    const Extent unseen = is_host_backend_last() ? Extent::Behind : Extent::All;
    lose_what_is_anothers(place);
    if (host_store().renew(place.id, place.client, text) && !has_another(place, unseen)) {
        return;
    }
    if (has_another(place, Extent::All)) {
        reserve_nothing(place);
        throw Refusal("the client has a reservation in Kea's configuration or a hosts database, which counts");
    }
    const auto other = host_store().put(made(place, text));
    expect(!other, "is reserved for " + (other ? other->text() : "") +
                       ": have the answer to that client say null, or free it by runscript-forget");
}

/// For a client of which no answer has been given, what its leases have from a reservation.
template <typename Family>
void reserve_leased(const Place<Family>& place) {
    const auto leases = reserved_leases(place.query);
    const HostPtr host = leases.empty() ? HostPtr() : host_of(leases, place.network(place.subnet), place.client);
    const auto home = home_of<Family>(host);
    if (!home || has_another(place, Extent::All) || !other_owner<Family>(home, *host).empty()) {
        return host_store().remove(place.id, place.client);
    }
    host_store().put(reserved_for(place, home, host));
}

template <typename Family>
void change(const Change& change, const CalloutHandle& handle, const HookPoint& point) {
    const char* why_not = why_no_reservation();
    expect(*why_not == '\0', why_not);
    const auto subnet = chosen_subnet<Family>(handle, point);
    expect(subnet != nullptr, "comes before Kea has chosen a subnet, or there is none");
    const auto place = place_of<Family>(handle, subnet);
    expect(place.has_value(), "is for nobody: the client has none of the identifiers that "
                              "\"host-reservation-identifiers\" names");
    if (change.data.empty()) {
        reserve_nothing(*place);
    } else {
        reserve_answered(*place, {change.data.begin(), change.data.end()});
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
    const auto place = place_of<Family>(handle, subnet);
    if (place && !host_store().is_answered(place->id, place->client)) {
        reserve_leased(*place);
    }
}

template <typename Family>
void mark(const CalloutHandle& handle) {
    const auto lease = argument<typename Family::LeasePtr>(handle, Family::LEASE);
    set_reserved(*lease, host_store().has(lease->subnet_id_, lease->addr_));
}

} // namespace

void reserve(const Change& wanted, CalloutHandle& handle, const HookPoint& point) {
    point.is_dhcp6 ? change<Hosts6>(wanted, handle, point) : change<Hosts4>(wanted, handle, point);
}

void follow_lease(CalloutHandle& handle, const HookPoint& point) noexcept {
    guarded(name_of(point), [&] {
        if (*why_no_reservation() == '\0') {
            point.is_dhcp6 ? follow<Hosts6>(handle, point) : follow<Hosts4>(handle, point);
        }
        return 0;
    });
}

void mark_lease(CalloutHandle& handle, const HookPoint& point) noexcept {
    guarded(name_of(point), [&] {
        point.is_dhcp6 ? mark<Family6>(handle) : mark<Family4>(handle);
        return 0;
    });
}

} // namespace runscript
