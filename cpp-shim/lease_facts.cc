// What lease events say of a lease beyond the lease itself.

#include "facts.h"
#include "family.h"
#include "lease.h"

#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/host_mgr.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <dhcpsrv/shared_network.h>

namespace runscript {
namespace {

using isc::dhcp::CfgMgr;
using isc::dhcp::HostMgr;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::OptionPtr;

/// A client can have as many as it likes.
constexpr size_t MOST_OTHERS = 32;

bool has_host(isc::dhcp::SubnetID subnet, const Lease4Ptr& lease) {
    return static_cast<bool>(HostMgr::instance().get4(subnet, lease->addr_));
}

bool has_host(isc::dhcp::SubnetID subnet, const Lease6Ptr& lease) {
    if (lease->getType() == isc::dhcp::Lease::TYPE_PD) {
        // Kea looks for prefixes in all subnets.
        return static_cast<bool>(HostMgr::instance().get6(lease->addr_, lease->prefixlen_));
    }
    return static_cast<bool>(HostMgr::instance().get6(subnet, lease->addr_));
}

/// Looks where Kea looks in this subnet: each time may be a query of a database.
template <typename SubnetPtr, typename LeasePtr>
bool is_reserved(const SubnetPtr& subnet, const LeasePtr& lease) {
    return subnet && ((subnet->getReservationsInSubnet() && has_host(lease->subnet_id_, lease)) ||
                      (subnet->getReservationsGlobal() && has_host(isc::dhcp::SUBNET_ID_GLOBAL, lease)));
}

/// An option as a subnet, its shared network, or all of Kea's configuration has it; null if none has.
template <typename Network, typename SubnetPtr>
OptionPtr configured(const SubnetPtr& subnet, const Network& network, const char* space, uint16_t code) {
    OptionPtr option = subnet->getCfgOption()->get(space, code).option_;
    if (!option && network) {
        option = network->getCfgOption()->get(space, code).option_;
    }
    return option ? option : CfgMgr::instance().getCurrentCfg()->getCfgOption()->get(space, code).option_;
}

} // namespace

template <typename Network, typename SubnetPtr>
void FactsBuilder::describe(const SubnetPtr& subnet, const char* space, uint16_t domain_name, uint16_t dns_servers) {
    add_subnet(subnet);
    if (!subnet) {
        return;
    }
    Subnet& fact = subnet_.back();
    Network network;
    subnet->getSharedNetwork(network);
    fact.shared_network = network ? add(network->getName()) : NO_FACT;
    const auto context = subnet->getContext();
    fact.user_context = context ? add(context->str()) : NO_FACT;
    const auto suffix = subnet->getDdnsQualifyingSuffix();
    fact.ddns_suffix = suffix.unspecified() || suffix.get().empty() ? NO_FACT : add(suffix.get());
    const OptionPtr domain = configured(subnet, network, space, domain_name);
    fact.domain_name = domain ? data(domain) : NO_FACT;
    const OptionPtr servers = configured(subnet, network, space, dns_servers);
    fact.dns_servers = servers ? data(servers) : NO_FACT;
}

void FactsBuilder::subnet_of(const Lease4Ptr& lease) {
    const auto subnet = CfgMgr::instance().getCurrentCfg()->getCfgSubnets4()->getBySubnetId(lease->subnet_id_);
    describe<isc::dhcp::SharedNetwork4Ptr>(subnet, DHCP4_OPTION_SPACE, isc::dhcp::DHO_DOMAIN_NAME,
                                           isc::dhcp::DHO_DOMAIN_NAME_SERVERS);
    is_reserved_ = is_reserved(subnet, lease);
}

void FactsBuilder::subnet_of(const Lease6Ptr& lease) {
    const auto subnet = CfgMgr::instance().getCurrentCfg()->getCfgSubnets6()->getBySubnetId(lease->subnet_id_);
    describe<isc::dhcp::SharedNetwork6Ptr>(subnet, DHCP6_OPTION_SPACE, D6O_DOMAIN_SEARCH, D6O_NAME_SERVERS);
    is_reserved_ = is_reserved(subnet, lease);
}

void FactsBuilder::others_than(const Lease4Ptr&) {}

void FactsBuilder::others_than(const Lease6Ptr& lease) {
    if (!lease->duid_) {
        return;
    }
    for (const Lease6Ptr& other : LeaseMgrFactory::instance().getLeases6(*lease->duid_)) {
        if (!is_same(*other, *lease) && is_held(*other) && others_.size() < MOST_OTHERS) {
            add_lease(others_, other);
        }
    }
}

} // namespace runscript
