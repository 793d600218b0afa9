// What is done on Kea's main thread between packets: its first turn, which `load` must not wait for (`kea-dhcp4 -T` loads us
// for real, maybe beside a running server, and never gets so far), and the pages of replays.

#include "main_loop.h"

#include "guard.h"
#include "lease_pages.h"
#include "loop_timer.h"

namespace runscript {
namespace {

constexpr std::chrono::nanoseconds NOW{1};

LoopTimer timer;
bool has_turned = false;
bool has_replays = false;

void turn(int) {
    timer.turned();
    has_turned = true;
    turning();
    if (has_replays) {
        timer.turn_in(read_leases());
    }
}

} // namespace

void watch_main_loop(bool replays) {
    has_replays = replays;
    if (has_turned && !replays) {
        return;
    }
    timer.open(turn);
    timer.turn_in(NOW);
}

void leave_main_loop() { timer.close(); }

void look_for_replay() noexcept {
    if (timer.is_open()) {
        timer.turn_in(NOW);
    }
}

} // namespace runscript
