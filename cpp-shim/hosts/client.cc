#include "client.h"

#include "../facts.h"

#include <dhcpsrv/cfg_host_operations.h>
#include <dhcpsrv/cfg_mac_source.h>
#include <dhcpsrv/srv_config.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::dhcp::CfgMgr;
using isc::dhcp::Host;
using isc::dhcp::OptionPtr;
using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6Ptr;

using Bytes = std::vector<uint8_t>;

/// RFC 4361, 6.1: a type, an IAID of four bytes, and a DUID.
Bytes duid_in(const Bytes& client_id) {
    constexpr uint8_t TYPE = 255;
    constexpr size_t BEFORE = 5;
    const bool has_duid = client_id.size() > BEFORE && client_id.front() == TYPE;
    return has_duid ? Bytes(client_id.begin() + BEFORE, client_id.end()) : Bytes();
}

Bytes data(const OptionPtr& option) { return option ? option->getData() : Bytes(); }

Bytes circuit_id(const Pkt4Ptr& query) {
    const OptionPtr rai = option_of(query->options_, isc::dhcp::DHO_DHCP_AGENT_OPTIONS);
    return data(rai ? rai->getOption(isc::dhcp::RAI_OPTION_AGENT_CIRCUIT_ID) : rai);
}

Bytes duid_of(const Pkt6Ptr& query) {
    const auto duid = query->getClientId();
    return duid ? duid->getDuid() : Bytes();
}

Bytes identifier(const Pkt4Ptr& query, Host::IdentifierType type) {
    switch (type) {
    case Host::IDENT_HWADDR:
        return hwaddr_of(query);
    case Host::IDENT_DUID:
        return duid_in(client_id_of(query));
    case Host::IDENT_CLIENT_ID:
        return client_id_of(query);
    case Host::IDENT_CIRCUIT_ID:
        return circuit_id(query);
    default:
        return {};
    }
}

Bytes identifier(const Pkt6Ptr& query, Host::IdentifierType type) {
    switch (type) {
    case Host::IDENT_HWADDR:
        return hwaddr_of(query);
    case Host::IDENT_DUID:
        return duid_of(query);
    default:
        return {};
    }
}

template <typename Packet>
std::vector<Identity> all(const Packet& query, const std::list<Host::IdentifierType>& types) {
    std::vector<Identity> found;
    for (const Host::IdentifierType type : types) {
        Bytes bytes = identifier(query, type);
        if (!bytes.empty()) {
            found.push_back({type, std::move(bytes)});
        }
    }
    return found;
}

} // namespace

std::vector<Identity> identifiers_of(const Pkt4Ptr& query) {
    return all(query, CfgMgr::instance().getCurrentCfg()->getCfgHostOperations4()->getIdentifierTypes());
}

std::vector<Identity> identifiers_of(const Pkt6Ptr& query) {
    return all(query, CfgMgr::instance().getCurrentCfg()->getCfgHostOperations6()->getIdentifierTypes());
}

std::optional<Identity> own(const std::vector<Identity>& identifiers) {
    const auto found = std::find_if(identifiers.begin(), identifiers.end(),
                                    [](const Identity& one) { return one.type != Host::IDENT_CIRCUIT_ID; });
    return found == identifiers.end() ? std::nullopt : std::optional(*found);
}

Bytes client_id_of(const Pkt4Ptr& query) {
    return data(option_of(query->options_, isc::dhcp::DHO_DHCP_CLIENT_IDENTIFIER));
}

Bytes client_id_of(const Pkt6Ptr& query) { return duid_of(query); }

Bytes hwaddr_of(const Pkt4Ptr& query) {
    const auto hwaddr = query->getHWAddr();
    return hwaddr ? hwaddr->hwaddr_ : Bytes();
}

/// As Kea looks for it: by the sources of its configuration (`mac-sources`), and it throws at what is too short or too long.
Bytes hwaddr_of(const Pkt6Ptr& query) {
    for (const auto source : CfgMgr::instance().getCurrentCfg()->getMACSources().get()) {
        try {
            if (const auto hwaddr = query->getMAC(source)) {
                return hwaddr->hwaddr_;
            }
        } catch (const std::exception&) {
            return {};
        }
    }
    return {};
}

} // namespace runscript
