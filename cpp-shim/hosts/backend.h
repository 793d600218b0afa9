#pragma once

#include "versions.h"

#include <dhcpsrv/srv_config.h>

namespace runscript {

/// Kea's view of what answers have reserved: a place of host reservations beside the configuration and databases.

/// Makes it known to Kea's factory, in `load`; `limit` of them at most, 0 for none at all.
void register_host_backend(size_t limit);
/// Has Kea look there, in `*_srv_configured`: after the configuration and the databases, which win.
void attach_host_backend(const isc::dhcp::SrvConfig& config);
/// In `unload`.
void withdraw_host_backend();

/// Whether Kea looks there after all others. A database that Kea has lost and found again stands behind.
bool is_host_backend_last();

/// Why nothing can be reserved; empty if it can.
const char* why_no_reservation() noexcept;

/// Nothing of ours is shown to this thread while one of these lives.
class WithoutHostBackend {
  public:
    WithoutHostBackend() noexcept;
    ~WithoutHostBackend();
    WithoutHostBackend(const WithoutHostBackend&) = delete;
    WithoutHostBackend& operator=(const WithoutHostBackend&) = delete;
};

} // namespace runscript
