#pragma once

#include "versions.h"

#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/lease.h>

#include <string>

namespace runscript {

/// From where a packet came.
std::string origin_of(const isc::dhcp::Pkt4Ptr& query);
std::string origin_of(const isc::dhcp::Pkt6Ptr& query);

/// The origin that a lease keeps; empty if it keeps none.
std::string kept_origin(const isc::dhcp::Lease& lease);

/// Has a lease keep it; with an empty one, none. Whether that has changed the lease.
bool keep_origin(isc::dhcp::Lease& lease, const std::string& origin);

/// Whether it says that a reservation of an answer has given it.
bool is_reserved(const isc::dhcp::Lease& lease);

/// Has it say so, or not.
void set_reserved(isc::dhcp::Lease& lease, bool reserved);

} // namespace runscript
