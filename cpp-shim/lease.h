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

/// Whether both are of one address.
inline bool is_same(const isc::dhcp::Lease4& one, const isc::dhcp::Lease4& other) { return one.addr_ == other.addr_; }

/// Whether both are of one address, or one prefix: the same of another length is another.
inline bool is_same(const isc::dhcp::Lease6& one, const isc::dhcp::Lease6& other) {
    return one.addr_ == other.addr_ && one.getType() == other.getType() && one.prefixlen_ == other.prefixlen_;
}

/// Whether one client has both.
inline bool is_of_one_client(const isc::dhcp::Lease4& one, const isc::dhcp::Lease4& other) {
    if (one.client_id_ && other.client_id_) {
        return *one.client_id_ == *other.client_id_;
    }
    return one.hwaddr_ && other.hwaddr_ && *one.hwaddr_ == *other.hwaddr_;
}

inline bool is_of_one_client(const isc::dhcp::Lease6& one, const isc::dhcp::Lease6& other) {
    return one.duid_ && other.duid_ && *one.duid_ == *other.duid_;
}

} // namespace runscript
