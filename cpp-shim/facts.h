#pragma once

#include "versions.h"

#include "kea-hook-runscript/src/bridge.rs.h"

#include <dhcp/option6_ia.h>
#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/host.h>
#include <dhcpsrv/lease.h>

#include <array>
#include <exception>
#include <string>
#include <vector>

namespace runscript {

/// What stands for a fact that does not exist (`ABSENT` in bridge.rs).
constexpr uint32_t ABSENT = UINT32_MAX;
constexpr Span NO_FACT{ABSENT, 0};

/// Turns Kea's objects into an event's facts. What is null, or throws at what a client has sent, becomes an absent fact
/// here, so that a callout need not ask. Kea's objects are only read, which takes care: a packet replaces an option
/// that a hook *gets* from it by a copy, so options are taken from the packet's own list.
class FactsBuilder {
  public:
    /// This thread's builder, emptied. Its arrays keep their memory from event to event.
    static FactsBuilder& fresh();

    /// Whether the `debug` facts are wanted; set at load.
    static void set_debug(bool wanted);

    /// Valid until the next call of `fresh` or of a function below.
    Facts facts() const;

    void query(const isc::dhcp::Pkt4Ptr& packet);
    void query(const isc::dhcp::Pkt6Ptr& packet);
    /// A query that Kea has not parsed yet: it is parsed here, in a copy.
    void unparsed_query(const isc::dhcp::Pkt4Ptr& packet);
    void unparsed_query(const isc::dhcp::Pkt6Ptr& packet);
    void response(const isc::dhcp::Pkt4Ptr& packet);
    void response(const isc::dhcp::Pkt6Ptr& packet);

    void subnet(const Subnet4Argument& subnet);
    void subnet(const Subnet6Argument& subnet);

    void lease(const isc::dhcp::Lease4Ptr& lease);
    void lease(const isc::dhcp::Lease6Ptr& lease);
    void old_lease(const isc::dhcp::Lease4Ptr& lease);
    void old_lease(const isc::dhcp::Lease6Ptr& lease);
    void committed(const isc::dhcp::Lease4CollectionPtr& leases);
    void committed(const isc::dhcp::Lease6CollectionPtr& leases);
    void deleted(const isc::dhcp::Lease4CollectionPtr& leases);
    void deleted(const isc::dhcp::Lease6CollectionPtr& leases);

    /// Forgets all that is of a lease and not of the query, for the next lease of the same packet.
    void next_lease();
    /// Where a lease is: its subnet with all that scripts want to know of it, and whether it is reserved.
    void subnet_of(const isc::dhcp::Lease4Ptr& lease);
    void subnet_of(const isc::dhcp::Lease6Ptr& lease);
    /// The other leases of its client.
    void others_than(const isc::dhcp::Lease4Ptr& lease);
    void others_than(const isc::dhcp::Lease6Ptr& lease);

    void looked_up_by(const isc::dhcp::ClientIdPtr& client_id, const isc::dhcp::HWAddrPtr& address);
    void ia(const isc::dhcp::Option6IAPtr& option);
    void ddns(const std::string& hostname, bool fwd_update, bool rev_update);
    void host_identifier(isc::dhcp::Host::IdentifierType kind, const std::vector<uint8_t>& value);
    void offer_lifetime(uint32_t seconds) { offer_lifetime_.push_back(seconds); }
    void fake_allocation(bool fake) { fake_allocation_ = fake; }
    void remove_lease(bool remove) { remove_lease_ = remove; }
    void skipped(bool skipped) { is_skipped_ = skipped; }

  private:
    void clear();
    static bool debug();

    Span add(const void* data, size_t len);
    Span add(const std::string& text) { return add(text.data(), text.size()); }
    Span add(const std::vector<uint8_t>& data) { return add(data.data(), data.size()); }
    Span add(const isc::asiolink::IOAddress& address);
    template <typename Read>
    Span attempt(Read read);

