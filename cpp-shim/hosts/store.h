#pragma once

#include "versions.h"

#include <dhcpsrv/host.h>

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace runscript {

/// Whom a reservation is for: one identifier of a client, as Kea looks for reservations.
struct Identity {
    isc::dhcp::Host::IdentifierType type;
    std::vector<uint8_t> bytes;

    bool operator<(const Identity& other) const { return std::tie(type, bytes) < std::tie(other.type, other.bytes); }
    bool operator==(const Identity& other) const { return std::tie(type, bytes) == std::tie(other.type, other.bytes); }

    /// In Kea's words.
    std::string text() const;
};

/// What an answer has reserved for a client, or that its client has nothing reserved.
struct Reserved {
    Identity client;
    /// To know a client again that shows itself by another identifier.
    std::vector<uint8_t> hwaddr;
    /// DHCPv4: its client identifier; DHCPv6: its DUID.
    std::vector<uint8_t> id;
    /// Where it counts: all of a shared network. The first has the addresses.
    std::vector<isc::dhcp::SubnetID> subnets;
    /// For the first of these; null: nothing.
    isc::dhcp::HostPtr host;
    /// For the others: the same without addresses. Null where there are none.
    isc::dhcp::HostPtr elsewhere;
    /// The answer's own text; empty for what a lease has made.
    std::string text;
    /// Kea's configuration is another since.
    bool is_outdated = false;

    bool counts_in(isc::dhcp::SubnetID subnet) const;
    /// By an answer, not by a lease.
    bool is_answered() const { return host && !text.empty(); }
};

/// All that answers have reserved. Kea's threads read it and write it. The oldest goes for a new one; that a client has
/// nothing goes first, lest strangers of whom an answer says so drive out what is reserved.
class HostStore {
  public:
    void set_limit(size_t limit);

    /// Whether the client has just this there already; then it is the youngest now.
    bool renew(isc::dhcp::SubnetID subnet, const Identity& client, const std::string& text);
    /// Replaces what the client has in these subnets, unless another client has one of the addresses: then it returns that.
    /// What a lease has made gives way to what an answer says.
    std::optional<Identity> put(Reserved reserved);
    void remove(isc::dhcp::SubnetID subnet, const Identity& client);
    /// Whether an answer, not a lease, says what the client has there.
    bool is_answered(isc::dhcp::SubnetID subnet, const Identity& client) const;

    isc::dhcp::ConstHostPtr find(isc::dhcp::SubnetID subnet, const Identity& client) const;
    /// With the addresses, whichever subnet they are of.
    isc::dhcp::ConstHostPtr whole(isc::dhcp::SubnetID subnet, const Identity& client) const;
    /// Of those that answers have made: a lease protects its address itself.
    isc::dhcp::ConstHostPtr find(isc::dhcp::SubnetID subnet, const isc::asiolink::IOAddress& address) const;
    /// Of whatever has made it.
    bool has(isc::dhcp::SubnetID subnet, const isc::asiolink::IOAddress& address) const;
    /// In all subnets.
    isc::dhcp::ConstHostCollection find(const Identity& client) const;

    /// How many clients have something.
    size_t size() const;
    void clear();
    /// Removes what is `gone`; how many that were.
    template <typename Gone>
    size_t remove_if(Gone gone) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const size_t before = by_client_.size();
        for (All* list : {&reserved_, &nothing_}) {
            for (auto one = list->begin(); one != list->end();) {
                const auto next = std::next(one);
                if (gone(*one)) {
                    erase(one);
                }
                one = next;
            }
        }
        return before - by_client_.size();
    }

  private:
    using All = std::list<Reserved>;
    using Address = std::pair<isc::dhcp::SubnetID, isc::asiolink::IOAddress>;

    All& list_of(const Reserved& one) { return one.host ? reserved_ : nothing_; }
    /// Null if there is none.
    const All::iterator* find_of(isc::dhcp::SubnetID subnet, const Identity& client) const;
    void make_room(size_t most);
    void erase(All::iterator one);
    void erase_all(std::vector<All::iterator> some);

    mutable std::mutex mutex_;
    size_t limit_ = 0;
    /// The oldest first.
    All reserved_;
    All nothing_;
    std::multimap<Identity, All::iterator> by_client_;
    std::map<Address, All::iterator> by_address_;
};

/// What a reservation reserves: addresses, and prefixes by theirs.
std::vector<isc::asiolink::IOAddress> addresses_of(const isc::dhcp::Host& host, bool with_prefixes);

/// The one of this process.
HostStore& host_store();

} // namespace runscript
