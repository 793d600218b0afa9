#include "lease_messages.h"

#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option6_iaaddr.h>
#include <dhcp/option6_iaprefix.h>

#include <algorithm>

namespace runscript {

using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6Ptr;

namespace {

template <typename AddressOption>
bool has_lease(const isc::dhcp::OptionPtr& ia, uint16_t code, const isc::dhcp::Lease6Ptr& lease) {
    const auto& options = ia->getOptions();
    return std::any_of(options.begin(), options.end(), [&](const auto& entry) {
        const auto option = boost::dynamic_pointer_cast<AddressOption>(entry.second);
        return entry.first == code && option && option->getAddress() == lease->addr_ && option->getValid() != 0;
    });
}

} // namespace

bool gives(const Pkt4Ptr& response, const isc::dhcp::Lease4Ptr& lease) {
    return response->getType() == isc::dhcp::DHCPACK && response->getYiaddr() == lease->addr_;
}

bool gives(const Pkt6Ptr& response, const isc::dhcp::Lease6Ptr& lease) {
    if (response->getType() != DHCPV6_REPLY) {
        return false;
    }
    const bool is_prefix = lease->getType() == isc::dhcp::Lease::TYPE_PD;
    return std::any_of(response->options_.begin(), response->options_.end(), [&](const auto& entry) {
        if (is_prefix) {
            return entry.first == D6O_IA_PD && has_lease<isc::dhcp::Option6IAPrefix>(entry.second, D6O_IAPREFIX, lease);
        }
        return entry.first == D6O_IA_NA && has_lease<isc::dhcp::Option6IAAddr>(entry.second, D6O_IAADDR, lease);
    });
}

bool is_offer(const Pkt4Ptr& query) { return query->getType() == isc::dhcp::DHCPDISCOVER; }
bool is_offer(const Pkt6Ptr& query) { return query->getType() == DHCPV6_SOLICIT; }

bool is_end(const Pkt4Ptr& query) {
    return query->getType() == isc::dhcp::DHCPRELEASE || query->getType() == isc::dhcp::DHCPDECLINE;
}
bool is_end(const Pkt6Ptr& query) { return query->getType() == DHCPV6_RELEASE || query->getType() == DHCPV6_DECLINE; }

bool is_extension(const Pkt4Ptr&) { return false; }
bool is_extension(const Pkt6Ptr& query) {
    return query->getType() == DHCPV6_RENEW || query->getType() == DHCPV6_REBIND;
}

} // namespace runscript
