#include "callout.h"

#include "guard.h"
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
    apply(event(hook_point, facts.facts()), handle, hook_point);
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
