// DHCPv6's hook points, in the order in which a packet meets them: which of Kea's arguments become which facts.

#include "callout.h"
#include "lease_events.h"

using isc::dhcp::Host;
using isc::dhcp::Lease6CollectionPtr;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::Option6IAPtr;
using isc::dhcp::Pkt6Ptr;
using namespace runscript;

namespace {

/// The argument that has the identity association of a lease.
const char* ia_of(const Lease6Ptr& lease) {
    return lease && lease->getType() == isc::dhcp::Lease::TYPE_PD ? "ia_pd" : "ia_na";
}

} // namespace

EXPORT int buffer6_receive(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.unparsed_query(argument<Pkt6Ptr>(handle, "query6"));
    });
}

EXPORT int pkt6_receive(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt6Ptr>(handle, "query6"));
    });
}

EXPORT int subnet6_select(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            facts.subnet(argument<Subnet6Argument>(handle, "subnet6"));
        },
        LeaseEvents<Family6>::remember);
}

EXPORT int host6_identifier(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt6Ptr>(handle, "query6"));
        facts.host_identifier(argument<Host::IdentifierType>(handle, "id_type"),
                              argument<std::vector<uint8_t>>(handle, "id_value"));
    });
}

EXPORT int lease6_select(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            facts.subnet(argument<Subnet6Argument>(handle, "subnet6"));
            facts.fake_allocation(argument<bool>(handle, "fake_allocation"));
            facts.lease(argument<Lease6Ptr>(handle, "lease6"));
        },
        LeaseEvents<Family6>::keep_origin);
}

EXPORT int lease6_renew(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            const auto lease = argument<Lease6Ptr>(handle, "lease6");
            facts.lease(lease);
            facts.ia(argument<Option6IAPtr>(handle, ia_of(lease)));
        },
        LeaseEvents<Family6>::keep_origin);
}

EXPORT int lease6_rebind(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            const auto lease = argument<Lease6Ptr>(handle, "lease6");
            facts.lease(lease);
            facts.ia(argument<Option6IAPtr>(handle, ia_of(lease)));
        },
        LeaseEvents<Family6>::keep_origin);
}

EXPORT int lease6_release(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt6Ptr>(handle, "query6"));
        facts.lease(argument<Lease6Ptr>(handle, "lease6"));
    });
}

EXPORT int lease6_decline(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt6Ptr>(handle, "query6"));
        facts.lease(argument<Lease6Ptr>(handle, "lease6"));
    });
}

EXPORT int ddns6_update(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt6Ptr>(handle, "query6"));
        facts.response(argument<Pkt6Ptr>(handle, "response6"));
        facts.subnet(argument<Subnet6Argument>(handle, "subnet6"));
        facts.ddns(argument<std::string>(handle, "hostname"), argument<bool>(handle, "fwd-update"),
                   argument<bool>(handle, "rev-update"));
    });
}

EXPORT int addr6_register(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            facts.response(argument<Pkt6Ptr>(handle, "response6"));
            facts.lease(argument<Lease6Ptr>(handle, "new_lease6"));
            facts.old_lease(argument<Lease6Ptr>(handle, "old_lease6"));
        },
        [](CalloutHandle& handle) { LeaseEvents<Family6>::keep_origin_of(handle, "new_lease6"); });
}

EXPORT int leases6_committed(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            facts.committed(argument<Lease6CollectionPtr>(handle, "leases6"));
            facts.deleted(argument<Lease6CollectionPtr>(handle, "deleted_leases6"));
            if (COMMITTED_HAS_RESPONSE) {
                facts.response(argument<Pkt6Ptr>(handle, "response6"));
            }
        },
        LeaseEvents<Family6>::committed);
}

EXPORT int pkt6_send(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt6Ptr>(handle, "query6"));
            facts.response(argument<Pkt6Ptr>(handle, "response6"));
            if (SEND_HAS_SUBNET) {
                facts.subnet(argument<Subnet6Argument>(handle, "subnet6"));
            }
        },
        LeaseEvents<Family6>::answered);
}

EXPORT int buffer6_send(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.response(argument<Pkt6Ptr>(handle, "response6"));
    });
}

EXPORT int lease6_expire(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.lease(argument<Lease6Ptr>(handle, "lease6"));
            facts.remove_lease(argument<bool>(handle, "remove_lease"));
        },
        LeaseEvents<Family6>::expired);
}

EXPORT int lease6_recover(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.lease(argument<Lease6Ptr>(handle, "lease6"));
    });
}
