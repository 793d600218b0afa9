#pragma once

#include "kea-hook-runscript/src/bridge.rs.h"

#include <cstddef>
#include <string_view>

namespace runscript {

/// Takes what `load` says of the hook points. Kea has nobody in a callout then.
void set_hook_points(rust::Vec<HookPoint> all) noexcept;

/// Of this index. Valid until the next `load`.
const HookPoint& hook_point(size_t index) noexcept;

/// What stands for the hook point of this name, which is one of Rust's.
size_t index_of(std::string_view name) noexcept;

/// Its name, for a message.
inline std::string_view name_of(const HookPoint& point) noexcept { return {point.name.data(), point.name.size()}; }

} // namespace runscript
