#include "facts.h"

#include <dhcp/dhcp4.h>

#include <boost/make_shared.hpp>

#include <algorithm>
#include <typeinfo>

namespace runscript {
namespace {

using isc::dhcp::OptionCollection;
using isc::dhcp::OptionPtr;
using isc::dhcp::Pkt;
using isc::dhcp::Pkt4;
using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6;
using isc::dhcp::Pkt6Ptr;

/// Deepest option that is taken apart: 0 is a packet's own option.
constexpr uint8_t MAX_DEPTH = 3;

/// DHCPv4 over DHCPv6 has packets of one family on addresses of the other.
uint32_t ipv4(const isc::asiolink::IOAddress& address) { return address.isV4() ? address.toUint32() : 0; }

OptionPtr option(const OptionCollection& options, uint16_t code) {
    const auto found = options.find(code);
    return found == options.end() ? OptionPtr() : found->second;
}

/// Within a callout a packet replaces each option that somebody gets by a copy, even when Kea's own code gets it on our
/// behalf. Not while one of these lives.
class WithoutCopies {
  public:
    explicit WithoutCopies(Pkt& packet) : packet_(packet), was_(packet.isCopyRetrievedOptions()) {
        packet_.setCopyRetrievedOptions(false);
    }
    ~WithoutCopies() { packet_.setCopyRetrievedOptions(was_); }

