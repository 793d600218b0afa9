#pragma once

#include "hold.h"

namespace runscript {

/// Makes ready for parking: in `load`.
void open_parking();

/// Drops the packets that are parked still. Kea cannot load anything as long as we have one of them. The clients ask
/// again.
void close_parking();

/// Stores the packet of this callout, which is ours from now on, and returns its ticket; 0 if that fails. Its verdict may
/// come at once, and is not looked at before the callout is over.
uint64_t store(Hold& hold, CalloutHandle& handle, const HookPoint& point) noexcept;

/// No verdict will come for the packet.
Hold take_back(uint64_t ticket);

/// Parks the packet until its verdict comes.
void park(uint64_t ticket, CalloutHandle& handle, const HookPoint& point);

/// The verdict has come. Callable from any thread; moves out of it.
void resume(Verdict& verdict) noexcept;

} // namespace runscript
