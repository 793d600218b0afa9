#pragma once

#include "versions.h"

#include <dhcpsrv/lease.h>

namespace runscript {

/// RFC 9686. Kea has no name for it before version 3.0.
constexpr uint32_t STATE_REGISTERED = 4;

/// Whether a client has it. Before version 3.0 a released lease that Kea keeps for its client has but no lifetime. leases.rs
/// has its twin.
inline bool is_held(const isc::dhcp::Lease& lease) {
    return (lease.state_ == isc::dhcp::Lease::STATE_DEFAULT || lease.state_ == STATE_REGISTERED) &&
           lease.valid_lft_ != 0;
}

/// Whether both are of one address, or one prefix.
inline bool is_same(const isc::dhcp::Lease& one, const isc::dhcp::Lease& other) {
    return one.addr_ == other.addr_ && one.getType() == other.getType();
}

} // namespace runscript
