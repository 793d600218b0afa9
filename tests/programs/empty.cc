// A hook library that does nothing, at the hook points that its parameter "hook-points" names: what Kea itself pays for
// calling any library there.

#include <config.h>
#include <cc/data.h>
#include <hooks/hooks.h>

using isc::hooks::CalloutHandle;
using isc::hooks::LibraryHandle;

namespace {

int nothing(CalloutHandle&) {
    return 0;
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }

int load(LibraryHandle& handle) {
    for (const auto& hook_point : handle.getParameter("hook-points")->listValue()) {
        handle.registerCallout(hook_point->stringValue(), nothing);
    }
    return 0;
}
}
