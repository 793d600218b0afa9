#include "facts.h"

#include <dhcp/dhcp4.h>
#include <dhcp/pkt4o6.h>

#include <boost/make_shared.hpp>

namespace runscript {
namespace {

using isc::dhcp::OptionPtr;
using isc::dhcp::Pkt;
using isc::dhcp::Pkt4;
using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6;
using isc::dhcp::Pkt6Ptr;

uint32_t ipv4(const isc::asiolink::IOAddress& address) { return address.isV4() ? address.toUint32() : 0; }

/// The packet that has the addresses and ports: of DHCPv4 over DHCPv6 the one around it (RFC 7341).
const Pkt& outermost(const Pkt& packet) { return packet; }
const Pkt& outermost(const Pkt4& packet) {
    if (packet.isDhcp4o6()) {
        return *static_cast<const isc::dhcp::Pkt4o6&>(packet).getPkt6();
    }
    return packet;
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
    const Pkt& outer = outermost(packet);
    copy->setLocalAddr(outer.getLocalAddr());
    copy->setLocalPort(outer.getLocalPort());
    copy->setRemoteAddr(outer.getRemoteAddr());
    copy->setRemotePort(outer.getRemotePort());
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
        query_bytes_ = bytes_.size();
    }
}

void FactsBuilder::query(const Pkt6Ptr& packet) {
    if (packet) {
        add_packet(query6_, *packet);
        query_bytes_ = bytes_.size();
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
    fact.secs = packet.getSecs();
    fact.flags = packet.getFlags();
    fact.transaction_id = packet.getTransid();
    const Pkt& outer = outermost(packet);
    fact.local_address = add(outer.getLocalAddr());
    fact.local_port = outer.getLocalPort();
    fact.remote_address = add(outer.getRemoteAddr());
    fact.remote_port = outer.getRemotePort();
    fact.local_hwaddr = hwaddr(packet.getLocalHWAddr());
    fact.remote_hwaddr = hwaddr(packet.getRemoteHWAddr());
    fact.classes = classes(packet);
    const OptionPtr vendor_class = option_of(packet.options_, isc::dhcp::DHO_VENDOR_CLASS_IDENTIFIER);
    fact.vendor_class = vendor_class ? attempt([&] { return vendor_class->toString(); }) : NO_FACT;
    const OptionPtr rai = option_of(packet.options_, isc::dhcp::DHO_DHCP_AGENT_OPTIONS);
    fact.rai = data(rai);
    fact.circuit_id = data(rai ? rai->getOption(isc::dhcp::RAI_OPTION_AGENT_CIRCUIT_ID) : rai);
    fact.remote_id = data(rai ? rai->getOption(isc::dhcp::RAI_OPTION_REMOTE_ID) : rai);
    fact.options = options(packet.options_);
    fact.wire = wire(packet);
    fact.again = again4(fact, packet.options_);
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
    fact.remote_hwaddr = hwaddr(packet.getRemoteHWAddr());
    fact.is_tcp = packet.getProto() == Pkt6::TCP;
    // Kea's check of it costs less than Kea's text.
    fact.has_duid = packet.getClientId() != nullptr;
    fact.classes = classes(packet);
    fact.debug = debug() ? attempt([&] { return packet.toText(); }) : NO_FACT;
    fact.options = options(packet.options_);
    fact.wire = wire(packet);
    fact.again = again6(fact.wire, packet.relay_info_.size(), fact.options);
    fact.relays = relays(packet, fact.wire);
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
    const auto start = static_cast<uint32_t>(names_.size());
    for (const std::string& name : packet.getClasses()) {
        names_.push_back(add(name));
    }
    return {start, static_cast<uint32_t>(names_.size()) - start};
}

/// Kea keeps the relayed message itself out of a relay's options.
Span FactsBuilder::relays(const Pkt6& packet, const Span& wire) {
    const auto start = static_cast<uint32_t>(relays_.size());
    for (const Pkt6::RelayInfo& relay : packet.relay_info_) {
        const Span its_options = options(relay.options_);
        relays_.push_back({relay.hop_count_, address(relay.linkaddr_), address(relay.peeraddr_), its_options,
                           again6(wire, relays_.size() - start, its_options)});
    }
    return {start, static_cast<uint32_t>(relays_.size()) - start};
}

} // namespace runscript
