#include "changes.h"

#include "family.h"
#include "hosts/reserve.h"
#include "option_data.h"
#include "query_options.h"

#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/client_class_def.h>
#include <dhcpsrv/lease_mgr_factory.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::asiolink::IOAddress;
using isc::dhcp::CfgMgr;
using isc::dhcp::Host;
using isc::dhcp::LeaseMgrFactory;

std::string text(const Change& change) { return {change.data.begin(), change.data.end()}; }

/// What they do alike.
struct Changes4 : Family4 {
    static LeasePtr find_lease(const IOAddress& address) { return LeaseMgrFactory::instance().getLease4(address); }

    /// Kea also stores what it offers, with `offer-lifetime`.
    static bool is_stored(const CalloutHandle& handle) {
        return !argument<bool>(handle, "fake_allocation") ||
               (LEASE4_SELECT_HAS_OFFER_LFT && argument<uint32_t>(handle, "offer_lft") > 0);
    }

    /// A client takes no other address than the one that it has been offered.
    static void expect_not_promised(const CalloutHandle& handle, const IOAddress& address) {
        expect(argument<bool>(handle, "fake_allocation"),
               "comes too late: the client has been offered " + address.toText());
    }

    static void lifetime(isc::dhcp::Lease4& lease, uint32_t seconds) {
        lease.valid_lft_ = seconds;
        // Else Kea would answer with what is left of the lease that it has (`cache-threshold`).
        lease.reuseable_valid_lft_ = 0;
    }
};

struct Changes6 : Family6 {
    static LeasePtr find_lease(const IOAddress& address) {
        return LeaseMgrFactory::instance().getLease6(isc::dhcp::Lease::TYPE_NA, address);
    }

    static bool is_stored(const CalloutHandle& handle) { return !argument<bool>(handle, "fake_allocation"); }

    static void expect_not_promised(const CalloutHandle&, const IOAddress&) {}

    static void lifetime(isc::dhcp::Lease6& lease, uint32_t seconds) {
        lease.valid_lft_ = seconds;
        lease.preferred_lft_ = std::min(lease.preferred_lft_, seconds);
    }
};

/// Kea takes any name: a subnet may ask for a class that is defined nowhere.
template <typename Family>
void add_class(const Change& change, CalloutHandle& handle, const HookPoint& point) {
    const std::string name = text(change);
    argument<typename Family::Packet>(handle, Family::QUERY)->addClass(name);
    const auto classes = CfgMgr::instance().getCurrentCfg()->getClientClassDictionary();
    if (!classes->findClass(name) && !isc::dhcp::isClientClassBuiltIn(name)) {
        unknown_class(point.index, change);
    }
}

/// Not from the hook point's own list of subnets: its type differs between releases of Boost, and Debian's Kea need not
/// have been built with the one that we are built with.
template <typename Family>
void select_subnet(uint32_t id, CalloutHandle& handle) {
    const typename Family::SubnetArgument subnet = Family::find_subnet(id);
    expect(subnet != nullptr, "no subnet has this id");
    handle.setArgument(Family::SUBNET, subnet);
}

/// A packet's options may be shared with Kea's configuration, and Pkt4 takes only one of a code: an option is always
/// replaced, never edited.
template <typename Family>
void set_option(const Change& change, CalloutHandle& handle) {
    const auto wanted = read_option(Family::NUMBER, isc::data::Element::fromJSON(text(change)));
    expect(wanted.space == Family::OPTION_SPACE,
           "is of another option space: give the option around it, with its data in hex and csv-format false");
    const auto response = argument<typename Family::Packet>(handle, Family::RESPONSE);
    while (response->delOption(wanted.code)) {
    }
    response->addOption(wanted.option);
}

/// Kea does not look at the address again, so all that it would have asked is asked here: one that fails later costs
/// the client its answer, each time.
template <typename Family>
void set_address(const std::string& text, CalloutHandle& handle) {
    const IOAddress address(text);
    const auto lease = argument<typename Family::LeasePtr>(handle, Family::LEASE);
    if (lease->addr_ == address) {
        return;
    }
    expect(lease->getType() == Family::ADDRESS, "has no effect on a prefix");
    expect(address.getFamily() == Family::NUMBER, "is of the other family");
    const auto subnet = argument<typename Family::SubnetArgument>(handle, Family::SUBNET);
    const auto query = argument<typename Family::Packet>(handle, Family::QUERY);
    expect(subnet->inPool(Family::ADDRESS, address, query->getClasses()),
           "is in no pool of " + subnet->toText() + " that this client may use");
    Family::expect_not_promised(handle, lease->addr_);
    const auto holder = Family::find_lease(address);
    const bool is_stored = Family::is_stored(handle);
    expect(!holder || (holder->expired() && !is_stored), "is leased already");
    // Kea would update the record of the new address, which is not there.
    expect(!is_stored || !Family::find_lease(lease->addr_),
           "cannot take the place of " + lease->addr_.toText() + ", an old lease that Kea uses again");
    lease->addr_ = address;
}

template <typename Family>
void set_lifetime(uint32_t seconds, CalloutHandle& handle) {
    Family::lifetime(*argument<typename Family::LeasePtr>(handle, Family::LEASE), seconds);
}

/// A client ignores what is to be preferred for longer than it is valid (RFC 8415, 21.6 and 21.22).
void prefer(uint32_t seconds, const CalloutHandle& handle) {
    const auto lease = argument<Changes6::LeasePtr>(handle, Changes6::LEASE);
    expect(seconds <= lease->valid_lft_, "is longer than the lease is valid: " + std::to_string(lease->valid_lft_) +
                                             " seconds, unless valid-lft says more");
    lease->preferred_lft_ = seconds;
}

isc::dhcp::Pkt4Ptr response4(const CalloutHandle& handle) {
    return argument<isc::dhcp::Pkt4Ptr>(handle, Changes4::RESPONSE);
}

template <typename Family>
void change(const Change& change, CalloutHandle& handle, const HookPoint& point) {
    switch (change.key) {
    case Key::ClientClasses:
        return add_class<Family>(change, handle, point);
    case Key::QueryOptionData:
        return change_query(*argument<typename Family::Packet>(handle, Family::QUERY), text(change));
    case Key::SubnetId:
        return select_subnet<Family>(change.number, handle);
    case Key::OptionData:
        return set_option<Family>(change, handle);
    case Key::NextServer:
        return response4(handle)->setSiaddr(IOAddress(text(change)));
    case Key::ServerHostname:
        return response4(handle)->setSname(change.data.data(), change.data.size());
    case Key::BootFileName:
        return response4(handle)->setFile(change.data.data(), change.data.size());
    case Key::Hostname:
        return handle.setArgument("hostname", text(change));
    case Key::ValidLft:
        return set_lifetime<Family>(change.number, handle);
    case Key::PreferredLft:
        return prefer(change.number, handle);
    case Key::IpAddress:
        return set_address<Family>(text(change), handle);
    case Key::Reservation:
        return reserve(change, handle, point);
    case Key::FlexId:
        handle.setArgument("id_type", Host::IDENT_FLEX);
        return handle.setArgument("id_value", std::vector<uint8_t>(change.data.begin(), change.data.end()));
    }
}

} // namespace

void expect(bool condition, const std::string& otherwise) {
    if (!condition) {
        throw Refusal(otherwise);
    }
}

void make(const Change& wanted, CalloutHandle& handle, const HookPoint& point) {
    point.is_dhcp6 ? change<Changes6>(wanted, handle, point) : change<Changes4>(wanted, handle, point);
}

} // namespace runscript
