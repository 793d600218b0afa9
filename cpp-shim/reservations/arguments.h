#pragma once

#include "places.h"

#include <cc/data.h>

// What the arguments of a command say. All functions throw where they say nothing that can be, with the texts that ISC's
// libdhcp_host_cmds has.

namespace reservations {

using Arguments = isc::data::ConstElementPtr;

void require_map(const Arguments& arguments);

/// `operation-target`
Target target_of(const Arguments& arguments);

/// `subnet-id`: a number, of whatever subnet.
SubnetID subnet_id_of(const Arguments& arguments);
std::optional<SubnetID> optional_subnet_id_of(const Arguments& arguments);
/// Kea has such a subnet, or it is 0 (global), or none is given.
void require_subnet(std::optional<SubnetID> id);

/// Which reservation: in which subnet, and by its address or by whom it is for.
struct Which {
    SubnetID subnet;
    std::optional<IOAddress> address;
    Identifier identifier;
};
Which which_of(const Arguments& arguments);

/// `identifier-type` and `identifier`, of a command that takes no subnet.
Identifier identifier_of(const Arguments& arguments);

/// From where on a page is read, and how much of it.
struct Page {
    std::optional<SubnetID> subnet;
    size_t place;
    uint64_t after;
    size_t limit;
};
Page page_of(const Arguments& arguments);

} // namespace reservations
