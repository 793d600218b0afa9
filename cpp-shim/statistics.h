#pragma once

#include <hooks/library_handle.h>

namespace runscript {

/// Makes Kea answer `runscript-status` and `runscript-retry`, and the commands that read statistics with ours up to date.
void register_commands(isc::hooks::LibraryHandle& handle);

/// Shows the statistics `runscript.*`.
void publish_statistics();

/// Removes them.
void withdraw_statistics();

} // namespace runscript
