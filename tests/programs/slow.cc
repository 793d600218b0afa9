// A hook library that takes its time with a packet.

#include <config.h>
#include <hooks/hooks.h>

#include <unistd.h>

using isc::hooks::CalloutHandle;

namespace {

int rest() {
    usleep(300000);
    return 0;
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }
int subnet4_select(CalloutHandle&) { return rest(); }
int leases4_committed(CalloutHandle&) { return rest(); }
}
