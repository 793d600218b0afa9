#pragma once

namespace runscript {

/// Has lease events told of what commands do to leases: once all libraries are loaded. It ends when Kea loads them anew.
void watch_lease_commands();

} // namespace runscript
