#pragma once

#include "client.h"

// Leases that a reservation of an answer has given: they say so themselves, and stand for the reservation until they end.

namespace runscript {

/// A reservation of what the client's leases in these subnets have from one; null if they have nothing.
isc::dhcp::HostPtr host_of_leases(const isc::dhcp::Pkt4Ptr& query, const std::vector<isc::dhcp::SubnetID>& subnets,
                                  const Identity& client);
isc::dhcp::HostPtr host_of_leases(const isc::dhcp::Pkt6Ptr& query, const std::vector<isc::dhcp::SubnetID>& subnets,
                                  const Identity& client);

/// Which other client has such a lease of what is to be reserved, in words; empty if none has.
std::string other_holder(const isc::dhcp::Host& host, const isc::dhcp::Pkt4Ptr& query);
std::string other_holder(const isc::dhcp::Host& host, const isc::dhcp::Pkt6Ptr& query);

} // namespace runscript
