#pragma once

// What a Windows client sends behind a relay, and what Kea answers, in objects as Kea has them: packed and parsed again.

#include "versions.h"

#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option.h>
#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/lease.h>

#include <ctime>
#include <initializer_list>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace windows_client {

using isc::asiolink::IOAddress;
using namespace isc::dhcp;
using Bytes = std::vector<uint8_t>;

/// Numbered from 0; all of them cost the same, for numbers are as long in text.
constexpr int CLIENTS = 50;

inline Bytes mac(int client) { return {0x00, 0x15, 0x5d, 0x2a, 0x3b, uint8_t(0x10 + client)}; }
inline std::string name(int client) { return "desktop-7kq2m" + std::to_string(10 + client); }
inline std::string domain_name(int client) { return name(client) + ".corp.example.org"; }
inline IOAddress address4(int client) { return IOAddress("10.20.4." + std::to_string(100 + client)); }
inline IOAddress address6(int client) { return IOAddress("2001:db8:20:4::" + std::to_string(100 + client)); }
inline IOAddress prefix6(int client) { return IOAddress("2001:db8:4200:" + std::to_string(10 + client) + "00::"); }

constexpr uint32_t LIFETIME = 3600;

inline Bytes text(const std::string& string) { return Bytes(string.begin(), string.end()); }

inline Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

inline Bytes bytes_of(const IOAddress& address) { return address.toBytes(); }
inline Bytes bytes_of(const char* address) { return IOAddress(address).toBytes(); }

/// As in a DNS message.
inline Bytes dns(const std::string& name) {
    Bytes labels;
    std::istringstream input(name);
    for (std::string label; std::getline(input, label, '.');) {
        labels.push_back(label.size());
        labels.insert(labels.end(), label.begin(), label.end());
    }
    labels.push_back(0);
    return labels;
}

inline Bytes number(uint32_t value) {
    return {uint8_t(value >> 24), uint8_t(value >> 16), uint8_t(value >> 8), uint8_t(value)};
}

/// As it is in a packet: code, length, data.
inline Bytes option6(uint16_t code, const Bytes& data) {
    return joined({{uint8_t(code >> 8), uint8_t(code), uint8_t(data.size() >> 8), uint8_t(data.size())}, data});
}

using Raw = std::initializer_list<std::pair<uint16_t, Bytes>>;

inline void add(Pkt& packet, Option::Universe universe, Raw options) {
    for (const auto& [code, data] : options) {
        packet.addOption(OptionPtr(new Option(universe, code, data)));
    }
}

/// What the other end makes of a packet.
template <typename Packet>
boost::shared_ptr<Packet> parsed(Packet& packet) {
    packet.pack();
    const auto& buffer = packet.getBuffer();
    boost::shared_ptr<Packet> copy(new Packet(runscript::data_of(buffer), buffer.getLength()));
    copy->unpack();
    copy->setIface("eth0");
    copy->setIndex(2);
    copy->updateTimestamp();
    return copy;
}

inline Pkt4Ptr packet4(uint8_t type, int client, const IOAddress& yours, Raw options) {
    Pkt4 packet(type, 0x3903f300 + client);
    packet.setHWAddr(HTYPE_ETHER, mac(client).size(), mac(client));
    packet.setGiaddr(IOAddress("10.20.0.1"));
    packet.setHops(1);
    packet.setYiaddr(yours);
    add(packet, Option::V4, options);
    add(packet, Option::V4,
        {{DHO_DHCP_AGENT_OPTIONS,
          joined({{1, 22}, text("ge-0/0/17.0:vlan-0204a"), {2, 6, 0x00, 0x1b, 0x21, 0xaa, 0xbb, 0xcc}})}});
    return parsed(packet);
}

inline Pkt4Ptr request4(int client) {
    const Pkt4Ptr query =
        packet4(DHCPREQUEST, client, IOAddress("0.0.0.0"),
                {{DHO_DHCP_CLIENT_IDENTIFIER, joined({{1}, mac(client)})},
                 {DHO_DHCP_REQUESTED_ADDRESS, bytes_of(address4(client))},
                 {DHO_DHCP_SERVER_IDENTIFIER, bytes_of("10.0.0.53")},
                 {DHO_HOST_NAME, text(name(client))},
                 {DHO_FQDN, joined({{0, 0, 0}, text(domain_name(client))})},
                 {DHO_VENDOR_CLASS_IDENTIFIER, text("MSFT 5.0")},
                 {DHO_DHCP_PARAMETER_REQUEST_LIST, {1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252}},
                 {DHO_DHCP_MAX_MESSAGE_SIZE, {0x05, 0xdc}}});
    query->setLocalAddr(IOAddress("10.0.0.53"));
    query->setRemoteAddr(IOAddress("10.20.0.1"));
    query->addClass("ALL");
    query->addClass("VENDOR_CLASS_MSFT 5.0");
    query->addClass("UNKNOWN");
    return query;
}

