#include "reservation.h"

#include "arguments.h"

#include <dhcpsrv/cfg_host_operations.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/parsers/host_reservation_parser.h>

namespace reservations {
namespace {

using isc::BadValue;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;
using isc::dhcp::CfgMgr;
using isc::dhcp::ClientClasses;
using isc::dhcp::Host;
using isc::dhcp::HostReservationParser4;
using isc::dhcp::HostReservationParser6;
using isc::dhcp::IPv6Resrv;
using isc::dhcp::SUBNET_ID_GLOBAL;
using isc::dhcp::SUBNET_ID_MAX;
using isc::dhcp::SUBNET_ID_UNUSED;

using Addresses = std::vector<IOAddress>;

SubnetID subnet_id_in(const ConstElementPtr& given) {
    const ConstElementPtr id = given->get("subnet-id");
    if (!id) {
        return SUBNET_ID_UNUSED;
    }
    if (id->getType() != Element::integer) {
        isc_throw(BadValue, "'subnet-id' parameter is not integer.");
    }
    if (id->intValue() < 0 || id->intValue() > SUBNET_ID_MAX) {
        isc_throw(BadValue, "subnet-id: " << id->intValue() << " is invalid, must be between 0 and " << SUBNET_ID_MAX
                                          << " (inclusive).");
    }
    return static_cast<SubnetID>(id->intValue());
}

/// From Kea 2.6 on it can be told not to put options of options into them, which a database would then have twice.
template <typename Parser>
HostPtr parse(Parser parser, SubnetID subnet, const ConstElementPtr& reservation) {
    if constexpr (KEA_HOOKS_VERSION >= 20600) {
        return parser.parse(subnet, reservation, false);
    } else {
        return parser.parse(subnet, reservation);
    }
}

Addresses addresses_of(const Host& host) {
    Addresses addresses;
    if (is_dhcp4()) {
        if (!host.getIPv4Reservation().isV4Zero()) {
            addresses.push_back(host.getIPv4Reservation());
        }
        return addresses;
    }
    const auto range = host.getIPv6Reservations(IPv6Resrv::TYPE_NA);
    for (auto one = range.first; one != range.second; ++one) {
        addresses.push_back(one->second.getPrefix());
    }
    return addresses;
}

/// Which subnet may have been meant: one for all clients sooner than one for those of a class (a guarded one).
template <typename Subnets>
std::string hint(const Subnets& subnets, const Addresses& addresses) {
    std::string open, guarded;
    int count = 0;
    for (const auto& subnet : *subnets.getAll()) {
        const auto has = [&](const IOAddress& address) { return subnet->inRange(address); };
        if (std::all_of(addresses.begin(), addresses.end(), has)) {
            std::string& text = subnet->clientSupported(ClientClasses()) ? open : guarded;
            if (text.empty()) {
                text = "subnet '" + subnet->toText() + "' id " + std::to_string(subnet->getID());
            }
            ++count;
        }
    }
    const std::string one = !open.empty() ? open : !guarded.empty() ? "guarded " + guarded : "";
    return one.empty() || count == 1 ? one + "." : one + " and others.";
}

std::string hint_for(const Addresses& addresses) {
    const auto config = CfgMgr::instance().getCurrentCfg();
    if (is_dhcp4()) {
        const std::string hinted = hint(*config->getCfgSubnets4(), addresses);
        return " The address '" + addresses.front().toText() + "' belongs to " +
               (hinted == "." ? "no configured subnet." : hinted);
    }
    const std::string hinted = hint(*config->getCfgSubnets6(), addresses);
    return " Reserved IPv6 addresses " +
           (hinted == "." ? "do not belong to a common configured subnet." : "belong to " + hinted);
}

template <typename SubnetPtr>
void require_in(const SubnetPtr& subnet, const Addresses& addresses) {
    const char* family = is_dhcp4() ? "IPv4" : "IPv6";
    for (const IOAddress& address : addresses) {
        if (!subnet->inRange(address)) {
            isc_throw(BadValue, "specified reservation '" << address << "' is not matching the " << family
                                                          << " subnet prefix '" << subnet->toText() << "'");
        }
    }
}

} // namespace

HostPtr parsed(const ConstElementPtr& given, bool has_subnet) {
    const ElementPtr reservation = Element::createMap();
    reservation->setValue(given->mapValue());
    const SubnetID subnet = subnet_id_in(given);
    if (has_subnet && subnet == SUBNET_ID_UNUSED) {
        isc_throw(BadValue,
                  "Mandatory 'subnet-id' parameter missing. Use `reservation-get-by-id' or "
                  "'reservation-get-by-address' to get the list of reservations with given identifier or address.");
    }
    reservation->remove("subnet-id");
    return is_dhcp4() ? parse(HostReservationParser4(), subnet, reservation)
                      : parse(HostReservationParser6(), subnet, reservation);
}

void make_global(Host& host) {
    const Addresses addresses = addresses_of(host);
    if (!addresses.empty()) {
        isc_throw(BadValue, "Mandatory 'subnet-id' parameter missing." << hint_for(addresses));
    }
    if (!is_dhcp4() && host.hasIPv6Reservation()) {
        isc_throw(BadValue,
                  "Mandatory 'subnet-id' parameter missing. Prefixes are not attached to subnets so no hint is "
                  "available.");
    }
    is_dhcp4() ? host.setIPv4SubnetID(SUBNET_ID_GLOBAL) : host.setIPv6SubnetID(SUBNET_ID_GLOBAL);
}

void require_fit(const Host& host) {
    const SubnetID id = subnet_of(host);
    if (id == SUBNET_ID_GLOBAL) {
        return;
    }
    require_subnet(id);
    const auto config = CfgMgr::instance().getCurrentCfg();
    if (is_dhcp4()) {
        require_in(config->getCfgSubnets4()->getBySubnetId(id), addresses_of(host));
    } else {
        require_in(config->getCfgSubnets6()->getBySubnetId(id), addresses_of(host));
    }
}

ElementPtr element_of(const Host& host) {
    const ElementPtr element = is_dhcp4() ? host.toElement4() : host.toElement6();
    element->set("subnet-id", Element::create(static_cast<int64_t>(subnet_of(host))));
    return element;
}

} // namespace reservations