  private:
    Pkt& packet_;
    const bool was_;
};

/// A copy of a packet as it came from the wire; throws if it is too short to be one.
template <typename Packet>
boost::shared_ptr<Packet> copy_of_wire(const Packet& packet) {
    const auto copy = boost::make_shared<Packet>(packet.data_.data(), packet.data_.size());
    copy->setIface(packet.getIface());
    copy->setIndex(packet.getIndex());
    copy->setLocalAddr(packet.getLocalAddr());
    copy->setLocalPort(packet.getLocalPort());
    copy->setRemoteAddr(packet.getRemoteAddr());
    copy->setRemotePort(packet.getRemotePort());
    if (const auto hwaddr = packet.getRemoteHWAddr()) {
        copy->setRemoteHWAddr(hwaddr);
    }
    return copy;
}

/// Parses a packet as Kea will. False: Kea will drop it.
bool parse(Pkt& packet) {
    try {
        packet.unpack();
    } catch (const isc::dhcp::SkipRemainingOptionsError&) {
        // Kea makes do with the options before this one.
    } catch (const std::exception&) {
        return false;
    }
    return true;
}

} // namespace

void FactsBuilder::query(const Pkt4Ptr& packet) {
    if (packet) {
        add_packet(query4_, *packet);
    }
}

void FactsBuilder::query(const Pkt6Ptr& packet) {
    if (packet) {
        add_packet(query6_, *packet);
    }
}

void FactsBuilder::response(const Pkt4Ptr& packet) {
    if (packet) {
        add_packet(response4_, *packet);
    }
}

void FactsBuilder::response(const Pkt6Ptr& packet) {
    if (packet) {
        add_packet(response6_, *packet);
    }
}

void FactsBuilder::unparsed_query(const Pkt4Ptr& packet) {
    if (packet) {
        add_unparsed(query4_, *packet);
    }
}

void FactsBuilder::unparsed_query(const Pkt6Ptr& packet) {
    if (packet) {
        add_unparsed(query6_, *packet);
    }
}

template <typename Fact, typename Packet>
void FactsBuilder::add_unparsed(std::vector<Fact>& list, Packet& packet) {
    if (!packet.options_.empty()) {
        // Another library has parsed it for Kea.
        add_packet(list, packet);
        return;
    }
    boost::shared_ptr<Packet> copy;
    try {
        copy = copy_of_wire(packet);
    } catch (const std::exception&) {
        add_packet(list, packet, false);
        return;
    }
    const bool understood = parse(*copy);
    add_packet(list, *copy, understood);
}

void FactsBuilder::add_packet(std::vector<Packet4>& list, Pkt4& packet, bool understood) {
    Packet4 fact{};
    fact.name = understood ? attempt([&] { return std::string(packet.getName()); }) : add(std::string());
    fact.interface = add(packet.getIface());
    fact.ifindex = static_cast<uint32_t>(packet.getIndex());
    fact.hwaddr = hwaddr(packet.getHWAddr());
    fact.ciaddr = ipv4(packet.getCiaddr());
    fact.yiaddr = ipv4(packet.getYiaddr());
    fact.siaddr = ipv4(packet.getSiaddr());
    fact.giaddr = ipv4(packet.getGiaddr());
    fact.relayed = packet.isRelayed();
    fact.hops = packet.getHops();
    fact.transaction_id = packet.getTransid();
    fact.local_address = ipv4(packet.getLocalAddr());
    fact.local_port = packet.getLocalPort();
    fact.remote_address = ipv4(packet.getRemoteAddr());
    fact.remote_port = packet.getRemotePort();
    fact.classes = classes(packet);
    const OptionPtr vendor_class = option(packet.options_, isc::dhcp::DHO_VENDOR_CLASS_IDENTIFIER);
    fact.vendor_class = vendor_class ? attempt([&] { return vendor_class->toString(); }) : NO_FACT;
    const OptionPtr rai = option(packet.options_, isc::dhcp::DHO_DHCP_AGENT_OPTIONS);
    fact.rai = data(rai);
    fact.circuit_id = data(rai ? rai->getOption(isc::dhcp::RAI_OPTION_AGENT_CIRCUIT_ID) : rai);
    fact.remote_id = data(rai ? rai->getOption(isc::dhcp::RAI_OPTION_REMOTE_ID) : rai);
    fact.options = options(packet.options_);
    list.push_back(fact);
}

void FactsBuilder::add_packet(std::vector<Packet6>& list, Pkt6& packet, bool understood) {
    const WithoutCopies without_copies(packet);
    Packet6 fact{};
    fact.name = add(understood ? std::string(packet.getName()) : std::string());
    fact.interface = add(packet.getIface());
    fact.ifindex = static_cast<uint32_t>(packet.getIndex());
    fact.hwaddr = hwaddr(packet);
    fact.transaction_id = packet.getTransid();
    fact.local_address = address(packet.getLocalAddr());
    fact.local_port = packet.getLocalPort();
    fact.remote_address = address(packet.getRemoteAddr());
    fact.remote_port = packet.getRemotePort();
    // Kea's check of it costs less than Kea's text.
    fact.has_duid = packet.getClientId() != nullptr;
    fact.classes = classes(packet);
    fact.debug = debug() ? attempt([&] { return packet.toText(); }) : NO_FACT;
    fact.options = options(packet.options_);
    fact.relays = relays(packet);
    list.push_back(fact);
}

/// Kea looks for it in whatever the client and the relays have sent, and throws at what is too short or too long.
HwAddr FactsBuilder::hwaddr(Pkt6& packet) {
    isc::dhcp::HWAddrPtr found;
    try {
        found = packet.getMAC(isc::dhcp::HWAddr::HWADDR_SOURCE_ANY);
    } catch (const std::exception&) {
    }
    return hwaddr(found);
}

Span FactsBuilder::classes(const Pkt& packet) {
    const auto start = static_cast<uint32_t>(bytes_.size());
    for (const std::string& name : packet.getClasses()) {
        add(name.c_str(), name.size() + 1);
    }
    return {start, static_cast<uint32_t>(bytes_.size()) - start};
}

/// Kea keeps the relayed message itself out of a relay's options.
Span FactsBuilder::relays(const Pkt6& packet) {
    const auto start = static_cast<uint32_t>(relays_.size());
    for (const Pkt6::RelayInfo& relay : packet.relay_info_) {
        relays_.push_back(
            {relay.hop_count_, address(relay.linkaddr_), address(relay.peeraddr_), options(relay.options_)});
    }
    return {start, static_cast<uint32_t>(relays_.size()) - start};
}

Span FactsBuilder::options(const OptionCollection& all) {
    const auto start = static_cast<uint32_t>(options_.size());
    options_at(0, all);
    return {start, static_cast<uint32_t>(options_.size()) - start};
}

void FactsBuilder::options_at(uint8_t depth, const OptionCollection& all) {
    for (const auto& entry : all) {
        const OptionPtr& option = entry.second;
        if (!option) {
            continue;
        }
        options_.push_back({option->getType(), depth, data(option)});
        if (depth < MAX_DEPTH) {
            options_at(depth + 1, option->getOptions());
        }
    }
}

/// What follows the option's header on the wire. Packed without Kea's check of the length: it joins the parts of an
/// option that is longer than 255 bytes, and takes it apart again only for the wire.
Span FactsBuilder::data(const OptionPtr& option) {
    if (!option) {
        return NO_FACT;
    }
    // Most options are bytes and nothing else: what is packed is what they hold.
    const isc::dhcp::Option& plain = *option;
    if (typeid(plain) == typeid(isc::dhcp::Option) && plain.getOptions().empty()) {
        return add(plain.getData());
    }
    packed_.clear();
    try {
        option->pack(packed_, false);
    } catch (const std::exception&) {
        return add(option->getData());
    }
    const size_t header = std::min<size_t>(option->getHeaderLen(), packed_.getLength());
    return add(data_of(packed_) + header, packed_.getLength() - header);
}

} // namespace runscript
