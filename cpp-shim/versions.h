#pragma once

// The one place that knows how Kea's versions differ. Include it before any header of Kea's: they need config.h first.

#include <config.h>
#include <dhcpsrv/subnet.h>
#include <hooks/hooks.h>
#include <util/buffer.h>

#include <cstdint>
#include <string>

namespace runscript {

static_assert(KEA_HOOKS_VERSION == 20200, "this shim knows Kea 2.2.0 only: check every line of versions.h for another");

/// As in `2.2.0`: Kea gives no such number to its hooks, only the patch release in digits.
inline std::string kea_version() {
    return std::to_string(KEA_HOOKS_VERSION / 10000) + "." + std::to_string(KEA_HOOKS_VERSION / 100 % 100) + "." +
           std::to_string(KEA_HOOKS_VERSION % 100);
}

// What the arguments `subnet4` and `subnet6` hold. From 2.7 on the subnet itself is const.
using Subnet4Argument = isc::dhcp::Subnet4Ptr;
using Subnet6Argument = isc::dhcp::Subnet6Ptr;

/// `OutputBuffer::getData` returns `const void*`, from 2.6 on `const uint8_t*`.
inline const uint8_t* data_of(const isc::util::OutputBuffer& buffer) {
    return static_cast<const uint8_t*>(buffer.getData());
}

} // namespace runscript
