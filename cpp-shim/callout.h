#pragma once

#include "facts.h"

#include <hooks/callout_handle.h>

/// Marks what Kea looks up by name; all else is hidden.
#define EXPORT extern "C" __attribute__((visibility("default")))

namespace runscript {

using isc::hooks::CalloutHandle;

/// The argument of that name at this hook point.
template <typename T>
T argument(const CalloutHandle& handle, const char* name) {
    T value{};
    handle.getArgument(name, value);
    return value;
}

/// Takes from a hook point's arguments what a script shall know.
using Collect = void (*)(const CalloutHandle& handle, FactsBuilder& facts);

/// All that a callout does: hands the facts to Rust and the verdict that comes back to Kea.
int callout(CalloutHandle& handle, const char* hook_point, Collect collect) noexcept;

} // namespace runscript
