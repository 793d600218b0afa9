#pragma once

#include "kea-hook-runscript/src/bridge.rs.h"

#include <string_view>

namespace runscript {

/// Writes a message of messages.rs to Kea's log, logger `runscript`. Callable from any thread.
void log(const Message& message) noexcept;

/// Whether Kea's log shows messages for debugging. Callable from any thread.
bool shows_debug() noexcept;

/// Logs a failure of the shim itself: where, and what it was. One line a minute, with the number of the others.
void log_failure(std::string_view where, std::string_view what) noexcept;

} // namespace runscript
