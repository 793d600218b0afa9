#pragma once

#include "versions.h"

#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/lease.h>

// What a message means for leases.

namespace runscript {

/// Kea shall offer something, and give nothing yet.
bool is_offer(const isc::dhcp::Pkt4Ptr& query);
bool is_offer(const isc::dhcp::Pkt6Ptr& query);

/// The client itself ends its leases.
bool is_end(const isc::dhcp::Pkt4Ptr& query);
bool is_end(const isc::dhcp::Pkt6Ptr& query);

/// The client wants to go on with what it has; in DHCPv4 that is a request like others.
bool is_extension(const isc::dhcp::Pkt4Ptr& query);
bool is_extension(const isc::dhcp::Pkt6Ptr& query);

/// Whether the answer gives the client this lease.
bool gives(const isc::dhcp::Pkt4Ptr& response, const isc::dhcp::Lease4Ptr& lease);
bool gives(const isc::dhcp::Pkt6Ptr& response, const isc::dhcp::Lease6Ptr& lease);

} // namespace runscript
