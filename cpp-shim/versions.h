#pragma once

// The one place that knows how Kea's versions differ. Include it before any header of Kea's: they need config.h first.

#include <config.h>
#include <dhcp/option_definition.h>
#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/lease.h>
#include <dhcpsrv/subnet.h>
#include <hooks/hooks.h>
#include <hooks/hooks_parser.h>
#include <util/buffer.h>

#if __has_include(<util/filesystem.h>)
#include <util/filesystem.h>
#endif

#include <cstdint>
#include <string>
#include <type_traits>

// Older Keas lack these; a template that names them is instantiated where the headers define them.
namespace isc {
namespace hooks {
class HookLibraryScriptsChecker;
} // namespace hooks
namespace util {
namespace file {
class PathChecker;
} // namespace file
} // namespace util
} // namespace isc

namespace runscript {

static_assert(KEA_HOOKS_VERSION >= 20200, "Kea 2.2.0 is the oldest that this library knows");

/// As in `2.2.0`: Kea gives no such number to its hooks, only the patch release in digits.
inline std::string kea_version() {
    return std::to_string(KEA_HOOKS_VERSION / 10000) + "." + std::to_string(KEA_HOOKS_VERSION / 100 % 100) + "." +
           std::to_string(KEA_HOOKS_VERSION % 100);
}

// Arguments that hook points were given over the years.
constexpr bool LEASE4_SELECT_HAS_OFFER_LFT = KEA_HOOKS_VERSION >= 20306;
constexpr bool SEND_HAS_SUBNET = KEA_HOOKS_VERSION >= 20506;
constexpr bool COMMITTED_HAS_RESPONSE = KEA_HOOKS_VERSION >= 20707;

// What the arguments `subnet4` and `subnet6` hold. `getArgument` wants exactly that type.
constexpr bool SUBNETS_ARE_CONST = KEA_HOOKS_VERSION >= 20705;
using Subnet4Argument = std::conditional_t<SUBNETS_ARE_CONST, isc::dhcp::ConstSubnet4Ptr, isc::dhcp::Subnet4Ptr>;
using Subnet6Argument = std::conditional_t<SUBNETS_ARE_CONST, isc::dhcp::ConstSubnet6Ptr, isc::dhcp::Subnet6Ptr>;

/// `OutputBuffer::getData` returns `const void*`, from 2.6 on `const uint8_t*`.
inline const uint8_t* data_of(const isc::util::OutputBuffer& buffer) {
    return static_cast<const uint8_t*>(buffer.getData());
}

/// The id of the lease's pool, where pools have one.
template <typename Lease>
uint32_t pool_id([[maybe_unused]] const Lease& lease, [[maybe_unused]] uint32_t unknown) {
    if constexpr (KEA_HOOKS_VERSION >= 20308) {
        return lease.pool_id_;
    } else {
        return unknown;
    }
}

/// Whether Kea reads all values of the option's data as one text, in a notation of the option's own.
template <typename Type = isc::dhcp::OptionDataType>
bool has_own_notation([[maybe_unused]] const isc::dhcp::OptionDefinition& definition) {
    if constexpr (KEA_HOOKS_VERSION >= 20506) {
        return definition.getType() == Type::OPT_INTERNAL_TYPE;
    } else {
        return false;
    }
}

/// Where Kea keeps its own data. Before 2.6 that is an `Optional`.
inline std::string data_directory() { return static_cast<std::string>(isc::dhcp::CfgMgr::instance().getDataDir()); }

/// The directory for scripts of hook libraries; empty for a Kea that has none.
template <typename Checker = isc::hooks::HookLibraryScriptsChecker>
std::string scripts_directory() {
    if constexpr (KEA_HOOKS_VERSION >= 30000) {
        return Checker::getHookScriptsPath();
    } else {
        return "";
    }
}

/// Whether they may be nowhere else, which `-X` lifts.
template <typename Paths = isc::util::file::PathChecker>
bool scripts_directory_is_enforced() {
    if constexpr (KEA_HOOKS_VERSION >= 30000) {
        return Paths::shouldEnforceSecurity();
    } else {
        return false;
    }
}

} // namespace runscript
