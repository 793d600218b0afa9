#include "verdict.h"

#include "changes.h"

#include <cstring>

namespace runscript {
namespace {

constexpr const char* KEPT = "runscript";

bool is_where_answer_is_sent(const char* hook_point) {
    return std::strcmp(hook_point, "pkt4_send") == 0 || std::strcmp(hook_point, "pkt6_send") == 0;
}

bool is_of_answer(Key key) {
    switch (key) {
    case Key::OptionData:
    case Key::NextServer:
    case Key::ServerHostname:
    case Key::BootFileName:
        return true;
    default:
        return false;
    }
}

bool comes_too_early(const Change& change, const char* hook_point) {
    return is_of_answer(change.key) && !is_where_answer_is_sent(hook_point);
}

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

/// The library that has parked a packet will want to let it go on, so only a drop overrides that.
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

/// A parked packet's answer will be sent, too.
void expect_to_go_on(const CalloutHandle& handle, bool is_kept) {
    const auto status = handle.getStatus();
    expect(status == CalloutHandle::NEXT_STEP_CONTINUE || (is_kept && status == CalloutHandle::NEXT_STEP_PARK),
           "another hook library has told Kea not to go on here");
}

/// Reports what Kea does not take.
template <typename Body>
void attempt(const Change& change, const char* hook_point, Body body) {
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
    if (!Counted::any()) {
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

KeptPtr keep(CalloutHandle& handle, const char* hook_point) {
    const KeptPtr before = kept(handle);
    const auto fresh = std::make_shared<Kept>(Kept{hook_point, {}, before && before->drop, {}});
    handle.setContext(KEPT, fresh);
    return fresh;
}

void apply(Verdict& verdict, CalloutHandle& handle, const char* hook_point) {
    apply(verdict.step, handle);
    KeptPtr kept;
    for (Change& change : verdict.changes) {
        attempt(change, hook_point, [&] {
            const bool is_kept = comes_too_early(change, hook_point);
            expect_to_go_on(handle, is_kept);
            if (!is_kept) {
                return make(change, handle, hook_point);
            }
            kept = kept ? kept : keep(handle, hook_point);
            kept->changes.push_back(std::move(change));
        });
    }
}

void apply_to_parked(Verdict& verdict, CalloutHandle& handle, const char* hook_point, Kept& kept) {
    for (Change& change : verdict.changes) {
        attempt(change, hook_point, [&] {
            if (!comes_too_early(change, hook_point)) {
                return make(change, handle, hook_point);
            }
            kept.changes.push_back(std::move(change));
        });
    }
}

void apply_kept(CalloutHandle& handle, const char* hook_point) {
    if (!is_where_answer_is_sent(hook_point) || handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    const KeptPtr all = kept(handle);
    if (!all) {
        return;
    }
    if (all->drop) {
        return handle.setStatus(CalloutHandle::NEXT_STEP_DROP);
    }
    for (const Change& change : all->changes) {
        attempt(change, all->hook_point, [&] {
            expect_to_go_on(handle, false);
            make(change, handle, hook_point);
        });
    }
}

} // namespace runscript
