// Lease events: what a packet does to leases, from what Kea says at its own hook points.
//
// Kea writes some leases before it tells anybody (an IPv6 lease that a REQUEST finds), and tells of some not at all: those
// that it takes away from an IPv6 client for a reservation's sake, and those that it gives once more without writing them
// (`cache-threshold`). So what the client has is looked up before anything is done, and compared.

#include "lease_events.h"

#include "guard.h"
#include "lease.h"
#include "lease_messages.h"
#include "lease_origin.h"
#include "verdict.h"

#include <dhcpsrv/lease_mgr_factory.h>

#include <algorithm>
#include <atomic>

namespace runscript {
namespace {

using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6Ptr;

/// The key of a packet's context.
constexpr const char* LEASES_BEFORE = "runscript-leases";

/// RFC 9686. Kea has no name for it before version 3.0.
constexpr uint8_t ADDR_REG_INFORM = 36;

std::atomic<bool> events_wanted{false};
std::atomic<bool> others_wanted{false};

/// What is known of a packet's client.
template <typename Family>
struct LeasesBefore {
    /// Its leases before the packet, those that Rust has been told of left out.
    std::vector<typename Family::LeasePtr> leases;
    /// Kea has written all that it writes.
    bool is_committed = false;
    Counted<LeasesBefore> counted{};
};

template <typename Family>
using LeasesBeforePtr = std::shared_ptr<LeasesBefore<Family>>;

/// Null if there is none.
template <typename Family>
LeasesBeforePtr<Family> leases_before(const CalloutHandle& handle) {
    LeasesBeforePtr<Family> known;
    if (!Counted<LeasesBefore<Family>>::any()) {
        return known;
    }
    try {
        handle.getContext(LEASES_BEFORE, known);
    } catch (const isc::hooks::NoSuchCalloutContext&) {
        // Kea 2.2 has no other way to ask.
    }
    return known;
}

/// Takes from a list the one that is for the same address; null if none is.
template <typename LeasePtr>
LeasePtr take(std::vector<LeasePtr>& list, const LeasePtr& lease) {
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const LeasePtr& other) { return is_same(*lease, *other); });
    if (found == list.end()) {
        return {};
    }
    const LeasePtr taken = *found;
    list.erase(found);
    return taken;
}

/// At lease*_select, which tells of a lease that is not there yet; other hook points have no such argument.
bool is_new(const CalloutHandle& handle) {
    const auto names = handle.getArgumentNames();
    return std::find(names.begin(), names.end(), "fake_allocation") != names.end();
}

/// Of a packet, for the events of its leases one after the other. Kea may throw at what a client has sent.
template <typename Packet>
FactsBuilder& facts_of(const Packet& query) {
    FactsBuilder& facts = FactsBuilder::fresh();
    guarded("lease event", [&] {
        facts.query(query);
        return 0;
    });
    return facts;
}

/// Tells of those that are gone without a word.
template <typename Family>
void tell_of_vanished(LeasesBefore<Family>& known, FactsBuilder& facts) {
    const auto before = known.leases;
    for (const auto& lease : before) {
        if (!LeaseEvents<Family>::find(lease)) {
            take(known.leases, lease);
            LeaseEvents<Family>::tell(Source::Vanished, lease, {}, facts);
        }
    }
}

} // namespace

void set_lease_events(bool wanted, bool with_other_leases) noexcept {
    events_wanted = wanted;
    others_wanted = with_other_leases;
}

bool wants_lease_events() noexcept { return events_wanted; }

template <>
isc::dhcp::Lease4Ptr LeaseEvents<Family4>::find(const isc::dhcp::Lease4Ptr& lease) {
    return LeaseMgrFactory::instance().getLease4(lease->addr_);
}

template <>
isc::dhcp::Lease6Ptr LeaseEvents<Family6>::find(const isc::dhcp::Lease6Ptr& lease) {
    return LeaseMgrFactory::instance().getLease6(lease->getType(), lease->addr_);
}

template <>
void LeaseEvents<Family4>::update(const isc::dhcp::Lease4Ptr& lease) {
    LeaseMgrFactory::instance().updateLease4(lease);
}

template <>
void LeaseEvents<Family6>::update(const isc::dhcp::Lease6Ptr& lease) {
    LeaseMgrFactory::instance().updateLease6(lease);
}

/// At lease4_renew, lease4_release and lease4_decline. The lease that Kea hands over is as it will be, or is about to be
/// changed. One that has expired has been told of by now.
template <>
void LeaseEvents<Family4>::remember(CalloutHandle& handle) {
    const auto query = argument<Pkt4Ptr>(handle, Family4::QUERY);
    if (query->getType() == isc::dhcp::DHCPDISCOVER) {
        return;
    }
    const auto before = find(argument<isc::dhcp::Lease4Ptr>(handle, Family4::LEASE));
    if (before && !before->expired()) {
        handle.setContext(LEASES_BEFORE,
                          std::make_shared<LeasesBefore<Family4>>(LeasesBefore<Family4>{{before}, false, {}}));
    }
}

