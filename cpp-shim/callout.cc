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

/// A parked packet's library counts on being asked for it again, so only a drop overrides that.
int severity(CalloutHandle::CalloutNextStep step) {
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
    if (severity(ours) > severity(handle.getStatus())) {
        handle.setStatus(ours);
    }
}

} // namespace

int forward(CalloutHandle& handle, const char* hook_point, Collect collect) noexcept {
    const Stopwatch stopwatch;
    return guarded(hook_point, [&] {
        if (handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
            return 0;
        }
        FactsBuilder& facts = FactsBuilder::fresh();
        // A script that refuses strangers must not be evaded by a packet that we fail to read: it gets what
        // there is.
        const int collected = guarded(hook_point, [&] {
            collect(handle, facts);
            return 0;
        });
        apply(event(hook_point, facts.facts()), handle);
        return collected;
    });
}

} // namespace runscript
