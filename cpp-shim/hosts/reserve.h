#pragma once

#include "callout.h"

// The key `reservation` of an answer.

namespace runscript {

/// Where a client can be reserved something: after a script's answer, if there is one. A client of which none has been heard
/// keeps what its lease has from a reservation.
void follow_lease(CalloutHandle& handle, const HookPoint& point) noexcept;

/// Does what an answer says; throws if that cannot be.
void reserve(const Change& change, CalloutHandle& handle, const HookPoint& point);

/// Before Kea writes a lease: keeps with it whether a reservation has given it.
void mark_lease(CalloutHandle& handle, const HookPoint& point) noexcept;

} // namespace runscript
