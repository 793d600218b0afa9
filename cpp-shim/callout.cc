#include "callout.h"

#include "guard.h"
#include "parking.h"
#include "verdict.h"

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

void tell(CalloutHandle& handle, const char* hook_point, Collect collect, const Interest& wanted) {
    const bool is_parked = handle.getStatus() == CalloutHandle::NEXT_STEP_PARK;
    const bool wants_hold = wanted.parks || (wanted.waits && is_parked);
    // First, lest a library that has parked the packet before us lets it go on while we wait.
    std::optional<Hold> hold = wants_hold ? Hold::take(handle, hook_point) : std::nullopt;
    const bool goes_on_already = !hold && is_parked;
    FactsBuilder& facts = FactsBuilder::fresh();
    // A script that refuses strangers must not be evaded by a packet that we fail to read: it gets what there is.
    guarded(hook_point, [&] {
        collect(handle, facts);
        return 0;
    });
    Verdict verdict = event(hook_point, facts.facts(), hold.has_value());
    if (verdict.ticket != 0) {
        return park(std::move(*hold), verdict.ticket, handle, hook_point);
    }
    if (!wants_hold && wanted.waits && verdict.step == Step::Drop) {
        // Lest a library after us parks the packet and lets it go on.
        if (std::optional<Hold> late = Hold::take(handle, hook_point)) {
            late->drop();
        }
    }
    apply(verdict, handle, hook_point);
    if (handle.getStatus() != CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    if (hold) {
        hold->drop();
    } else if (goes_on_already) {
        // Its thread has been quicker than ours, and Kea asks for no status any more before the answer is sent.
        keep(handle, hook_point)->drop = true;
    }
}

void forward(CalloutHandle& handle, const char* hook_point, Collect collect) {
    apply_kept(handle, hook_point);
    if (handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    const Interest wanted = interest(hook_point);
    if (wanted.events) {
        tell(handle, hook_point, collect, wanted);
    }
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
