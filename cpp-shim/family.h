#pragma once

#include "versions.h"

#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option_space.h>
#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/lease.h>

namespace runscript {

/// What the two families call alike.
struct Family4 {
    using Packet = isc::dhcp::Pkt4Ptr;
    using SubnetArgument = Subnet4Argument;
    using LeasePtr = isc::dhcp::Lease4Ptr;
    static constexpr uint16_t NUMBER = AF_INET;
    static constexpr const char* QUERY = "query4";
    static constexpr const char* RESPONSE = "response4";
    static constexpr const char* SUBNET = "subnet4";
    static constexpr const char* LEASE = "lease4";
    static constexpr const char* LEASES = "leases4";
    static constexpr const char* DELETED_LEASES = "deleted_leases4";
    static constexpr const char* OPTION_SPACE = DHCP4_OPTION_SPACE;
    static constexpr auto ADDRESS = isc::dhcp::Lease::TYPE_V4;

    /// Of Kea's configuration; null if it has none of this id.
    static SubnetArgument find_subnet(uint32_t id) {
        return isc::dhcp::CfgMgr::instance().getCurrentCfg()->getCfgSubnets4()->getSubnet(id);
    }
};

struct Family6 {
    using Packet = isc::dhcp::Pkt6Ptr;
    using SubnetArgument = Subnet6Argument;
    using LeasePtr = isc::dhcp::Lease6Ptr;
    static constexpr uint16_t NUMBER = AF_INET6;
    static constexpr const char* QUERY = "query6";
    static constexpr const char* RESPONSE = "response6";
    static constexpr const char* SUBNET = "subnet6";
    static constexpr const char* LEASE = "lease6";
    static constexpr const char* LEASES = "leases6";
    static constexpr const char* DELETED_LEASES = "deleted_leases6";
    static constexpr const char* OPTION_SPACE = DHCP6_OPTION_SPACE;
    static constexpr auto ADDRESS = isc::dhcp::Lease::TYPE_NA;

    static SubnetArgument find_subnet(uint32_t id) {
        return isc::dhcp::CfgMgr::instance().getCurrentCfg()->getCfgSubnets6()->getSubnet(id);
    }
};

} // namespace runscript
