#pragma once

#include "places.h"

// Reservations in Kea's configuration, in memory. Kea's threads read them without a lock, so they are halted for a change.

namespace reservations::memory {

void add(const HostPtr& host);
/// False if there is none with this identifier.
bool update(const HostPtr& host);
bool del(SubnetID subnet, const IOAddress& address);
bool del(SubnetID subnet, const Identifier& identifier);

} // namespace reservations::memory
