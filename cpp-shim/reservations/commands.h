#pragma once

#include <hooks/hooks.h>

namespace reservations {

/// A command, and what carries it out and answers it.
struct Command {
    const char* name;
    isc::hooks::CalloutPtr callout;
};

extern const Command COMMANDS[9];

} // namespace reservations
