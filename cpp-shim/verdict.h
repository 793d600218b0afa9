#pragma once

#include "callout.h"

namespace runscript {

/// Does to Kea's status, arguments and objects what the scripts want. What Kea does not take is told to Rust, which
/// logs and counts it; the rest is done all the same.
void apply(const Verdict& verdict, CalloutHandle& handle, const char* hook_point);

} // namespace runscript
