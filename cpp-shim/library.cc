// What Kea calls when it opens and closes the library.

#include "callout.h"
#include "guard.h"
#include "hosts/backend.h"
#include "lease_commands.h"
#include "lease_events.h"
#include "lease_pages.h"
#include "main_loop.h"
#include "parking.h"
#include "statistics.h"

#include <cc/command_interpreter.h>
#include <config/command_mgr.h>
#include <hooks/library_handle.h>
#include <hooks/server_hooks.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::config::CommandMgr;
using isc::hooks::LibraryHandle;
using isc::hooks::ServerHooks;
using Names = std::vector<std::string>;

bool contains(const Names& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Each server knows the other's hook points too, but for this one. Empty for a server that Rust has to refuse.
std::string server_name(const Names& known_hook_points) {
    if (contains(known_hook_points, "dhcp4_srv_configured")) {
        return "kea-dhcp4";
    }
    if (contains(known_hook_points, "dhcp6_srv_configured")) {
        return "kea-dhcp6";
    }
    return "";
}

Server server(LibraryHandle& handle, const Names& known_hook_points) {
    const auto parameters = handle.getParameters();
    Server server;
    server.name = server_name(known_hook_points);
    server.version = kea_version();
    server.label = isc::dhcp::Pkt6::makeLabel(isc::dhcp::DuidPtr(), 0, isc::dhcp::HWAddrPtr());
    for (const std::string& name : known_hook_points) {
        server.hook_points.push_back(name);
    }
    server.scripts_directory = scripts_directory();
    server.scripts_only_there = scripts_directory_is_enforced();
    server.data_directory = data_directory();
    server.parameters = parameters ? parameters->str() : "";
    server.log = reinterpret_cast<size_t>(&log);
    server.shows_debug = reinterpret_cast<size_t>(&shows_debug);
    server.resume = reinterpret_cast<size_t>(&resume);
    return server;
}

/// Kea has registered every function of ours that bears the name of a hook point. Those that nobody wants go, and Kea
/// does not even make ready the arguments there.
void keep_wanted(const rust::Vec<HookPoint>& ours, const Names& known_hook_points, LibraryHandle& handle) {
    for (const HookPoint& point : ours) {
        const std::string name(point.name);
        if (!point.is_wanted && contains(known_hook_points, name)) {
            handle.deregisterAllCallouts(name);
        }
    }
}

/// At `*_srv_configured`, when all libraries are there.
int server_configured(CalloutHandle& handle) {
    return guarded("configured", [&] {
        const auto config = argument<isc::dhcp::SrvConfigPtr>(handle, "server_config");
        attach_host_backend(*config);
        if (wants_lease_events()) {
            watch_lease_commands();
            watch_service(argument<isc::dhcp::NetworkStatePtr>(handle, "network_state"));
            watch_lease_database(*config);
        }
        configured();
        return 0;
    });
}

void watch_configuration(const Names& known_hook_points, LibraryHandle& handle) {
    for (const char* name : {"dhcp4_srv_configured", "dhcp6_srv_configured"}) {
        if (contains(known_hook_points, name)) {
            handle.registerCallout(name, server_configured);
        }
    }
}

int start(LibraryHandle& handle) {
    const Names known_hook_points = ServerHooks::getServerHooks().getHookNames();
    Loaded loaded = load(server(handle, known_hook_points));
    if (!loaded.ok) {
        return 1;
    }
    FactsBuilder::set_debug(loaded.debug);
    set_lease_events(loaded.lease_events, loaded.other_leases);
    register_host_backend(loaded.reservation_limit);
    if (loaded.configuration) {
        watch_configuration(known_hook_points, handle);
    }
    if (loaded.parks) {
        open_parking();
    }
    watch_main_loop(loaded.lease_events);
    keep_wanted(loaded.hook_points, known_hook_points, handle);
    set_hook_points(std::move(loaded.hook_points));
    register_commands(handle);
    publish_statistics();
    return 0;
}

/// Whether Kea unloads us because it ends: only then has it forgotten its own commands.
bool is_ending() {
    constexpr const char* ONE_OF_KEAS = "build-report";
    CommandMgr& commands = CommandMgr::instance();
    try {
        commands.registerCommand(ONE_OF_KEAS,
                                 [](const std::string&, const auto&) { return isc::config::createAnswer(); });
    } catch (const isc::config::InvalidCommandName&) {
        return false;
    }
    commands.deregisterCommand(ONE_OF_KEAS);
    return true;
}

/// Rust first: afterwards no verdict comes.
int stop() {
    unload(is_ending());
    set_lease_events(false, false);
    watch_service({});
    withdraw_host_backend();
    close_parking();
    leave_main_loop();
    withdraw_statistics();
    return 0;
}

} // namespace
} // namespace runscript

EXPORT int version() { return KEA_HOOKS_VERSION; }

EXPORT int multi_threading_compatible() { return 1; }

EXPORT int load(isc::hooks::LibraryHandle& handle) {
    return runscript::guarded(__func__, [&] { return runscript::start(handle); });
}

/// Kea calls it after a refused load, too.
EXPORT int unload() {
    return runscript::guarded(__func__, [] { return runscript::stop(); });
}
