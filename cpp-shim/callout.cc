#include "callout.h"

#include "guard.h"
#include "hosts/reserve.h"
#include "lease_events.h"
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

void tell(const HookPoint& point, CalloutHandle& handle, Collect collect) {
    const bool is_parked = point.can_park && handle.getStatus() == CalloutHandle::NEXT_STEP_PARK;
    // First, lest a library that has parked the packet before us lets it go on while we are at it.
    std::optional<Hold> hold = point.parks || is_parked ? Hold::take(handle, point) : std::nullopt;
    const bool goes_on_already = !hold && is_parked;
    FactsBuilder& facts = FactsBuilder::fresh();
    // A script that refuses strangers must not be evaded by a packet that we fail to read: it gets what there is.
    guarded(name_of(point), [&] {
        facts.skipped(handle.getStatus() == CalloutHandle::NEXT_STEP_SKIP);
        collect(handle, facts);
        return 0;
    });
    const uint64_t ticket = point.parks && hold ? store(*hold, handle, point) : 0;
    Verdict verdict = event(point.index, facts.facts(), ticket);
    if (verdict.ticket != 0) {
        return park(ticket, handle, point);
    }
    if (ticket != 0) {
        hold.emplace(take_back(ticket));
    }
    if (!hold && !is_parked && point.can_park && verdict.step == Step::Drop) {
        // Lest a library after us parks the packet and lets it go on.
        if (std::optional<Hold> late = Hold::take(handle, point)) {
            late->drop();
        }
    }
    apply(verdict, handle, point);
    if (handle.getStatus() != CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    if (hold) {
        hold->drop();
    } else if (goes_on_already) {
        // Its thread has been quicker than ours, and Kea asks for no status any more before the answer is sent.
        keep(handle, point)->drop = true;
    }
}

void forward(const HookPoint& point, CalloutHandle& handle, Collect collect) {
    if (point.sends) {
        apply_kept(handle, point);
    }
    if (point.has_events && handle.getStatus() != CalloutHandle::NEXT_STEP_DROP) {
        tell(point, handle, collect);
    }
    if (point.reserves) {
        follow_lease(handle, point);
    } else if (point.marks_leases) {
        mark_lease(handle, point);
    }
}

} // namespace

int call(size_t index, CalloutHandle& handle, Collect collect, TellOfLeases tell_of_leases) noexcept {
    const Stopwatch stopwatch;
    const HookPoint& point = hook_point(index);
    guarded(name_of(point), [&] {
        forward(point, handle, collect);
        return 0;
    });
    const auto tell = [&] {
        tell_of_leases(handle);
        return 0;
    };
    if (tell_of_leases && wants_lease_events() && guarded(name_of(point), tell) != 0) {
        // The lease database has failed. What has not been told of now is told of by a replay.
        replay_all();
    }
    // Kea would only log the failure once more.
    return 0;
}

} // namespace runscript
