#pragma once

#include <dhcpsrv/network_state.h>
#include <dhcpsrv/srv_config.h>

#include <chrono>

namespace runscript {

/// Reads a page of leases for a replay, if there is one, and tells Rust of them. When to come again: the same page is read
/// once more where the lease database has failed.
std::chrono::nanoseconds read_leases() noexcept;

/// What tells whether Kea serves; null to forget it.
void watch_service(const isc::dhcp::NetworkStatePtr& state) noexcept;

/// Another lease database has other leases.
void watch_lease_database(const isc::dhcp::SrvConfig& config);

} // namespace runscript
