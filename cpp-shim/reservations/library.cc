// kea-hook-reservations: the commands for host reservations, for a Kea that comes without libdhcp_host_cmds.

#include "../versions.h"

#include "commands.h"
#include "log.h"

#include <hooks/hooks_manager.h>

#include <algorithm>
#include <exception>

namespace reservations {
namespace {

using isc::hooks::HooksManager;
using isc::hooks::LibraryHandle;

constexpr const char* WHY_NOT_HERE = "this Kea has ISC's own library for these commands: name libdhcp_host_cmds.so in "
                                     "\"hooks-libraries\" in the place of "
                                     "kea-hook-reservations.so";
constexpr const char* WHY_NOT_BESIDE = "another library has these commands: take kea-hook-reservations.so or "
                                       "libdhcp_host_cmds.so out of \"hooks-libraries\"";
constexpr const char* WHY_NOT_TWICE = "kea-hook-reservations.so is in \"hooks-libraries\" twice: take one out";

/// Kea 3.0 was the first to have it.
constexpr bool KEA_HAS_ITS_OWN = KEA_HOOKS_VERSION >= 30000;

long count(const char* library) {
    const auto names = HooksManager::getLibraryNames();
    return std::count_if(names.begin(), names.end(),
                         [&](const std::string& name) { return name.substr(name.rfind('/') + 1) == library; });
}

/// Null if it can be used. Two libraries would both carry out each command, and subscribers of ISC's have theirs for older
/// Keas, too.
const char* why_not() {
    if (KEA_HAS_ITS_OWN) {
        return WHY_NOT_HERE;
    }
    if (count("libdhcp_host_cmds.so") > 0) {
        return WHY_NOT_BESIDE;
    }
    return count("kea-hook-reservations.so") > 1 ? WHY_NOT_TWICE : nullptr;
}

int start(LibraryHandle& handle) {
    if (const char* reason = why_not()) {
        log_refused(reason);
        return 1;
    }
    for (const Command& command : COMMANDS) {
        handle.registerCommandCallout(command.name, command.callout);
    }
    log_loaded();
    return 0;
}

} // namespace
} // namespace reservations

#define EXPORT extern "C" [[gnu::visibility("default")]]

EXPORT int version() { return KEA_HOOKS_VERSION; }

EXPORT int multi_threading_compatible() { return 1; }

EXPORT int load(isc::hooks::LibraryHandle& handle) {
    try {
        return reservations::start(handle);
    } catch (const std::exception& error) {
        reservations::log_refused(error.what());
        return 1;
    }
}

EXPORT int unload() { return 0; }
