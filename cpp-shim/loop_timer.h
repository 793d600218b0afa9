#pragma once

#include <chrono>

namespace runscript {

/// A timer that Kea's main loop watches: it calls `Turn` there, before it takes a packet.
class LoopTimer {
  public:
    using Turn = void (*)(int);

    /// Throws where the system has no more of them.
    void open(Turn turn);
    void close();
    bool is_open() const { return descriptor_ >= 0; }

    /// One turn, after that long. It takes the place of one that has been asked for.
    void turn_in(std::chrono::nanoseconds time) const;
    /// To be called at a turn, before anything that may ask for the next.
    void turned() const;

  private:
    int descriptor_ = -1;
};

} // namespace runscript
