#pragma once

#include "hold.h"

namespace runscript {

/// Makes ready for parking: in `load`.
void open_parking();

/// Drops the packets that are parked still. Kea cannot load anything as long as we have one of them. The clients ask
/// again.
void close_parking();

/// Parks the packet of this callout until the verdict with this ticket comes.
void park(Hold&& hold, uint64_t ticket, CalloutHandle& handle, const char* hook_point);

/// The verdict has come. Callable from any thread; moves out of it.
void resume(Verdict& verdict) noexcept;

} // namespace runscript
