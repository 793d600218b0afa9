#pragma once

#include "log.h"

#include <exception>

namespace runscript {

/// Runs `body` for Kea and returns its result. Whatever it throws ends here, as a line in the log and a 1: when an
/// exception leaves a library, Kea loses the packet.
template <typename Body>
int guarded(std::string_view where, Body body) noexcept {
    try {
        return body();
    } catch (const std::exception& error) {
        log_failure(where, error.what());
    } catch (...) {
        log_failure(where, "unknown exception");
    }
    return 1;
}

} // namespace runscript
