#pragma once

#include "facts.h"
#include "hook_points.h"

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

/// What is done besides where scripts want lease events.
using TellOfLeases = void (*)(CalloutHandle& handle);

/// All that a callout does: hands the facts to Rust and the verdict that comes back to Kea.
int call(size_t hook_point, CalloutHandle& handle, Collect collect, TellOfLeases tell_of_leases) noexcept;

/// The same for the function that bears the hook point's name. Each hands over a function of a type of its own, so each
/// looks its index up once.
template <typename Function>
int callout(CalloutHandle& handle, const char* name, Function collect, TellOfLeases tell_of_leases = nullptr) noexcept {
    static const size_t hook_point = index_of(name);
    return call(hook_point, handle, collect, tell_of_leases);
}

} // namespace runscript
