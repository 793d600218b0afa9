// What lease events say of a lease beyond the lease itself.

#include "facts.h"
#include "family.h"

#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/host_mgr.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <dhcpsrv/shared_network.h>

namespace runscript {
namespace {

using isc::dhcp::CfgMgr;
using isc::dhcp::ConstHostPtr;
using isc::dhcp::HostMgr;
using isc::dhcp::Lease4;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::OptionPtr;

/// Those of a reservation count in its subnet, or in all.
bool is_reserved(const Lease4Ptr& lease) {
    const HostMgr& hosts = HostMgr::instance();
    return hosts.get4(lease->subnet_id_, lease->addr_) || hosts.get4(isc::dhcp::SUBNET_ID_GLOBAL, lease->addr_);
}

bool is_reserved(const Lease6Ptr& lease) {
    const HostMgr& hosts = HostMgr::instance();
    if (lease->getType() == isc::dhcp::Lease::TYPE_PD) {
        return static_cast<bool>(hosts.get6(lease->addr_, lease->prefixlen_));
    }
    return hosts.get6(lease->subnet_id_, lease->addr_) || hosts.get6(isc::dhcp::SUBNET_ID_GLOBAL, lease->addr_);
}

/// An option as a subnet, its shared network, or all of Kea's configuration has it; null if none has.
template <typename Network, typename SubnetPtr>
OptionPtr configured(const SubnetPtr& subnet, const char* space, uint16_t code) {
    OptionPtr option = subnet->getCfgOption()->get(space, code).option_;
    Network network;
    subnet->getSharedNetwork(network);
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
    const OptionPtr domain = configured<Network>(subnet, space, domain_name);
    fact.domain_name = domain ? data(domain) : NO_FACT;
    const OptionPtr servers = configured<Network>(subnet, space, dns_servers);
    fact.dns_servers = servers ? data(servers) : NO_FACT;
}

void FactsBuilder::subnet_of(const Lease4Ptr& lease) {
    const auto subnet = CfgMgr::instance().getCurrentCfg()->getCfgSubnets4()->getBySubnetId(lease->subnet_id_);
    describe<isc::dhcp::SharedNetwork4Ptr>(subnet, DHCP4_OPTION_SPACE, isc::dhcp::DHO_DOMAIN_NAME,
                                           isc::dhcp::DHO_DOMAIN_NAME_SERVERS);
    is_reserved_ = is_reserved(lease);
}

void FactsBuilder::subnet_of(const Lease6Ptr& lease) {
    const auto subnet = CfgMgr::instance().getCurrentCfg()->getCfgSubnets6()->getBySubnetId(lease->subnet_id_);
    describe<isc::dhcp::SharedNetwork6Ptr>(subnet, DHCP6_OPTION_SPACE, D6O_DOMAIN_SEARCH, D6O_NAME_SERVERS);
    is_reserved_ = is_reserved(lease);
}

void FactsBuilder::others_than(const Lease4Ptr&) {}

void FactsBuilder::others_than(const Lease6Ptr& lease) {
    if (!lease->duid_) {
        return;
    }
    for (const Lease6Ptr& other : LeaseMgrFactory::instance().getLeases6(*lease->duid_)) {
        const bool is_same = other->addr_ == lease->addr_ && other->getType() == lease->getType();
        if (!is_same && other->valid_lft_ != 0 && other->state_ == isc::dhcp::Lease::STATE_DEFAULT) {
            add_lease(others_, other);
        }
    }
}

} // namespace runscript
