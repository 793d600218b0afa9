#include "lease_watch.h"

#include "guard.h"
#include "lease.h"
#include "lease_events.h"
#include "lease_store.h"

#include <dhcp/option6_ia.h>
#include <dhcp/option6_iaaddr.h>
#include <dhcpsrv/lease_mgr_factory.h>

#include <algorithm>
#include <set>

namespace runscript {
namespace {

using isc::dhcp::DuidPtr;
using isc::dhcp::Lease;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6Collection;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::Option6IA;
using isc::dhcp::Option6IAAddr;
using isc::dhcp::Pkt6Ptr;

/// The key of a packet's context.
constexpr const char* CONTEXT = "runscript-leases";

/// What a DHCPv6 query is about. Its client may have any number of other leases.
struct Asked {
    std::set<std::pair<Lease::Type, uint32_t>> associations;
    /// That a client registers.
    std::vector<isc::asiolink::IOAddress> addresses;
};

Asked asked_of(const Pkt6Ptr& query) {
    Asked asked;
    for (const auto& [code, option] : query->options_) {
        const auto association = boost::dynamic_pointer_cast<Option6IA>(option);
        if (association && (code == D6O_IA_NA || code == D6O_IA_PD)) {
            asked.associations.emplace(code == D6O_IA_PD ? Lease::TYPE_PD : Lease::TYPE_NA, association->getIAID());
        } else if (const auto address = boost::dynamic_pointer_cast<Option6IAAddr>(option)) {
            asked.addresses.push_back(address->getAddress());
        }
    }
    return asked;
}

Lease6Collection leases_of(const DuidPtr& duid, const Asked& asked) {
    const isc::dhcp::LeaseMgr& all = LeaseMgrFactory::instance();
    Lease6Collection leases;
    for (const auto& [type, iaid] : asked.associations) {
        const auto here = all.getLeases6(type, *duid, iaid);
        leases.insert(leases.end(), here.begin(), here.end());
    }
    for (const auto& address : asked.addresses) {
        const auto lease = all.getLease6(Lease::TYPE_NA, address);
        if (lease && lease->duid_ && *lease->duid_ == *duid) {
            leases.push_back(lease);
        }
    }
    return leases;
}

bool writes(const Pkt6Ptr& query) {
    return query->getType() != DHCPV6_SOLICIT || query->options_.count(D6O_RAPID_COMMIT) > 0;
}

template <typename Family>
void tell_of_differences(LeaseWatch<Family>& watch) {
    using Events = LeaseEvents<Family>;
    for (const auto& before : watch.before) {
        const auto now = stored(before);
        if (!is_held(*before) || (now && is_held(*now) && is_of_one_client(*now, *before))) {
            continue;
        }
        if (!now || is_held(*now)) {
            Events::tell(Source::Vanished, before, {});
            continue;
        }
        // A declined lease does not say whose it was.
        const auto ended = copy_of(before);
        ended->state_ = now->state_;
        ended->valid_lft_ = now->valid_lft_;
        Events::tell(Source::Commanded, ended, before);
    }
    for (const auto& read : watch.read) {
        for (const auto& now : read()) {
            const auto before = watch.take(now);
            if (is_held(*now) && (!before || *before != *now)) {
                Events::tell(Source::Commanded, now, before);
            }
        }
    }
}

} // namespace

template <typename Family>
LeaseWatch<Family>::~LeaseWatch() {
    if (is_committed || read.empty() || !wants_lease_events()) {
        return;
    }
    const auto tell = [&] {
        tell_of_differences(*this);
        return 0;
    };
    if (guarded("lease event", tell) != 0) {
        replay_all();
    }
}

template <typename Family>
typename Family::LeasePtr LeaseWatch<Family>::take(const LeasePtr& lease) {
    const auto found =
        std::find_if(before.begin(), before.end(), [&](const LeasePtr& other) { return is_same(*lease, *other); });
    if (found == before.end()) {
        return {};
    }
    const LeasePtr taken = *found;
    before.erase(found);
    return taken;
}

template <typename Family>
LeaseWatchPtr<Family> watch_of(const CalloutHandle& handle) {
    LeaseWatchPtr<Family> watch;
    if (!Counted<LeaseWatch<Family>>::any()) {
        return watch;
    }
    try {
        handle.getContext(CONTEXT, watch);
    } catch (const isc::hooks::NoSuchCalloutContext&) {
        // Kea 2.2 has no other way to ask.
    }
    return watch;
}

template <typename Family>
LeaseWatchPtr<Family> start_watch(CalloutHandle& handle) {
    const auto watch = std::make_shared<LeaseWatch<Family>>();
    handle.setContext(CONTEXT, watch);
    return watch;
}

void watch_query(CalloutHandle& handle, const Pkt6Ptr& query) {
    const DuidPtr duid = query->getClientId();
    const Asked asked = asked_of(query);
    const auto known = start_watch<Family6>(handle);
    known->before = leases_of(duid, asked);
    if (writes(query)) {
        known->read.push_back([duid, asked] { return leases_of(duid, asked); });
    }
}

LeaseWatchPtr<Family4> watch_lease(CalloutHandle& handle, const Lease4Ptr& lease) {
    const auto there = watch_of<Family4>(handle);
    const auto known = there ? there : start_watch<Family4>(handle);
    // Kea goes on with the lease itself, and changes it.
    const Lease4Ptr copy = copy_of(lease);
    known->read.push_back([copy] {
        const auto now = stored(copy);
        return now && is_of_one_client(*now, *copy) ? LeaseWatch<Family4>::Leases{now} : LeaseWatch<Family4>::Leases{};
    });
    return known;
}

template struct LeaseWatch<Family4>;
template struct LeaseWatch<Family6>;
template LeaseWatchPtr<Family4> watch_of(const CalloutHandle& handle);
template LeaseWatchPtr<Family6> watch_of(const CalloutHandle& handle);
template LeaseWatchPtr<Family4> start_watch(CalloutHandle& handle);

} // namespace runscript
