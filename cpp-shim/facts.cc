#include "facts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <atomic>

namespace runscript {
namespace {

/// An array that one event has made larger than this is given back before the next.
constexpr size_t KEPT_BYTES = 1024 * 1024;

std::atomic<bool> debug_wanted{false};

template <typename T>
void reuse(std::vector<T>& list) {
    list.clear();
    if (list.capacity() * sizeof(T) > KEPT_BYTES) {
        list.shrink_to_fit();
    }
}

} // namespace

FactsBuilder& FactsBuilder::fresh() {
    thread_local FactsBuilder builder;
    builder.clear();
    return builder;
}

void FactsBuilder::set_debug(bool wanted) { debug_wanted = wanted; }

void FactsBuilder::clear() {
    reuse(bytes_);
    query_bytes_ = 0;
    reuse(names_);
    reuse(options_);
    reuse(relays_);
    reuse(query4_);
    reuse(response4_);
    reuse(query6_);
    reuse(response6_);
    reuse(subnet_);
    reuse(lease_);
    reuse(old_lease_);
    reuse(committed_);
    reuse(deleted_);
    reuse(others_);
    reuse(looked_up_by_);
    reuse(ia_);
    reuse(ddns_);
    reuse(host_identifier_);
    reuse(offer_lifetime_);
    fake_allocation_ = false;
    remove_lease_ = false;
    is_skipped_ = false;
    is_reserved_ = false;
}

void FactsBuilder::next_lease() {
    bytes_.resize(query_bytes_);
    subnet_.clear();
    lease_.clear();
    old_lease_.clear();
    others_.clear();
    is_reserved_ = false;
}

Facts FactsBuilder::facts() const {
    Facts facts{};
    facts.bytes = slice(bytes_);
    facts.names = slice(names_);
    facts.options = slice(options_);
    facts.relays = slice(relays_);
    facts.query4 = slice(query4_);
    facts.response4 = slice(response4_);
    facts.query6 = slice(query6_);
    facts.response6 = slice(response6_);
    facts.subnet = slice(subnet_);
    facts.lease = slice(lease_);
    facts.old_lease = slice(old_lease_);
    facts.committed = slice(committed_);
    facts.deleted = slice(deleted_);
    facts.others = slice(others_);
    facts.looked_up_by = slice(looked_up_by_);
    facts.ia = slice(ia_);
    facts.ddns = slice(ddns_);
    facts.host_identifier = slice(host_identifier_);
    facts.offer_lifetime = slice(offer_lifetime_);
    facts.fake_allocation = fake_allocation_;
    facts.remove_lease = remove_lease_;
    facts.is_skipped = is_skipped_;
    facts.is_reserved = is_reserved_;
    return facts;
}

Span FactsBuilder::add(const void* data, size_t len) {
    const auto* first = static_cast<const uint8_t*>(data);
    const Span span{static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(len)};
    bytes_.insert(bytes_.end(), first, first + len);
    return span;
}

Span FactsBuilder::add(const isc::asiolink::IOAddress& address) {
    if (!address.isV4()) {
        return add(address.toBytes());
    }
    const uint32_t bytes = htonl(address.toUint32());
    return add(&bytes, sizeof bytes);
}

bool FactsBuilder::debug() { return debug_wanted; }

std::array<uint8_t, 16> FactsBuilder::address(const isc::asiolink::IOAddress& address) {
    std::array<uint8_t, 16> either{};
    const std::vector<uint8_t> bytes = address.toBytes();
    std::copy_n(bytes.begin(), std::min(bytes.size(), either.size()), either.begin());
    return either;
}

HwAddr FactsBuilder::hwaddr(const isc::dhcp::HWAddrPtr& address) {
    if (!address) {
        return {NO_FACT, 0, 0};
    }
    return {add(address->hwaddr_), address->htype_, address->source_};
}

void FactsBuilder::subnet(const Subnet4Argument& subnet) { add_subnet(subnet); }
void FactsBuilder::subnet(const Subnet6Argument& subnet) { add_subnet(subnet); }

Lease FactsBuilder::lease_of_either(const isc::dhcp::Lease& lease) {
    Lease fact{};
    fact.kind = static_cast<uint8_t>(lease.getType());
    fact.address = address(lease.addr_);
    fact.hwaddr = hwaddr(lease.hwaddr_);
    fact.client = NO_FACT;
    fact.hostname = add(lease.hostname_);
    fact.cltt = lease.cltt_;
    fact.valid_lft = lease.valid_lft_;
    fact.subnet_id = lease.subnet_id_;
    fact.pool_id = pool_id(lease, ABSENT);
    fact.state = lease.state_;
    fact.expired = lease.expired();
    fact.fqdn_fwd = lease.fqdn_fwd_;
    fact.fqdn_rev = lease.fqdn_rev_;
    const auto context = lease.getContext();
    fact.user_context = context ? add(context->str()) : NO_FACT;
    fact.debug = debug() ? attempt([&] { return lease.toText(); }) : NO_FACT;
    return fact;
}

void FactsBuilder::add_lease(std::vector<Lease>& list, const isc::dhcp::Lease4Ptr& lease) {
    if (!lease) {
        return;
    }
    Lease fact = lease_of_either(*lease);
    if (lease->client_id_) {
        fact.client = add(lease->client_id_->getClientId());
    }
    list.push_back(fact);
}

void FactsBuilder::add_lease(std::vector<Lease>& list, const isc::dhcp::Lease6Ptr& lease) {
    if (!lease) {
        return;
    }
    Lease fact = lease_of_either(*lease);
    if (lease->duid_) {
        fact.client = add(lease->duid_->getDuid());
    }
    fact.prefix_len = lease->prefixlen_;
    fact.preferred_lft = lease->preferred_lft_;
    fact.iaid = lease->iaid_;
    list.push_back(fact);
}

template <typename Leases>
void FactsBuilder::add_leases(std::vector<Lease>& list, const Leases& leases) {
    if (!leases) {
        return;
    }
    for (const auto& lease : *leases) {
        add_lease(list, lease);
    }
}

void FactsBuilder::lease(const isc::dhcp::Lease4Ptr& lease) { add_lease(lease_, lease); }
void FactsBuilder::lease(const isc::dhcp::Lease6Ptr& lease) { add_lease(lease_, lease); }
void FactsBuilder::old_lease(const isc::dhcp::Lease4Ptr& lease) { add_lease(old_lease_, lease); }
void FactsBuilder::old_lease(const isc::dhcp::Lease6Ptr& lease) { add_lease(old_lease_, lease); }
void FactsBuilder::committed(const isc::dhcp::Lease4CollectionPtr& leases) { add_leases(committed_, leases); }
void FactsBuilder::committed(const isc::dhcp::Lease6CollectionPtr& leases) { add_leases(committed_, leases); }
void FactsBuilder::deleted(const isc::dhcp::Lease4CollectionPtr& leases) { add_leases(deleted_, leases); }
void FactsBuilder::deleted(const isc::dhcp::Lease6CollectionPtr& leases) { add_leases(deleted_, leases); }

void FactsBuilder::looked_up_by(const isc::dhcp::ClientIdPtr& client_id, const isc::dhcp::HWAddrPtr& address) {
    looked_up_by_.push_back({client_id ? add(client_id->getClientId()) : NO_FACT, hwaddr(address)});
}

void FactsBuilder::ia(const isc::dhcp::Option6IAPtr& option) {
    if (option) {
        ia_.push_back({option->getType(), option->getIAID(), option->getT1(), option->getT2()});
    }
}

void FactsBuilder::ddns(const std::string& hostname, bool fwd_update, bool rev_update) {
    ddns_.push_back({add(hostname), fwd_update, rev_update});
}

void FactsBuilder::host_identifier(isc::dhcp::Host::IdentifierType kind, const std::vector<uint8_t>& value) {
    host_identifier_.push_back({static_cast<uint32_t>(kind), add(value)});
}

} // namespace runscript
