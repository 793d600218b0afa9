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
constexpr const char* WHY_NOT_TWICE = "another library has these commands: take kea-hook-reservations.so or "
                                      "libdhcp_host_cmds.so out of \"hooks-libraries\"";

/// Kea 3.0 was the first to have it.
constexpr bool KEA_HAS_ITS_OWN = KEA_HOOKS_VERSION >= 30000;

/// Subscribers of ISC's have it for older Keas. Both would carry out each command.
bool is_beside_iscs() {
    const auto names = HooksManager::getLibraryNames();
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
        return name.substr(name.rfind('/') + 1) == "libdhcp_host_cmds.so";
    });
}

int start(LibraryHandle& handle) {
    if (KEA_HAS_ITS_OWN || is_beside_iscs()) {
        log_refused(KEA_HAS_ITS_OWN ? WHY_NOT_HERE : WHY_NOT_TWICE);
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