/// At subnet6_select: Kea asks for no lease at all before it writes some.
template <>
void LeaseEvents<Family6>::remember(CalloutHandle& handle) {
    const auto query = argument<Pkt6Ptr>(handle, Family6::QUERY);
    switch (query->getType()) {
    case DHCPV6_SOLICIT:
    case DHCPV6_REQUEST:
    case DHCPV6_RENEW:
    case DHCPV6_REBIND:
    case DHCPV6_RELEASE:
    case DHCPV6_DECLINE:
    case ADDR_REG_INFORM:
        break;
    default:
        return;
    }
    const auto duid = query->getClientId();
    if (!duid || handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    auto before = LeaseMgrFactory::instance().getLeases6(*duid);
    if (!before.empty()) {
        handle.setContext(LEASES_BEFORE,
                          std::make_shared<LeasesBefore<Family6>>(LeasesBefore<Family6>{std::move(before), false, {}}));
    }
}

template <typename Family>
void LeaseEvents<Family>::keep_origin_of(CalloutHandle& handle, const char* name) {
    const auto query = argument<typename Family::Packet>(handle, Family::QUERY);
    const LeasePtr lease = argument<LeasePtr>(handle, name);
    if (!is_offer(query)) {
        runscript::keep_origin(*lease, origin_of(query));
    } else if (handle.getStatus() != CalloutHandle::NEXT_STEP_SKIP && is_new(handle)) {
        // What Kea stores of an offer (`offer-lifetime`) is no lease that a script has been told of.
        runscript::keep_origin(*lease, "");
    }
}

template <typename Family>
void LeaseEvents<Family>::committed(CalloutHandle& handle) {
    using Leases = boost::shared_ptr<std::vector<LeasePtr>>;
    const auto query = argument<typename Family::Packet>(handle, Family::QUERY);
    const auto leases = argument<Leases>(handle, Family::LEASES);
    const auto deleted = argument<Leases>(handle, Family::DELETED_LEASES);
    const LeasesBeforePtr<Family> kept = leases_before<Family>(handle);
    LeasesBefore<Family> none;
    LeasesBefore<Family>& known = kept ? *kept : none;
    known.is_committed = true;
    if (leases->empty() && deleted->empty() && known.leases.empty()) {
        return;
    }
    FactsBuilder& facts = facts_of(query);
    for (const LeasePtr& lease : *deleted) {
        const LeasePtr before = take(known.leases, lease);
        // Kea lists what it would delete, also where it has not come so far.
        if (is_end(query) || !find(lease)) {
            tell(Source::Deleted, lease, before, facts);
        }
    }
    // Kea deletes an IPv6 lease that lies outside of its subnet's pools now, and lists it as if it had been renewed.
    std::vector<LeasePtr> written, old;
    for (const LeasePtr& lease : *leases) {
        const LeasePtr before = take(known.leases, lease);
        if (is_extension(query) && !find(lease)) {
            tell(Source::Vanished, before ? before : lease, {}, facts);
        } else {
            written.push_back(lease);
            old.push_back(before);
        }
    }
    tell_of_vanished(known, facts);
    const std::string origin = written.empty() ? "" : origin_of(query);
    for (size_t i = 0; i < written.size(); ++i) {
        tell(Source::Committed, written[i], old[i], facts);
        guarded("lease event", [&] {
            if (is_held(*written[i]) && runscript::keep_origin(*written[i], origin)) {
                update(written[i]);
            }
            return 0;
        });
    }
}

template <typename Family>
void LeaseEvents<Family>::answered(CalloutHandle& handle) {
    const LeasesBeforePtr<Family> known = leases_before<Family>(handle);
    if (!known || known->leases.empty()) {
        return;
    }
    FactsBuilder& facts = facts_of(argument<typename Family::Packet>(handle, Family::QUERY));
    if (!known->is_committed) {
        tell_of_vanished(*known, facts);
    }
    if (handle.getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        return;
    }
    const auto response = argument<typename Family::Packet>(handle, Family::RESPONSE);
    for (const LeasePtr& before : known->leases) {
        const LeasePtr now = gives(response, before) ? find(before) : LeasePtr();
        if (now) {
            tell(Source::Reused, now, before, facts);
        }
    }
}

/// Also on a packet's way, whose client goes on with what has expired: that is a new lease to scripts.
template <typename Family>
void LeaseEvents<Family>::expired(CalloutHandle& handle) {
    if (handle.getStatus() != CalloutHandle::NEXT_STEP_CONTINUE) {
        return;
    }
    const auto lease = argument<LeasePtr>(handle, Family::LEASE);
    if (const LeasesBeforePtr<Family> known = leases_before<Family>(handle)) {
        take(known->leases, lease);
    }
    tell(Source::Expired, lease, {});
}

template <typename Family>
void LeaseEvents<Family>::tell(Source source, const LeasePtr& lease, const LeasePtr& before, FactsBuilder& facts) {
    if (!lease) {
        return;
    }
    guarded("lease event", [&] {
        facts.next_lease();
        // First what an event cannot be without: should the rest fail, it is told without that.
        facts.lease(lease);
        facts.old_lease(before);
        facts.subnet_of(lease);
        if (others_wanted) {
            facts.others_than(lease);
        }
        return 0;
    });
    lease_event(source, facts.facts());
}

template struct LeaseEvents<Family4>;
template struct LeaseEvents<Family6>;

} // namespace runscript
