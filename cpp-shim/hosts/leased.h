#pragma once

#include "client.h"

// Leases that a reservation of an answer has given: they say so themselves, and stand for the reservation until they end.

namespace runscript {

/// The client's.
isc::dhcp::Lease4Collection reserved_leases(const isc::dhcp::Pkt4Ptr& query);
isc::dhcp::Lease6Collection reserved_leases(const isc::dhcp::Pkt6Ptr& query);

/// A reservation of what these are, in one of the subnets; null if none is of them.
isc::dhcp::HostPtr host_of(const isc::dhcp::Lease4Collection& leases, const std::vector<isc::dhcp::SubnetID>& subnets,
                           const Identity& client);
isc::dhcp::HostPtr host_of(const isc::dhcp::Lease6Collection& leases, const std::vector<isc::dhcp::SubnetID>& subnets,
                           const Identity& client);

/// Which other client has such a lease of what is to be reserved, in words; empty if none has.
std::string other_holder(const isc::dhcp::Host& host, const isc::dhcp::Pkt4Ptr& query);
std::string other_holder(const isc::dhcp::Host& host, const isc::dhcp::Pkt6Ptr& query);

} // namespace runscript
