// Lease events: replays. Kea's lease database is read a page at a time on the main thread.

#include "lease_pages.h"

#include "guard.h"
#include "lease.h"
#include "lease_events.h"

#include <dhcpsrv/cfg_db_access.h>
#include <dhcpsrv/lease_mgr_factory.h>

namespace runscript {
namespace {

using isc::asiolink::IOAddress;
using isc::dhcp::ClientId;
using isc::dhcp::DUID;
using isc::dhcp::HWAddr;
using isc::dhcp::Lease4Collection;
using isc::dhcp::Lease6Collection;
using isc::dhcp::LeaseMgr;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::LeasePageSize;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// Until the next page. Packets are served in between.
constexpr nanoseconds SOON = milliseconds(2);
/// Until we look again whether scripts are through with the last pages.
constexpr nanoseconds LATER = milliseconds(20);
/// Until we look again whether Kea serves, or a replay is wanted.
constexpr nanoseconds IDLE = milliseconds(200);
/// Until we read a page again that the lease database has failed to give.
constexpr nanoseconds AGAIN = std::chrono::seconds(2);
/// What a page may take, and what packets have at least in between then.
constexpr nanoseconds LONGEST = milliseconds(20);

isc::dhcp::NetworkStatePtr service;
bool served = true;

/// A high-availability server does not serve while it takes its partner's leases over, of which no hook point tells.
void look_at_service() {
    const bool serves = !service || service->isServiceEnabled();
    if (serves && !served) {
        replay_all();
    }
    served = serves;
}

std::vector<uint8_t> bytes(const Page& page) { return {page.bytes.begin(), page.bytes.end()}; }

IOAddress address(const Page& page, short family) { return IOAddress::fromBytes(family, page.bytes.data()); }

IOAddress lower_bound(const Page& page, short family) { return IOAddress::fromBytes(family, page.after.data()); }

/// Whether these leases are read page by page.
bool is_paged(const Page& page) { return page.pages == Pages::All || page.pages == Pages::Subnet; }

/// Of the leases of a subnet, all are read.
template <typename LeasePtr>
bool is_meant(const Page& page, const LeasePtr& lease) {
    return page.pages != Pages::Subnet || lease->subnet_id_ == page.subnet_id;
}

template <typename Family>
std::vector<typename Family::LeasePtr> leases(const Page& page);

template <>
Lease4Collection leases<Family4>(const Page& page) {
    const LeaseMgr& all = LeaseMgrFactory::instance();
    switch (page.pages) {
    case Pages::All:
    case Pages::Subnet:
        return all.getLeases4(lower_bound(page, AF_INET), LeasePageSize(page.most));
    case Pages::Address:
        return {all.getLease4(address(page, AF_INET))};
    case Pages::HwAddress:
        return all.getLease4(HWAddr(bytes(page), isc::dhcp::HTYPE_ETHER));
    case Pages::Client:
        return all.getLease4(ClientId(bytes(page)));
    case Pages::None:
    case Pages::Later:
        break;
    }
    return {};
}

template <>
Lease6Collection leases<Family6>(const Page& page) {
    const LeaseMgr& all = LeaseMgrFactory::instance();
    switch (page.pages) {
    case Pages::All:
    case Pages::Subnet:
        return all.getLeases6(lower_bound(page, AF_INET6), LeasePageSize(page.most));
    case Pages::Address:
        return {all.getLease6(isc::dhcp::Lease::TYPE_NA, address(page, AF_INET6)),
                all.getLease6(isc::dhcp::Lease::TYPE_PD, address(page, AF_INET6))};
    case Pages::Client:
        return all.getLeases6(DUID(bytes(page)));
    case Pages::HwAddress:
    case Pages::None:
    case Pages::Later:
        break;
    }
    return {};
}

template <typename Family>
void tell_page(const Page& page) {
    const auto until = std::chrono::steady_clock::now() + LONGEST;
    const auto read = leases<Family>(page);
    std::array<uint8_t, 16> last{};
    size_t told = 0;
    for (const auto& lease : read) {
        ++told;
        if (!lease) {
            continue;
        }
        const auto address = lease->addr_.toBytes();
        std::copy_n(address.begin(), std::min(address.size(), last.size()), last.begin());
        // What has expired is told of when Kea reclaims it.
        if (is_meant(page, lease) && is_held(*lease) && !lease->expired()) {
            LeaseEvents<Family>::tell_stored(Source::Replayed, lease);
        }
        if (is_paged(page) && std::chrono::steady_clock::now() > until) {
            break;
        }
    }
    replay_told(last, !is_paged(page) || (told == read.size() && read.size() < page.most));
}

nanoseconds read_next_page() {
    look_at_service();
    const Page page = replay_page();
    switch (page.pages) {
    case Pages::None:
        return IDLE;
    case Pages::Later:
        return LATER;
    default:
        break;
    }
    const auto start = std::chrono::steady_clock::now();
    isc::dhcp::CfgMgr::instance().getFamily() == AF_INET ? tell_page<Family4>(page) : tell_page<Family6>(page);
    return std::max<nanoseconds>(SOON, std::chrono::steady_clock::now() - start);
}

} // namespace

nanoseconds read_leases() noexcept {
    nanoseconds next = AGAIN;
    // A replay that ended while leases are untold would have scripts undo what those are for.
    guarded("replay", [&] {
        next = read_next_page();
        return 0;
    });
    return next;
}

void watch_service(const isc::dhcp::NetworkStatePtr& state) noexcept {
    service = state;
    served = !service || service->isServiceEnabled();
}

void watch_lease_database(const isc::dhcp::SrvConfig& config) {
    static std::string known;
    const std::string access = config.getCfgDbAccess()->getLeaseDbAccessString();
    if (!known.empty() && access != known) {
        replay_all();
    }
    known = access;
}

} // namespace runscript
