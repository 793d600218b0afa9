// A hook library that stands still where a lease has been written and nobody has been told.

#include <config.h>
#include <hooks/hooks.h>

#include <unistd.h>

namespace {

int stand_still() {
    for (;;) {
        pause();
    }
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }
int leases4_committed(isc::hooks::CalloutHandle&) { return stand_still(); }
int leases6_committed(isc::hooks::CalloutHandle&) { return stand_still(); }
}
