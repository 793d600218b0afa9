#include "store.h"

#include <algorithm>

namespace runscript {

using isc::asiolink::IOAddress;
using isc::dhcp::ConstHostCollection;
using isc::dhcp::ConstHostPtr;
using isc::dhcp::Host;
using isc::dhcp::HostPtr;
using isc::dhcp::IPv6Resrv;
using isc::dhcp::SUBNET_ID_UNUSED;
using isc::dhcp::SubnetID;

using Lock = std::lock_guard<std::mutex>;

namespace {

HostPtr copy_for(SubnetID subnet, const Host& host) {
    const HostPtr copy(new Host(host));
    host.getIPv4SubnetID() == SUBNET_ID_UNUSED ? copy->setIPv6SubnetID(subnet) : copy->setIPv4SubnetID(subnet);
    return copy;
}

ConstHostPtr in(SubnetID subnet, const Reserved& reserved) {
    if (subnet == reserved.subnets.front()) {
        return reserved.host;
    }
    return reserved.elsewhere ? copy_for(subnet, *reserved.elsewhere) : HostPtr();
}

bool is_one_client(const Reserved& one, const Reserved& other) {
    return one.client == other.client || (!one.hwaddr.empty() && one.hwaddr == other.hwaddr) ||
           (!one.id.empty() && one.id == other.id);
}

} // namespace

std::string Identity::text() const { return Host::getIdentifierAsText(type, bytes.data(), bytes.size()); }

bool Reserved::counts_in(SubnetID subnet) const {
    return std::find(subnets.begin(), subnets.end(), subnet) != subnets.end();
}

std::vector<IOAddress> addresses_of(const Host& host, bool with_prefixes) {
    std::vector<IOAddress> addresses;
    if (!host.getIPv4Reservation().isV4Zero()) {
        addresses.push_back(host.getIPv4Reservation());
    }
    const auto range = with_prefixes ? host.getIPv6Reservations() : host.getIPv6Reservations(IPv6Resrv::TYPE_NA);
    for (auto one = range.first; one != range.second; ++one) {
        addresses.push_back(one->second.getPrefix());
    }
    return addresses;
}

void HostStore::set_limit(size_t limit) {
    const Lock lock(mutex_);
    limit_ = limit;
    make_room(limit);
}

void HostStore::make_room(size_t most) {
    while (by_client_.size() > most) {
        erase(nothing_.empty() ? reserved_.begin() : nothing_.begin());
    }
}

const HostStore::All::iterator* HostStore::find_of(SubnetID subnet, const Identity& client) const {
    const auto range = by_client_.equal_range(client);
    for (auto one = range.first; one != range.second; ++one) {
        if (one->second->counts_in(subnet)) {
            return &one->second;
        }
    }
    return nullptr;
}

void HostStore::erase(All::iterator one) {
    const auto range = by_client_.equal_range(one->client);
    by_client_.erase(std::find_if(range.first, range.second, [&](const auto& entry) { return entry.second == one; }));
    if (one->host) {
        for (const IOAddress& address : addresses_of(*one->host, true)) {
            by_address_.erase({one->subnets.front(), address});
        }
    }
    list_of(*one).erase(one);
}

bool HostStore::renew(SubnetID subnet, const Identity& client, const std::string& text) {
    const Lock lock(mutex_);
    const auto one = find_of(subnet, client);
    if (!one || (*one)->text != text || (*one)->is_outdated) {
        return false;
    }
    reserved_.splice(reserved_.end(), reserved_, *one);
    return true;
}

void HostStore::erase_all(std::vector<All::iterator> some) {
    std::sort(some.begin(), some.end(), [](auto one, auto other) { return &*one < &*other; });
    some.erase(std::unique(some.begin(), some.end()), some.end());
    for (const auto one : some) {
        erase(one);
    }
}

std::optional<Identity> HostStore::put(Reserved reserved) {
    const Lock lock(mutex_);
    const SubnetID home = reserved.subnets.front();
    const auto addresses = reserved.host ? addresses_of(*reserved.host, true) : std::vector<IOAddress>();
    std::vector<All::iterator> replaced;
    for (const IOAddress& address : addresses) {
        const auto other = by_address_.find({home, address});
        if (other == by_address_.end()) {
            continue;
        }
        const bool gives_way = !other->second->is_answered() && reserved.is_answered();
        const bool may_not = other->second->is_answered() && !reserved.is_answered();
        if (may_not || !(gives_way || is_one_client(*other->second, reserved))) {
            return other->second->client;
        }
        replaced.push_back(other->second);
    }
    for (const SubnetID subnet : reserved.subnets) {
        if (const auto one = find_of(subnet, reserved.client)) {
            replaced.push_back(*one);
        }
    }
    erase_all(std::move(replaced));
    const bool is_full = by_client_.size() >= limit_;
    if (limit_ == 0 || (is_full && !reserved.host && nothing_.empty())) {
        return std::nullopt;
    }
    make_room(limit_ - 1);
    All& list = list_of(reserved);
    const auto one = list.insert(list.end(), std::move(reserved));
    by_client_.emplace(one->client, one);
    for (const IOAddress& address : addresses) {
        by_address_.emplace(Address{home, address}, one);
    }
    return std::nullopt;
}

void HostStore::remove(SubnetID subnet, const Identity& client) {
    const Lock lock(mutex_);
    if (const auto one = find_of(subnet, client)) {
        erase(*one);
    }
}

bool HostStore::is_answered(SubnetID subnet, const Identity& client) const {
    const Lock lock(mutex_);
    const auto one = find_of(subnet, client);
    return one && (!(*one)->host || (*one)->is_answered());
}

ConstHostPtr HostStore::find(SubnetID subnet, const Identity& client) const {
    const Lock lock(mutex_);
    const auto one = find_of(subnet, client);
    return one ? in(subnet, **one) : ConstHostPtr();
}

ConstHostPtr HostStore::whole(SubnetID subnet, const Identity& client) const {
    const Lock lock(mutex_);
    const auto one = find_of(subnet, client);
    return one ? (*one)->host : HostPtr();
}

ConstHostPtr HostStore::find(SubnetID subnet, const IOAddress& address) const {
    const Lock lock(mutex_);
    const auto found = by_address_.find({subnet, address});
    return found != by_address_.end() && found->second->is_answered() ? found->second->host : HostPtr();
}

bool HostStore::has(SubnetID subnet, const IOAddress& address) const {
    const Lock lock(mutex_);
    return by_address_.count({subnet, address}) > 0;
}

ConstHostCollection HostStore::find(const Identity& client) const {
    const Lock lock(mutex_);
    ConstHostCollection hosts;
    const auto range = by_client_.equal_range(client);
    for (auto one = range.first; one != range.second; ++one) {
        const Reserved& reserved = *one->second;
        for (const SubnetID subnet : reserved.subnets) {
            if (const ConstHostPtr host = in(subnet, reserved)) {
                hosts.push_back(host);
            }
        }
    }
    return hosts;
}

void HostStore::clear() {
    remove_if([](const Reserved&) { return true; });
}

size_t HostStore::size() const {
    const Lock lock(mutex_);
    return reserved_.size();
}

HostStore& host_store() {
    static HostStore store;
    return store;
}

} // namespace runscript
