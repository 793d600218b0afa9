#pragma once

namespace runscript {

/// Has Rust told, once in the life of this process, that Kea's main loop has begun to turn.
void watch_main_loop();
/// Ends that.
void leave_main_loop();

} // namespace runscript
