// A hook library that has Kea skip releases and drop declines.

#include <config.h>
#include <hooks/hooks.h>

using isc::hooks::CalloutHandle;

namespace {

int say(CalloutHandle& handle, CalloutHandle::CalloutNextStep status) {
    handle.setStatus(status);
    return 0;
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }

int lease4_release(CalloutHandle& handle) { return say(handle, CalloutHandle::NEXT_STEP_SKIP); }
int lease6_release(CalloutHandle& handle) { return say(handle, CalloutHandle::NEXT_STEP_SKIP); }
int lease4_decline(CalloutHandle& handle) { return say(handle, CalloutHandle::NEXT_STEP_DROP); }
int lease6_decline(CalloutHandle& handle) { return say(handle, CalloutHandle::NEXT_STEP_DROP); }
}
