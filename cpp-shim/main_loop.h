#pragma once

namespace runscript {

/// Has Rust told, once in the life of this process, that Kea's main loop has begun to turn. With `replays`, it goes on to
/// look for what there is to replay.
void watch_main_loop(bool replays);
/// Ends that.
void leave_main_loop();

/// There may be something to replay.
void look_for_replay() noexcept;

} // namespace runscript
