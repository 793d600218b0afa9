#pragma once

#include "versions.h"

#include <dhcpsrv/lease.h>

// Leases in Kea's database, which may fail: then these throw.

namespace runscript {

/// The same lease as the database has it; null if there is none.
isc::dhcp::Lease4Ptr stored(const isc::dhcp::Lease4Ptr& lease);
isc::dhcp::Lease6Ptr stored(const isc::dhcp::Lease6Ptr& lease);

/// Writes a lease that is there.
void update(const isc::dhcp::Lease4Ptr& lease);
void update(const isc::dhcp::Lease6Ptr& lease);

isc::dhcp::Lease4Ptr copy_of(const isc::dhcp::Lease4Ptr& lease);
isc::dhcp::Lease6Ptr copy_of(const isc::dhcp::Lease6Ptr& lease);

} // namespace runscript
