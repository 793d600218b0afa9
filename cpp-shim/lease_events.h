#pragma once

#include "callout.h"
#include "facts.h"
#include "family.h"

namespace runscript {

/// Whether scripts want lease events, and in them the client's other leases; set at load.
void set_lease_events(bool wanted, bool with_other_leases) noexcept;
bool wants_lease_events() noexcept;

/// What is done for lease events at Kea's hook points, whatever scripts are called there.
template <typename Family>
struct LeaseEvents {
    using LeasePtr = typename Family::LeasePtr;

    /// Before Kea changes anything: what the client has.
    static void remember(CalloutHandle& handle);
    /// At subnet4_select: Kea may write a lease.
    static void begin(CalloutHandle& handle);
    /// At lease4_select: Kea is about to write a new lease.
    static void selected(CalloutHandle& handle);
    /// Before Kea writes a lease: its origin.
    static void keep_origin_of(CalloutHandle& handle, const char* argument);
    static void keep_origin(CalloutHandle& handle) { keep_origin_of(handle, Family::LEASE); }
    /// Kea has written all that a packet changes.
    static void committed(CalloutHandle& handle);
    /// Kea answers.
    static void answered(CalloutHandle& handle);
    static void expired(CalloutHandle& handle);

    /// Tells Rust of a lease; of none if that is null. So is `before` if that is not known. `facts` has the query, if any.
    static void tell(Source source, const LeasePtr& lease, const LeasePtr& before,
                     FactsBuilder& facts = FactsBuilder::fresh());

    /// Tells of a lease as the database has it. With threads, another one may change the lease before this has been told, and
    /// have told of that by then: what is the case now is told of once more.
    static void tell_stored(Source source, LeasePtr lease);
};

} // namespace runscript
