// The first turn of Kea's main loop: what `load` must not do for `kea-dhcp4 -T`, which loads us for real, maybe beside a
// running server, and never gets so far.

#include "main_loop.h"

#include "callout.h"
#include "guard.h"

#include <dhcp/iface_mgr.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace runscript {
namespace {

using isc::dhcp::IfaceMgr;

/// Readable at once; Kea's main loop looks at such sockets before it takes a packet. -1 while nobody waits for it.
int descriptor = -1;
bool has_turned = false;

void turn(int) {
    eventfd_t count;
    eventfd_read(descriptor, &count);
    has_turned = true;
    turning();
}

} // namespace

void watch_main_loop() {
    if (has_turned) {
        return;
    }
    descriptor = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) {
        throw std::system_error(errno, std::generic_category(), "eventfd2");
    }
    IfaceMgr::instance().addExternalSocket(descriptor, turn);
}

void leave_main_loop() {
    if (descriptor >= 0) {
        IfaceMgr::instance().deleteExternalSocket(descriptor);
        close(descriptor);
        descriptor = -1;
    }
}

} // namespace runscript
