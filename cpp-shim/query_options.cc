// Options of a query that scripts want to be others than they came. Kea made objects of them when it read the packet, and
// casts these to their classes later: only its own definitions make ours. An option is replaced, and never edited: other
// packets may share it.

#include "query_options.h"

#include "changes.h"
#include "facts.h"
#include "family.h"
#include "option_data.h"

#include <dhcp/duid.h>
#include <dhcp/libdhcp++.h>

namespace runscript {
namespace {

using isc::data::ElementPtr;
using isc::dhcp::LibDHCP;
using isc::dhcp::Option;
using isc::dhcp::OptionBuffer;
using isc::dhcp::OptionCollection;
using isc::dhcp::OptionPtr;
using isc::dhcp::Pkt4;
using isc::dhcp::Pkt6;

/// An option that has to stay as it came, and why.
struct Fixed {
    uint16_t code;
    const char* reason;
};

constexpr const char* TAKEN = "cannot be changed any more: by it Kea has taken the message";
constexpr const char* ASKED_FOR = "cannot be changed: Kea answers each one that the client has sent";

constexpr Fixed FIXED4[] = {
    {isc::dhcp::DHO_DHCP_MESSAGE_TYPE, TAKEN},
    {isc::dhcp::DHO_DHCP_SERVER_IDENTIFIER, TAKEN},
};

constexpr Fixed FIXED6[] = {
    {D6O_CLIENTID, "cannot be changed: the client takes no answer to another DUID than its own"},
    {D6O_SERVERID, TAKEN},
    {D6O_IA_NA, ASKED_FOR},
    {D6O_IA_TA, ASKED_FOR},
    {D6O_IA_PD, ASKED_FOR},
    {D6O_IAADDR, ASKED_FOR},
    {D6O_IAPREFIX, ASKED_FOR},
    {D6O_RELAY_MSG, "cannot be changed: it is the message that a relay forwards"},
    {D6O_DHCPV4_MSG, "cannot be changed: it is the DHCPv4 message inside"},
};

template <size_t size>
void expect_not_fixed(const Fixed (&fixed)[size], uint16_t code) {
    for (const Fixed& row : fixed) {
        expect(row.code != code, row.reason);
    }
}

/// Of any code, as many as there are.
void replace(OptionCollection& options, uint16_t code, const OptionPtr& option) {
    options.erase(code);
    if (option) {
        options.insert({code, option});
    }
}

/// Kea takes a client by its identifier (RFC 2132, 9.14) or by its hardware address, and gives the packet up if neither
/// will do.
void expect_known(const Pkt4& query, const OptionPtr& identifier) {
    if (identifier) {
        isc::dhcp::ClientId accepted(identifier->getData());
        return;
    }
    const auto address = query.getHWAddr();
    expect(address && !address->hwaddr_.empty(), "cannot go: the client has no hardware address");
}

/// Kea sends option 82 back to the relay: a longer one in parts, and its sub-options too.
constexpr size_t MOST_OF_AGENT = UINT8_MAX - Option::OPTION4_HDR_LEN;

/// Has Kea read option 82 anew, as if it had come so.
void change_agent_option(Pkt4& query, const NamedOption& wanted) {
    constexpr uint16_t AGENT = isc::dhcp::DHO_DHCP_AGENT_OPTIONS;
    isc::util::OutputBuffer packed(0);
    if (const OptionPtr held = option_of(query.options_, AGENT)) {
        for (const auto& sub : held->getOptions()) {
            if (sub.first != wanted.code) {
                sub.second->pack(packed);
            }
        }
    }
    if (wanted.option) {
        // What would be read as the end (255), and not as a sub-option.
        expect(wanted.code < UINT8_MAX, "has no code of a sub-option: give one from 1 to 254");
        wanted.option->pack(packed);
        expect(packed.getLength() <= MOST_OF_AGENT, "is too long: option 82 has room for 253 bytes");
    }
    if (packed.getLength() == 0) {
        return replace(query.options_, AGENT, nullptr);
    }
    const OptionBuffer data(data_of(packed), data_of(packed) + packed.getLength());
    const auto definition = LibDHCP::getOptionDef(DHCP4_OPTION_SPACE, AGENT);
    replace(query.options_, AGENT, definition->optionFactory(Option::V4, AGENT, data));
}

/// Of a longer one, which a relay tells by option 79 (RFC 6939), Kea gives the packet up.
void expect_hardware_address(const OptionPtr& option) {
    constexpr size_t MOST = Option::OPTION6_HDR_LEN + sizeof(uint16_t) + isc::dhcp::HWAddr::MAX_HWADDR_LEN;
    expect(!option || option->len() <= MOST,
           "is too long: a hardware address has up to 20 bytes, behind two of its type");
}

ElementPtr parsed(const std::string& map) { return isc::data::Element::fromJSON(map); }

} // namespace

void change_query(Pkt4& query, const std::string& text) {
    const ElementPtr map = parsed(text);
    expect(!map->contains("relay"),
           "names a relay: that is DHCPv6; a relay of DHCPv4 speaks in option 82, whose space is " +
               std::string(AGENT_OPTION_SPACE));
    const NamedOption wanted = read_option(AF_INET, map);
    if (wanted.space == AGENT_OPTION_SPACE) {
        return change_agent_option(query, wanted);
    }
    expect(wanted.space == DHCP4_OPTION_SPACE,
           "is of another option space: give the option around it, with its data in hex and csv-format false");
    expect_not_fixed(FIXED4, wanted.code);
    if (wanted.code == isc::dhcp::DHO_DHCP_CLIENT_IDENTIFIER) {
        expect_known(query, wanted.option);
    }
    expect(wanted.code != isc::dhcp::DHO_DHCP_AGENT_OPTIONS || !wanted.option ||
               wanted.option->len() <= MOST_OF_AGENT + Option::OPTION4_HDR_LEN,
           "is too long: option 82 has room for 253 bytes");
    replace(query.options_, wanted.code, wanted.option);
}

void change_query(Pkt6& query, const std::string& text) {
    const ElementPtr map = parsed(text);
    const auto relay = map->get("relay");
    map->remove("relay");
    const NamedOption wanted = read_option(AF_INET6, map);
    expect(wanted.space == DHCP6_OPTION_SPACE,
           "is of another option space: give the option around it, with its data in hex and csv-format false");
    expect_not_fixed(FIXED6, wanted.code);
    if (wanted.code == D6O_CLIENT_LINKLAYER_ADDR) {
        expect_hardware_address(wanted.option);
    }
    OptionCollection* options = &query.options_;
    if (relay) {
        const size_t passed = query.relay_info_.size(), index = static_cast<size_t>(relay->intValue());
        expect(index < passed, "is of a relay that the message has not passed: it has passed " +
                                   std::to_string(passed) + ", and relay 0 is the nearest to the server");
        options = &query.relay_info_[index].options_;
    }
    replace(*options, wanted.code, wanted.option);
}

} // namespace runscript
