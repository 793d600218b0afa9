#pragma once

#include "versions.h"

#include <cc/data.h>
#include <dhcp/option.h>

#include <string>

namespace runscript {

/// An option in the words of Kea's `option-data`.
struct NamedOption {
    std::string space;
    uint16_t code;
    /// Null: it shall go.
    isc::dhcp::OptionPtr option;
};

/// The space of the sub-options of option 82, as Kea calls it.
constexpr const char* AGENT_OPTION_SPACE = "dhcp-agent-options-space";

/// Makes an option of such a map by Kea's own parser and definitions; throws what Kea does not take.
NamedOption read_option(uint16_t family, const isc::data::ElementPtr& map);

/// Throws if an option cannot be reserved: if it has no room for all of its values, of which Kea would take a part and say
/// nothing, or if Kea would put it into itself, and crash.
void expect_reservable(uint16_t family, const isc::data::ConstElementPtr& map);

} // namespace runscript
