// What a lease keeps: where its client was heard, and whether a reservation of ours has given it. A text in its user
// context, under a key of ours.

#include "lease_origin.h"

#include "kea-hook-runscript/src/bridge.rs.h"

#include <cc/data.h>

#include <boost/algorithm/string/predicate.hpp>

namespace runscript {
namespace {

using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;

/// leases/origin.rs has its twin.
constexpr const char* KEY = "runscript";
/// The same.
constexpr const char* RESERVED = "reserved";

using Bytes = std::vector<uint8_t>;

std::string origin(const std::string& interface, const Bytes& next_hop, const Bytes& link, const Bytes& peer) {
    const auto bytes = [](const auto& part) {
        return rust::Slice<const uint8_t>(reinterpret_cast<const uint8_t*>(part.data()), part.size());
    };
    return static_cast<std::string>(lease_origin(bytes(interface), bytes(next_hop), bytes(link), bytes(peer)));
}

std::string kept_text(const isc::dhcp::Lease& lease) {
    const ConstElementPtr context = lease.getContext();
    const ConstElementPtr kept = context && context->getType() == Element::map ? context->get(KEY) : ConstElementPtr();
    return kept && kept->getType() == Element::string ? kept->stringValue() : "";
}

/// What others keep there stays. Whether that is a change.
bool keep_text(isc::dhcp::Lease& lease, const std::string& text) {
    if (kept_text(lease) == text) {
        return false;
    }
    const ConstElementPtr context = lease.getContext();
    const ElementPtr changed = Element::createMap();
    if (context && context->getType() == Element::map) {
        changed->setValue(context->mapValue());
    }
    if (text.empty()) {
        changed->remove(KEY);
    } else {
        changed->set(KEY, Element::create(text));
    }
    lease.setContext(changed->size() == 0 ? ConstElementPtr() : ConstElementPtr(changed));
    return true;
}

/// An origin, and behind it whether a reservation has given the lease.
std::string join(const std::string& origin, bool reserved) {
    return !reserved ? origin : origin.empty() ? RESERVED : origin + " " + RESERVED;
}

} // namespace

std::string origin_of(const isc::dhcp::Pkt4Ptr& query) {
    return origin(query->getIface(), query->isRelayed() ? query->getGiaddr().toBytes() : Bytes(), {}, {});
}

/// The last of the relays is the nearest to the client.
std::string origin_of(const isc::dhcp::Pkt6Ptr& query) {
    const auto& relays = query->relay_info_;
    const Bytes link = relays.empty() ? Bytes() : relays.back().linkaddr_.toBytes();
    const Bytes peer = relays.empty() ? Bytes() : relays.back().peeraddr_.toBytes();
    return origin(query->getIface(), query->getRemoteAddr().toBytes(), link, peer);
}

bool is_reserved(const isc::dhcp::Lease& lease) {
    const std::string text = kept_text(lease);
    return text == RESERVED || boost::algorithm::ends_with(text, std::string(" ") + RESERVED);
}

void set_reserved(isc::dhcp::Lease& lease, bool reserved) { keep_text(lease, join(kept_origin(lease), reserved)); }

std::string kept_origin(const isc::dhcp::Lease& lease) {
    const std::string text = kept_text(lease);
    if (!is_reserved(lease)) {
        return text;
    }
    const size_t space = text.rfind(' ');
    return space == std::string::npos ? "" : text.substr(0, space);
}

bool keep_origin(isc::dhcp::Lease& lease, const std::string& origin) {
    return keep_text(lease, join(origin, is_reserved(lease)));
}

} // namespace runscript
