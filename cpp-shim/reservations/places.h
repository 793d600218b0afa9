#pragma once

#include "../versions.h"

#include <dhcpsrv/host.h>

#include <optional>
#include <string>
#include <vector>

// The places where Kea keeps reservations: its configuration, in memory, and its host databases. Kea calls a reservation a
// host. All functions throw what Kea throws.

namespace reservations {

/// Whom a reservation is for, as bytes of the client's.
struct Identifier {
    isc::dhcp::Host::IdentifierType type;
    std::vector<uint8_t> bytes;
};

using Hosts = isc::dhcp::ConstHostCollection;
using isc::asiolink::IOAddress;
using isc::dhcp::ConstHostPtr;
using isc::dhcp::HostPtr;
using isc::dhcp::SubnetID;

/// The parameter `operation-target` of a command.
enum class Target { Default, Memory, Database, All };

/// Whether this server is kea-dhcp4; else it is kea-dhcp6.
bool is_dhcp4();
/// Where a command writes that names no place: to the databases, or to memory if the configuration names none.
Target place_to_write(Target target);
/// Throws the text if a command cannot write there: no database is configured, or it is away.
void require_place(Target target, const char* text);

/// The subnet of this server's family; `SUBNET_ID_UNUSED` for a reservation of the other family only.
SubnetID subnet_of(const isc::dhcp::Host& host);

/// Null if there is none. A target of `Default` means all places, for these and all below that only read.
ConstHostPtr find(Target target, SubnetID subnet, const IOAddress& address);
ConstHostPtr find(Target target, SubnetID subnet, const Identifier& identifier);

Hosts all_of_subnet(Target target, SubnetID subnet);
Hosts all_of_identifier(Target target, const Identifier& identifier);
/// In any subnet if none is given.
Hosts all_of_address(Target target, std::optional<SubnetID> subnet, const IOAddress& address);
Hosts all_of_hostname(Target target, std::optional<SubnetID> subnet, const std::string& hostname);

/// As many as `limit` behind the reservation with the id `after`, from the place number `place` on, which is set to where
/// they were found.
Hosts page(std::optional<SubnetID> subnet, size_t& place, uint64_t after, size_t limit);

/// At the place that `place_to_write` says.
void add(Target target, const HostPtr& host);
/// Puts it into the place of the one with its identifier. `Host not updated (not found).` is thrown if there is none.
void update(Target target, const HostPtr& host);
/// Whether there was one. An address of the other family, or 0, is none's.
bool del(Target target, SubnetID subnet, const IOAddress& address);
bool del(Target target, SubnetID subnet, const Identifier& identifier);

} // namespace reservations
