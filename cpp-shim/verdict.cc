#include "verdict.h"

#include "changes.h"

namespace runscript {
namespace {

constexpr const char* KEPT = "runscript";

CalloutHandle::CalloutNextStep kea_step(Step step) {
    switch (step) {
    case Step::Drop:
        return CalloutHandle::NEXT_STEP_DROP;
    case Step::Skip:
        return CalloutHandle::NEXT_STEP_SKIP;
    case Step::Continue:
        break;
    }
    return CalloutHandle::NEXT_STEP_CONTINUE;
}

/// The library that has parked a packet will want to let it go on, so only a drop overrides that.
int rank(CalloutHandle::CalloutNextStep step) {
    switch (step) {
    case CalloutHandle::NEXT_STEP_DROP:
        return 3;
    case CalloutHandle::NEXT_STEP_PARK:
        return 2;
    case CalloutHandle::NEXT_STEP_SKIP:
        return 1;
    case CalloutHandle::NEXT_STEP_CONTINUE:
        break;
    }
    return 0;
}

/// Another library may have set the status before us: it is never made milder.
void apply(Step step, CalloutHandle& handle) {
    const CalloutHandle::CalloutNextStep ours = kea_step(step);
    if (rank(ours) > rank(handle.getStatus())) {
        handle.setStatus(ours);
    }
}

/// A parked packet's answer will be sent, too.
void expect_to_go_on(const CalloutHandle& handle, bool is_kept) {
    const auto status = handle.getStatus();
    expect(status == CalloutHandle::NEXT_STEP_CONTINUE || (is_kept && status == CalloutHandle::NEXT_STEP_PARK),
           "another hook library has told Kea not to go on here");
}

/// Reports what Kea does not take.
template <typename Body>
void attempt(const Change& change, size_t hook_point, Body body) {
    try {
        body();
    } catch (const std::exception& error) {
        refused(hook_point, change, rust::String::lossy(error.what()));
    } catch (...) {
        refused(hook_point, change, "unknown exception");
    }
}

/// What has been kept with the packet; null if nothing has.
KeptPtr kept(const CalloutHandle& handle) {
    KeptPtr kept;
    if (!Counted<Kept>::any()) {
        return kept;
    }
    try {
        handle.getContext(KEPT, kept);
    } catch (const isc::hooks::NoSuchCalloutContext&) {
        // Kea 2.2 has no other way to ask.
    }
    return kept;
}

} // namespace

KeptPtr keep(CalloutHandle& handle, const HookPoint& point) {
    const KeptPtr before = kept(handle);
    const auto fresh = std::make_shared<Kept>(Kept{point.index, {}, before && before->drop, {}});
    handle.setContext(KEPT, fresh);
    return fresh;
}

void apply(Verdict& verdict, CalloutHandle& handle, const HookPoint& point) {
    apply(verdict.step, handle);
    KeptPtr kept;
    for (Change& change : verdict.changes) {
        attempt(change, point.index, [&] {
            expect_to_go_on(handle, change.when_sent);
            if (!change.when_sent) {
                return make(change, handle, point);
            }
            kept = kept ? kept : keep(handle, point);
            kept->changes.push_back(std::move(change));
        });
    }
}

void apply_to_parked(Verdict& verdict, CalloutHandle& handle, const HookPoint& point, Kept& kept) {
    for (Change& change : verdict.changes) {
        attempt(change, point.index, [&] {
            if (!change.when_sent) {
                return make(change, handle, point);
            }
            kept.changes.push_back(std::move(change));
        });
    }
}

void apply_kept(CalloutHandle& handle, const HookPoint& point) {
    const KeptPtr all = kept(handle);
    if (!all || handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    if (all->drop) {
        return handle.setStatus(CalloutHandle::NEXT_STEP_DROP);
    }
    for (const Change& change : all->changes) {
        attempt(change, all->hook_point, [&] {
            expect_to_go_on(handle, false);
            make(change, handle, point);
        });
    }
}

} // namespace runscript
