#include "hook_points.h"

#include <algorithm>
#include <utility>

namespace runscript {
namespace {

// Never destroyed, as in log.cc.
rust::Vec<HookPoint>& hook_points = *new rust::Vec<HookPoint>;

} // namespace

void set_hook_points(rust::Vec<HookPoint> all) noexcept { hook_points = std::move(all); }

const HookPoint& hook_point(size_t index) noexcept { return hook_points[index]; }

size_t index_of(std::string_view name) noexcept {
    const auto found = std::find_if(hook_points.begin(), hook_points.end(),
                                    [&](const HookPoint& point) { return name_of(point) == name; });
    return found - hook_points.begin();
}

} // namespace runscript
