#pragma once

#include "family.h"
#include "store.h"

#include <optional>

namespace runscript {

/// A client and where it is, as far as reservations go.

/// Its identifiers in the order in which Kea looks for reservations by them (`host-reservation-identifiers`). Those of a
/// `flex-id` are not known here.
std::vector<Identity> identifiers_of(const isc::dhcp::Pkt4Ptr& query);
std::vector<Identity> identifiers_of(const isc::dhcp::Pkt6Ptr& query);

/// The first that is its own, not its port's.
std::optional<Identity> own(const std::vector<Identity>& identifiers);

/// Empty if Kea knows none.
std::vector<uint8_t> hwaddr_of(const isc::dhcp::Pkt4Ptr& query);
std::vector<uint8_t> hwaddr_of(const isc::dhcp::Pkt6Ptr& query);

/// Its client identifier (option 61), or DUID; empty if it has sent none.
std::vector<uint8_t> client_id_of(const isc::dhcp::Pkt4Ptr& query);
std::vector<uint8_t> client_id_of(const isc::dhcp::Pkt6Ptr& query);

/// The subnets of a shared network, or the one that there is; this first.
template <typename SubnetPtr>
std::vector<SubnetPtr> network_of(const SubnetPtr& subnet) {
    std::vector<SubnetPtr> network;
    for (SubnetPtr one = subnet; one; one = one->getNextSubnet(subnet)) {
        network.push_back(one);
    }
    return network;
}

template <typename SubnetPtr>
std::vector<isc::dhcp::SubnetID> ids_of(const std::vector<SubnetPtr>& network) {
    std::vector<isc::dhcp::SubnetID> ids;
    for (const SubnetPtr& subnet : network) {
        ids.push_back(subnet->getID());
    }
    return ids;
}

} // namespace runscript
