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

void tell(CalloutHandle& handle, const char* hook_point, Collect collect, bool wants_hold) {
    // First, lest a library that has parked the packet before us lets it go on while we wait.
    std::optional<Hold> hold = wants_hold ? Hold::take(handle, hook_point) : std::nullopt;
    const bool goes_on_already = !hold && handle.getStatus() == CalloutHandle::NEXT_STEP_PARK;
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
        tell(handle, hook_point, collect, wanted.hold);
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
