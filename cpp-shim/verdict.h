#pragma once

#include "callout.h"

#include <memory>
#include <vector>

namespace runscript {

/// What scripts have wanted of Kea's answer before it is sent. It stays with the packet until then: no earlier hook
/// point has the answer, in versions before 3.0.
struct Kept {
    /// Where they have wanted it.
    const char* hook_point;
    std::vector<Change> changes;
    /// No answer shall be sent.
    bool drop;
};

using KeptPtr = std::shared_ptr<Kept>;

/// A place for that with the packet whose callout this is.
KeptPtr keep(CalloutHandle& handle, const char* hook_point);

/// Does to Kea's status, arguments and objects what the scripts want. What Kea does not take is told to Rust, which
/// logs and counts it; the rest is done all the same.
void apply(Verdict& verdict, CalloutHandle& handle, const char* hook_point);

/// The same for a packet that has been parked, where Kea looks at the status no more.
void apply_to_parked(Verdict& verdict, CalloutHandle& handle, const char* hook_point, Kept& kept);

/// Where the answer is sent: does what has been kept for that.
void apply_kept(CalloutHandle& handle, const char* hook_point);

} // namespace runscript
