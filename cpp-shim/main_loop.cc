// What is done on Kea's main thread between packets: its first turn, which `load` must not wait for (`kea-dhcp4 -T` loads us
// for real, maybe beside a running server, and never gets so far), and the pages of replays.

#include "main_loop.h"

#include "guard.h"
#include "lease_pages.h"

#include <dhcp/iface_mgr.h>

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

namespace runscript {
namespace {

using isc::dhcp::IfaceMgr;
using std::chrono::nanoseconds;

constexpr nanoseconds NOW{1};

/// Kea's main loop looks at it before it takes a packet. -1 while there is none.
int timer = -1;
bool has_turned = false;
bool has_replays = false;

void turn_in(nanoseconds time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    itimerspec spec{};
    spec.it_value = {seconds.count(), (time - seconds).count()};
    timerfd_settime(timer, 0, &spec, nullptr);
}

void turn(int) {
    uint64_t expirations;
    [[maybe_unused]] const ssize_t got = read(timer, &expirations, sizeof(expirations));
    has_turned = true;
    turning();
    if (has_replays) {
        nanoseconds next = std::chrono::seconds(1);
        guarded("replay", [&] {
            next = read_leases();
            return 0;
        });
        turn_in(next);
    }
}

} // namespace

void watch_main_loop(bool replays) {
    has_replays = replays;
    if (has_turned && !replays) {
        return;
    }
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) {
        throw std::system_error(errno, std::generic_category(), "timerfd_create");
    }
    IfaceMgr::instance().addExternalSocket(timer, turn);
    turn_in(NOW);
}

void leave_main_loop() {
    if (timer >= 0) {
        IfaceMgr::instance().deleteExternalSocket(timer);
        close(timer);
        timer = -1;
    }
}

void look_for_replay() noexcept {
    if (timer >= 0) {
        turn_in(NOW);
    }
}

} // namespace runscript
