// A hook library that has Kea skip what it is about to do with a lease.

#include <config.h>
#include <hooks/hooks.h>

using isc::hooks::CalloutHandle;

namespace {

int skip(CalloutHandle& handle) {
    handle.setStatus(CalloutHandle::NEXT_STEP_SKIP);
    return 0;
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }

int lease4_release(CalloutHandle& handle) { return skip(handle); }
int lease6_release(CalloutHandle& handle) { return skip(handle); }
}
