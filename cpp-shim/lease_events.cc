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
#include "lease_store.h"
#include "lease_watch.h"

#include <util/multi_threading_mgr.h>

#include <algorithm>
#include <atomic>

namespace runscript {
namespace {

using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6Ptr;

/// RFC 9686. Kea has no name for it before version 3.0.
constexpr uint8_t ADDR_REG_INFORM = 36;

std::atomic<bool> events_wanted{false};
std::atomic<bool> others_wanted{false};

/// At lease*_select, which tells of a lease that is not there yet; other hook points have no such argument.
bool is_new(const CalloutHandle& handle) {
    const auto names = handle.getArgumentNames();
    return std::find(names.begin(), names.end(), "fake_allocation") != names.end();
}

bool has_threads() { return isc::util::MultiThreadingMgr::instance().getMode(); }

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
void tell_of_vanished(LeaseWatch<Family>& known, FactsBuilder& facts) {
    const auto before = known.before;
    for (const auto& lease : before) {
        if (!stored(lease)) {
            known.take(lease);
            LeaseEvents<Family>::tell(Source::Vanished, lease, {}, facts);
        }
    }
}

/// Tells of those that Kea has deleted; which they are.
template <typename Family>
std::vector<typename Family::LeasePtr> tell_of_deleted(const std::vector<typename Family::LeasePtr>& deleted,
                                                       LeaseWatch<Family>& known, FactsBuilder& facts) {
    std::vector<typename Family::LeasePtr> gone;
    for (const auto& lease : deleted) {
        const auto before = known.take(lease);
        const auto now = stored(lease);
        // Kea lists what it would delete, also where it has not come so far.
        if (!now || !is_held(*now) || !is_of_one_client(*now, *lease)) {
            LeaseEvents<Family>::tell(Source::Deleted, lease, before, facts);
            gone.push_back(lease);
        }
    }
    return gone;
}

/// Tells of a lease that Kea has written, and whether the client still has it: with threads, a command or another packet may
/// have been faster.
template <typename Family>
bool tell_of_written(const typename Family::LeasePtr& lease, const typename Family::LeasePtr& before,
                     const std::string& origin, FactsBuilder& facts) {
    LeaseEvents<Family>::tell(Source::Committed, lease, before, facts);
    guarded("lease event", [&] {
        if (is_held(*lease) && keep_origin(*lease, origin)) {
            update(lease);
        }
        return 0;
    });
    const auto now = has_threads() && is_held(*lease) ? stored(lease) : lease;
    if (now && is_of_one_client(*now, *lease)) {
        return true;
    }
    LeaseEvents<Family>::tell(Source::Removed, lease, {}, facts);
    return false;
}

/// Another thread may have given a lease to the next client, and have told of that before the end was told of.
template <typename Family>
void tell_of_next_owners(const std::vector<typename Family::LeasePtr>& gone) {
    if (!has_threads()) {
        return;
    }
    for (const auto& lease : gone) {
        const auto now = stored(lease);
        if (now && is_held(*now)) {
            LeaseEvents<Family>::tell_stored(Source::Commanded, now);
        }
    }
}

} // namespace

void set_lease_events(bool wanted, bool with_other_leases) noexcept {
    events_wanted = wanted;
    others_wanted = with_other_leases;
}

bool wants_lease_events() noexcept { return events_wanted; }

/// At lease4_renew, lease4_release and lease4_decline. The lease that Kea hands over is as it will be, or is about to be
/// changed. One that has expired has been told of by now.
template <>
void LeaseEvents<Family4>::remember(CalloutHandle& handle) {
    const auto query = argument<Pkt4Ptr>(handle, Family4::QUERY);
    if (query->getType() == isc::dhcp::DHCPDISCOVER) {
        return;
    }
    const auto lease = argument<isc::dhcp::Lease4Ptr>(handle, Family4::LEASE);
    const auto before = stored(lease);
    const auto known = watch_lease(handle, lease);
    if (before && !before->expired()) {
        known->before.push_back(before);
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
    if (query->getClientId() && handle.getStatus() != CalloutHandle::NEXT_STEP_DROP) {
        watch_query(handle, query);
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

template <>
void LeaseEvents<Family4>::begin(CalloutHandle& handle) {
    if (argument<Pkt4Ptr>(handle, Family4::QUERY)->getType() == isc::dhcp::DHCPREQUEST) {
        start_watch<Family4>(handle);
    }
}

template <>
void LeaseEvents<Family4>::selected(CalloutHandle& handle) {
    keep_origin(handle);
    if (!is_offer(argument<Pkt4Ptr>(handle, Family4::QUERY))) {
        watch_lease(handle, argument<isc::dhcp::Lease4Ptr>(handle, Family4::LEASE));
    }
}

template <typename Family>
void LeaseEvents<Family>::committed(CalloutHandle& handle) {
    using Leases = boost::shared_ptr<std::vector<LeasePtr>>;
    const auto query = argument<typename Family::Packet>(handle, Family::QUERY);
    const auto leases = argument<Leases>(handle, Family::LEASES);
    const auto deleted = argument<Leases>(handle, Family::DELETED_LEASES);
    const LeaseWatchPtr<Family> kept = watch_of<Family>(handle);
    LeaseWatch<Family> none;
    LeaseWatch<Family>& known = kept ? *kept : none;
    known.is_committed = true;
    if (leases->empty() && deleted->empty() && known.before.empty()) {
        return;
    }
    FactsBuilder& facts = facts_of(query);
    std::vector<LeasePtr> gone = tell_of_deleted<Family>(*deleted, known, facts);
    // Kea deletes an IPv6 lease that lies outside of its subnet's pools now, and lists it as if it had been renewed.
    std::vector<LeasePtr> written, old;
    for (const LeasePtr& lease : *leases) {
        const LeasePtr before = known.take(lease);
        const auto is_this = [&](const LeasePtr& other) { return is_same(*lease, *other); };
        if (std::any_of(written.begin(), written.end(), is_this)) {
            // A client may ask for one several times.
            continue;
        }
        if (is_extension(query) && !stored(lease)) {
            tell(Source::Vanished, before ? before : lease, {}, facts);
        } else {
            written.push_back(lease);
            old.push_back(before);
        }
    }
    tell_of_vanished(known, facts);
    const std::string origin = written.empty() ? "" : origin_of(query);
    for (size_t i = 0; i < written.size(); ++i) {
        if (!tell_of_written<Family>(written[i], old[i], origin, facts)) {
            gone.push_back(written[i]);
        }
    }
    tell_of_next_owners<Family>(gone);
}

template <typename Family>
void LeaseEvents<Family>::answered(CalloutHandle& handle) {
    const LeaseWatchPtr<Family> known = watch_of<Family>(handle);
    if (!known || known->before.empty()) {
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
    for (const LeasePtr& before : known->before) {
        const LeasePtr now = gives(response, before) ? stored(before) : LeasePtr();
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
    if (const LeaseWatchPtr<Family> known = watch_of<Family>(handle)) {
        known->take(lease);
    }
    tell(Source::Expired, lease, {});
}

template <typename Family>
void LeaseEvents<Family>::tell_stored(Source source, LeasePtr lease) {
    constexpr int MOST_TIMES = 4;
    for (int times = 0; times < MOST_TIMES; ++times) {
        tell(source, lease, {});
        if (!has_threads()) {
            return;
        }
        const LeasePtr now = stored(lease);
        if (!now || !is_held(*now)) {
            return tell(Source::Removed, lease, {});
        }
        if (*now == *lease) {
            return;
        }
        lease = now;
    }
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
