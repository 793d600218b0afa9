#pragma once

#include "versions.h"

#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>

#include <string>

namespace runscript {

/// Sets, replaces or removes an option of a query, given as a map of `query-option-data` (JSON text); throws what Kea
/// does not take.
void change_query(isc::dhcp::Pkt4& query, const std::string& map);
void change_query(isc::dhcp::Pkt6& query, const std::string& map);

} // namespace runscript
