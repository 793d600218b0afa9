#pragma once

#include "callout.h"

#include <atomic>
#include <memory>
#include <vector>

namespace runscript {

/// Knows whether there is one of its kind. Most packets have nothing kept, and to ask Kea for what is not there costs
/// more than all else that we do at a hook point: it throws.
template <typename Kind>
class Counted {
  public:
    Counted() { ++count_; }
    Counted(const Counted&) : Counted() {}
    Counted& operator=(const Counted&) = default;
    ~Counted() { --count_; }
    static bool any() { return count_ > 0; }

  private:
    inline static std::atomic<size_t> count_{0};
};

/// What scripts have wanted of Kea's answer before it is sent. It stays with the packet until then: no earlier hook
/// point has the answer, in versions before 3.0.
struct Kept {
    /// The index of the hook point where they have wanted it: a load may come between.
    size_t hook_point;
    std::vector<Change> changes;
    /// No answer shall be sent.
    bool drop;
    Counted<Kept> counted{};
};

using KeptPtr = std::shared_ptr<Kept>;

/// A place for that with the packet whose callout this is.
KeptPtr keep(CalloutHandle& handle, const HookPoint& point);

/// Does to Kea's status, arguments and objects what the scripts want. What Kea does not take is told to Rust, which
/// logs and counts it; the rest is done all the same.
void apply(Verdict& verdict, CalloutHandle& handle, const HookPoint& point);

/// The same for a packet that has been parked, where Kea looks at the status no more.
void apply_to_parked(Verdict& verdict, CalloutHandle& handle, const HookPoint& point, Kept& kept);

/// Where the answer is sent: does what has been kept for that.
void apply_kept(CalloutHandle& handle, const HookPoint& point);

} // namespace runscript
