// DHCPv4's hook points, in the order in which a packet meets them: which of Kea's arguments become which facts.

#include "callout.h"
#include "lease_events.h"

using isc::dhcp::ClientIdPtr;
using isc::dhcp::Host;
using isc::dhcp::HWAddrPtr;
using isc::dhcp::Lease4CollectionPtr;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Pkt4Ptr;
using namespace runscript;

EXPORT int buffer4_receive(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.unparsed_query(argument<Pkt4Ptr>(handle, "query4"));
    });
}

EXPORT int pkt4_receive(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt4Ptr>(handle, "query4"));
    });
}

EXPORT int subnet4_select(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.subnet(argument<Subnet4Argument>(handle, "subnet4"));
        },
        LeaseEvents<Family4>::begin);
}

EXPORT int host4_identifier(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt4Ptr>(handle, "query4"));
        facts.host_identifier(argument<Host::IdentifierType>(handle, "id_type"),
                              argument<std::vector<uint8_t>>(handle, "id_value"));
    });
}

EXPORT int ddns4_update(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt4Ptr>(handle, "query4"));
        facts.response(argument<Pkt4Ptr>(handle, "response4"));
        facts.subnet(argument<Subnet4Argument>(handle, "subnet4"));
        facts.ddns(argument<std::string>(handle, "hostname"), argument<bool>(handle, "fwd-update"),
                   argument<bool>(handle, "rev-update"));
    });
}

EXPORT int lease4_select(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.subnet(argument<Subnet4Argument>(handle, "subnet4"));
            facts.fake_allocation(argument<bool>(handle, "fake_allocation"));
            if (LEASE4_SELECT_HAS_OFFER_LFT) {
                facts.offer_lifetime(argument<uint32_t>(handle, "offer_lft"));
            }
            facts.lease(argument<Lease4Ptr>(handle, "lease4"));
        },
        LeaseEvents<Family4>::selected);
}

EXPORT int lease4_renew(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.subnet(argument<Subnet4Argument>(handle, "subnet4"));
            facts.lease(argument<Lease4Ptr>(handle, "lease4"));
            facts.looked_up_by(argument<ClientIdPtr>(handle, "clientid"), argument<HWAddrPtr>(handle, "hwaddr"));
        },
        [](CalloutHandle& handle) {
            LeaseEvents<Family4>::remember(handle);
            LeaseEvents<Family4>::keep_origin(handle);
        });
}

EXPORT int lease4_release(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.lease(argument<Lease4Ptr>(handle, "lease4"));
        },
        LeaseEvents<Family4>::remember);
}

EXPORT int lease4_decline(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.lease(argument<Lease4Ptr>(handle, "lease4"));
        },
        LeaseEvents<Family4>::remember);
}

EXPORT int leases4_committed(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.committed(argument<Lease4CollectionPtr>(handle, "leases4"));
            facts.deleted(argument<Lease4CollectionPtr>(handle, "deleted_leases4"));
            if (COMMITTED_HAS_RESPONSE) {
                facts.response(argument<Pkt4Ptr>(handle, "response4"));
            }
        },
        LeaseEvents<Family4>::committed);
}

EXPORT int lease4_offer(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt4Ptr>(handle, "query4"));
        facts.committed(argument<Lease4CollectionPtr>(handle, "leases4"));
        facts.old_lease(argument<Lease4Ptr>(handle, "old_lease"));
        facts.offer_lifetime(argument<uint32_t>(handle, "offer_lifetime"));
        if (COMMITTED_HAS_RESPONSE) {
            facts.response(argument<Pkt4Ptr>(handle, "response4"));
        }
    });
}

EXPORT int lease4_server_decline(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.query(argument<Pkt4Ptr>(handle, "query4"));
        facts.lease(argument<Lease4Ptr>(handle, "lease4"));
    });
}

EXPORT int pkt4_send(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.query(argument<Pkt4Ptr>(handle, "query4"));
            facts.response(argument<Pkt4Ptr>(handle, "response4"));
            if (SEND_HAS_SUBNET) {
                facts.subnet(argument<Subnet4Argument>(handle, "subnet4"));
            }
        },
        LeaseEvents<Family4>::answered);
}

EXPORT int buffer4_send(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.response(argument<Pkt4Ptr>(handle, "response4"));
    });
}

EXPORT int lease4_expire(CalloutHandle& handle) {
    return callout(
        handle, __func__,
        [](const CalloutHandle& handle, FactsBuilder& facts) {
            facts.lease(argument<Lease4Ptr>(handle, "lease4"));
            facts.remove_lease(argument<bool>(handle, "remove_lease"));
        },
        LeaseEvents<Family4>::expired);
}

EXPORT int lease4_recover(CalloutHandle& handle) {
    return callout(handle, __func__, [](const CalloutHandle& handle, FactsBuilder& facts) {
        facts.lease(argument<Lease4Ptr>(handle, "lease4"));
    });
}
