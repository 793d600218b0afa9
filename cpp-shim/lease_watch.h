#pragma once

#include "callout.h"
#include "family.h"
#include "verdict.h"

#include <functional>
#include <memory>
#include <vector>

namespace runscript {

/// What is known of the leases that a packet may change. It lives as long as the packet. Kea may drop the packet when leases
/// are written, and call no hook point any more (its parking lot is full, or it throws): then the end of this tells of them.
template <typename Family>
struct LeaseWatch {
    using LeasePtr = typename Family::LeasePtr;
    using Leases = std::vector<LeasePtr>;

    /// What the client had before the packet; those that Rust has been told of left out.
    Leases before;
    /// What the client has of them now; none for a packet that writes nothing.
    std::vector<std::function<Leases()>> read;
    /// Kea has written all that it writes.
    bool is_committed = false;
    Counted<LeaseWatch> counted{};

    LeaseWatch() = default;
    LeaseWatch(const LeaseWatch&) = delete;
    LeaseWatch& operator=(const LeaseWatch&) = delete;
    ~LeaseWatch();

    /// Takes the one that is the same out of `before`; null if none is.
    LeasePtr take(const LeasePtr& lease);
};

template <typename Family>
using LeaseWatchPtr = std::shared_ptr<LeaseWatch<Family>>;

/// The packet's; null if it has none.
template <typename Family>
LeaseWatchPtr<Family> watch_of(const CalloutHandle& handle);

/// A new one for the packet, at the first hook point where that may be wanted: to ask for one that is not there is dear.
template <typename Family>
LeaseWatchPtr<Family> start_watch(CalloutHandle& handle);

/// Has the packet's watch know what the client has of the addresses and prefixes that a DHCPv6 query is about.
void watch_query(CalloutHandle& handle, const isc::dhcp::Pkt6Ptr& query);
/// The same of one DHCPv4 lease, which Kea is about to write. Returns the watch.
LeaseWatchPtr<Family4> watch_lease(CalloutHandle& handle, const isc::dhcp::Lease4Ptr& lease);

} // namespace runscript
