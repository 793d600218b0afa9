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

/// Throws what Kea would take only part of: of an option that has no room for all of its values. Also an option that Kea
/// would put into itself, of which it would end.
void expect_whole(uint16_t family, const isc::data::ConstElementPtr& map);

} // namespace runscript
