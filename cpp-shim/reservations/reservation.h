#pragma once

#include "places.h"

#include <cc/data.h>

// One reservation: from a command's arguments, and into its answer.

namespace reservations {

/// `reservation`, with its `subnet-id`; if that need not be there and is not, its subnet is `SUBNET_ID_UNUSED`.
HostPtr parsed(const isc::data::ConstElementPtr& given, bool has_subnet);

/// A reservation of addresses or prefixes cannot be: the error says which subnet may have been meant.
void make_global(isc::dhcp::Host& host);

/// Its subnet is there, and has its addresses; prefixes may be anywhere.
void require_fit(const isc::dhcp::Host& host);

isc::data::ElementPtr element_of(const isc::dhcp::Host& host);

} // namespace reservations
