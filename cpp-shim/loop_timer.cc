#include "loop_timer.h"

#include <dhcp/iface_mgr.h>

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace runscript {

using isc::dhcp::IfaceMgr;

void LoopTimer::open(Turn turn) {
    descriptor_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor_ < 0) {
        throw std::system_error(errno, std::generic_category(), "timerfd_create");
    }
    IfaceMgr::instance().addExternalSocket(descriptor_, turn);
}

void LoopTimer::close() {
    if (is_open()) {
        IfaceMgr::instance().deleteExternalSocket(descriptor_);
        ::close(descriptor_);
        descriptor_ = -1;
    }
}

void LoopTimer::turn_in(std::chrono::nanoseconds time) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    itimerspec spec{};
    spec.it_value = {seconds.count(), (time - seconds).count()};
    timerfd_settime(descriptor_, 0, &spec, nullptr);
}

void LoopTimer::turned() const {
    uint64_t expirations;
    // It is readable, or somebody has set it anew: all the same.
    [[maybe_unused]] const ssize_t got = read(descriptor_, &expirations, sizeof(expirations));
}

} // namespace runscript