    template <typename Fact, typename Packet>
    void add_unparsed(std::vector<Fact>& list, Packet& packet);
    void add_packet(std::vector<Packet4>& list, isc::dhcp::Pkt4& packet, bool understood = true);
    void add_packet(std::vector<Packet6>& list, isc::dhcp::Pkt6& packet, bool understood = true);
    Span data(const isc::dhcp::OptionPtr& option);
    Span options(const isc::dhcp::OptionCollection& all);
    void options_at(uint8_t depth, const isc::dhcp::OptionCollection& all);
    Span wire(const isc::dhcp::Pkt& packet);
    Span again4(const Packet4& fact, const isc::dhcp::OptionCollection& held);
    Span again6(const Span& wire, size_t layer, const Span& held);
    Span classes(const isc::dhcp::Pkt& packet);
    Span relays(const isc::dhcp::Pkt6& packet, const Span& wire);
    HwAddr hwaddr(isc::dhcp::Pkt6& packet);
    HwAddr hwaddr(const isc::dhcp::HWAddrPtr& address);
    static std::array<uint8_t, 16> address(const isc::asiolink::IOAddress& address);

    Lease lease_of_either(const isc::dhcp::Lease& lease);
    void add_lease(std::vector<Lease>& list, const isc::dhcp::Lease4Ptr& lease);
    void add_lease(std::vector<Lease>& list, const isc::dhcp::Lease6Ptr& lease);
    template <typename Leases>
    void add_leases(std::vector<Lease>& list, const Leases& leases);
    template <typename SubnetPtr>
    void add_subnet(const SubnetPtr& subnet);
    template <typename Network, typename SubnetPtr>
    void describe(const SubnetPtr& subnet, const char* space, uint16_t domain_name, uint16_t dns_servers);

    std::vector<uint8_t> bytes_;
    /// How many of them are the query's.
    size_t query_bytes_ = 0;
    std::vector<Span> names_;
    std::vector<OptionFact> options_;
    std::vector<Relay> relays_;
    std::vector<Packet4> query4_, response4_;
    std::vector<Packet6> query6_, response6_;
    std::vector<Subnet> subnet_;
    std::vector<Lease> lease_, old_lease_, committed_, deleted_, others_;
    std::vector<LookedUpBy> looked_up_by_;
    std::vector<Ia> ia_;
    std::vector<Ddns> ddns_;
    std::vector<HostIdentifier> host_identifier_;
    std::vector<uint32_t> offer_lifetime_;
    bool fake_allocation_ = false;
    bool remove_lease_ = false;
    bool is_skipped_ = false;
    bool is_reserved_ = false;
    /// Where options are packed.
    isc::util::OutputBuffer packed_{0};
};

template <typename T>
rust::Slice<const T> slice(const std::vector<T>& list) {
    return {list.data(), list.size()};
}

template <typename SubnetPtr>
void FactsBuilder::add_subnet(const SubnetPtr& subnet) {
    Subnet fact{NO_FACT, 0, 0, NO_FACT, NO_FACT, NO_FACT, NO_FACT, NO_FACT};
    if (subnet) {
        const auto prefix = subnet->get();
        fact.prefix = add(prefix.first.toBytes());
        fact.prefix_len = prefix.second;
        fact.id = subnet->getID();
    }
    subnet_.push_back(fact);
}

/// What a span means; nothing if it is absent.
template <typename T>
rust::Slice<const T> part(const std::vector<T>& list, const Span& span) {
    return span.start == ABSENT ? rust::Slice<const T>() : rust::Slice<const T>(list.data() + span.start, span.len);
}

/// The first option of this code; null if there is none.
isc::dhcp::OptionPtr option_of(const isc::dhcp::OptionCollection& options, uint16_t code);

/// For what Kea may throw at, given what a client can send.
template <typename Read>
Span FactsBuilder::attempt(Read read) {
    try {
        return add(read());
    } catch (const std::exception&) {
        return NO_FACT;
    }
}

} // namespace runscript