inline Pkt4Ptr ack4(int client) {
    return packet4(DHCPACK, client, address4(client),
                   {{DHO_SUBNET_MASK, {255, 255, 0, 0}},
                    {DHO_ROUTERS, bytes_of("10.20.0.1")},
                    {DHO_DOMAIN_NAME_SERVERS, joined({bytes_of("10.0.0.53"), bytes_of("10.0.1.53")})},
                    {DHO_DOMAIN_NAME, text("corp.example.org")},
                    {DHO_DHCP_LEASE_TIME, number(LIFETIME)},
                    {DHO_DHCP_RENEWAL_TIME, number(LIFETIME / 2)},
                    {DHO_DHCP_REBINDING_TIME, number(LIFETIME / 8 * 7)},
                    {DHO_DHCP_SERVER_IDENTIFIER, bytes_of("10.0.0.53")},
                    {DHO_DHCP_CLIENT_IDENTIFIER, joined({{1}, mac(client)})},
                    {DHO_FQDN, joined({{1, 255, 255}, text(domain_name(client))})}});
}

inline Bytes duid(int client) { return joined({{0, 1, 0, 1}, number(0x2d6f1a37), mac(client)}); }

constexpr uint32_t IAID = 0x0a00155d;

inline Bytes ia_na(int client) {
    const Bytes address = joined({bytes_of(address6(client)), number(LIFETIME / 2), number(LIFETIME)});
    return joined({number(IAID), number(LIFETIME / 4), number(LIFETIME / 2), option6(D6O_IAADDR, address)});
}

inline Bytes ia_pd(int client) {
    const Bytes prefix = joined({number(LIFETIME / 2), number(LIFETIME), {56}, bytes_of(prefix6(client))});
    return joined({number(IAID), number(LIFETIME / 4), number(LIFETIME / 2), option6(D6O_IAPREFIX, prefix)});
}

inline void add_relay(Pkt6& packet, uint8_t hops, const char* link, const char* peer, Raw options) {
    Pkt6::RelayInfo relay;
    relay.msg_type_ = DHCPV6_RELAY_FORW;
    relay.hop_count_ = hops;
    relay.linkaddr_ = IOAddress(link);
    relay.peeraddr_ = IOAddress(peer);
    for (const auto& [code, data] : options) {
        relay.options_.insert({code, OptionPtr(new Option(Option::V6, code, data))});
    }
    packet.addRelayInfo(relay);
}

/// Through two relays; only the one at the client's link tells its link-layer address (RFC 6939).
inline Pkt6Ptr request6(int client) {
    Pkt6 packet(DHCPV6_REQUEST, 0x5b2f00 + client);
    add(packet, Option::V6,
        {{D6O_CLIENTID, duid(client)},
         {D6O_SERVERID, joined({{0, 2}, number(3561), text("AGD0")})},
         {D6O_ELAPSED_TIME, {0, 100}},
         {D6O_IA_NA, ia_na(client)},
         {D6O_IA_PD, ia_pd(client)},
         {D6O_CLIENT_FQDN, joined({{0}, dns(domain_name(client))})},
         {D6O_VENDOR_CLASS, joined({number(311), {0, 8}, text("MSFT 5.0")})},
         {D6O_ORO, {0, 17, 0, 23, 0, 24, 0, 39}}});
    add_relay(packet, 1, "2001:db8:1::1", "2001:db8:1::2",
              {{D6O_INTERFACE_ID, text("xe-1/0/3.100")}, {D6O_REMOTE_ID, joined({number(9), text("core-2.pop-fra")})}});
    add_relay(packet, 0, "2001:db8:20:4::1", "fe80::215:5dff:fe2a:3b4c",
              {{D6O_INTERFACE_ID, text("ge-0/0/17.0:vlan-0204a")},
               {D6O_REMOTE_ID, joined({number(9), text("access-17.pop-fra")})},
               {D6O_CLIENT_LINKLAYER_ADDR, joined({{0, 1}, mac(client)})}});
    const Pkt6Ptr query = parsed(packet);
    query->setLocalAddr(IOAddress("2001:db8::53"));
    query->setRemoteAddr(IOAddress("2001:db8:1::1"));
    query->addClass("ALL");
    query->addClass("VENDOR_CLASS_MSFT 5.0");
    query->addClass("UNKNOWN");
    return query;
}

inline Pkt6Ptr reply6(int client) {
    Pkt6 packet(DHCPV6_REPLY, 0x5b2f00 + client);
    add(packet, Option::V6,
        {{D6O_CLIENTID, duid(client)},
         {D6O_SERVERID, joined({{0, 2}, number(3561), text("AGD0")})},
         {D6O_IA_NA, ia_na(client)},
         {D6O_IA_PD, ia_pd(client)},
         {D6O_NAME_SERVERS, joined({bytes_of("2001:db8::53"), bytes_of("2001:db8:1::53")})},
         {D6O_DOMAIN_SEARCH, dns("corp.example.org")},
         {D6O_CLIENT_FQDN, joined({{1}, dns(domain_name(client))})}});
    return parsed(packet);
}

inline Lease4Ptr lease4(int client) {
    const HWAddrPtr address(new HWAddr(mac(client), HTYPE_ETHER));
    const ClientIdPtr client_id(new ClientId(joined({{1}, mac(client)})));
    return Lease4Ptr(new Lease4(address4(client), address, client_id, LIFETIME, time(nullptr), 204, true, true,
                                domain_name(client)));
}

inline Lease6Ptr lease6(int client, Lease::Type type, const IOAddress& address, uint8_t prefix_length) {
    const DuidPtr duid_of_client(new DUID(duid(client)));
    const HWAddrPtr hwaddr(new HWAddr(mac(client), HTYPE_ETHER));
    return Lease6Ptr(new Lease6(type, address, duid_of_client, IAID, LIFETIME / 2, LIFETIME, 204, true, true,
                                domain_name(client), hwaddr, prefix_length));
}

} // namespace windows_client
