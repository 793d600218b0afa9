#include "callout.h"

#include "guard.h"

#include <chrono>

namespace runscript {
namespace {

/// Reports how long Kea's thread was in our hands.
class Stopwatch {
  public:
    ~Stopwatch() {
        const auto passed = std::chrono::steady_clock::now() - start_;
        callout_took(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    }

  private:
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

CalloutHandle::CalloutNextStep kea_step(Step step) {
    switch (step) {
    case Step::Drop:
        return CalloutHandle::NEXT_STEP_DROP;
    case Step::Skip:
        return CalloutHandle::NEXT_STEP_SKIP;
    default:
        return CalloutHandle::NEXT_STEP_CONTINUE;
    }
}

/// The library that has parked a packet will want to let it go on, so only a drop overrides that. With threads it may
/// have let it go on already while we were asked: whoever wants to drop has to come before it (docs/operation.md).
int rank(CalloutHandle::CalloutNextStep step) {
    switch (step) {
    case CalloutHandle::NEXT_STEP_DROP:
        return 3;
    case CalloutHandle::NEXT_STEP_PARK:
        return 2;
    case CalloutHandle::NEXT_STEP_SKIP:
        return 1;
    default:
        return 0;
    }
}

/// Another library may have set the status before us: it is never made milder.
void apply(Step step, CalloutHandle& handle) {
    const CalloutHandle::CalloutNextStep ours = kea_step(step);
    if (rank(ours) > rank(handle.getStatus())) {
        handle.setStatus(ours);
    }
}

void forward(CalloutHandle& handle, const char* hook_point, Collect collect) {
    if (handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    FactsBuilder& facts = FactsBuilder::fresh();
    // A script that refuses strangers must not be evaded by a packet that we fail to read: it gets what there is.
    guarded(hook_point, [&] {
        collect(handle, facts);
        return 0;
    });
    apply(event(hook_point, facts.facts()), handle);
}

} // namespace

int callout(CalloutHandle& handle, const char* hook_point, Collect collect) noexcept {
    const Stopwatch stopwatch;
    guarded(hook_point, [&] {
        forward(handle, hook_point, collect);
        return 0;
    });
    // Kea would only log the failure once more.
    return 0;
}

} // namespace runscript
