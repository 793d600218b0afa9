#pragma once

// The hook points that callout.cc can call, with the arguments that Kea sets there.

#include "windows_client.h"

#include <dhcp/option6_ia.h>
#include <dhcpsrv/subnet.h>
#include <hooks/callout_handle.h>
#include <hooks/hooks_manager.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using isc::asiolink::IOAddress;
using isc::hooks::CalloutHandle;

/// What one client and the server have to do with each other.
struct Exchange4 {
    using Packet = isc::dhcp::Pkt4;
    explicit Exchange4(int client) : client(client) {}
    const int client;
    isc::dhcp::Pkt4Ptr query = windows_client::request4(client), response = windows_client::ack4(client);
    runscript::Subnet4Argument subnet{new isc::dhcp::Subnet4(IOAddress("10.20.0.0"), 16, 900, 1800, 3600, 204)};
    isc::dhcp::Lease4Ptr lease = windows_client::lease4(client);
};

struct Exchange6 {
    using Packet = isc::dhcp::Pkt6;
    explicit Exchange6(int client) : client(client) {}
    const int client;
    isc::dhcp::Pkt6Ptr query = windows_client::request6(client), response = windows_client::reply6(client);
    runscript::Subnet6Argument subnet{
        new isc::dhcp::Subnet6(IOAddress("2001:db8:20:4::"), 64, 900, 1800, 1800, 3600, 204)};
    isc::dhcp::Lease6Ptr address =
        windows_client::lease6(client, isc::dhcp::Lease::TYPE_NA, windows_client::address6(client), 128);
    isc::dhcp::Lease6Ptr prefix =
        windows_client::lease6(client, isc::dhcp::Lease::TYPE_PD, windows_client::prefix6(client), 56);
};

template <typename Exchange>
using SetArguments = void (*)(CalloutHandle& handle, const Exchange& exchange);

template <typename Exchange>
struct HookPoint {
    const char* name;
    SetArguments<Exchange> set_arguments;
    bool parks = false;
};

template <typename Lease>
boost::shared_ptr<std::vector<Lease>> collection(std::initializer_list<Lease> leases) {
    return boost::shared_ptr<std::vector<Lease>>(new std::vector<Lease>(leases));
}

const HookPoint<Exchange4> HOOK_POINTS4[] = {
    {"pkt4_receive",
     [](CalloutHandle& handle, const Exchange4& exchange) { handle.setArgument("query4", exchange.query); }},
    {"lease4_select",
     [](CalloutHandle& handle, const Exchange4& exchange) {
         handle.setArgument("query4", exchange.query);
         handle.setArgument("subnet4", exchange.subnet);
         handle.setArgument("fake_allocation", false);
         handle.setArgument("lease4", exchange.lease);
         if (runscript::LEASE4_SELECT_HAS_OFFER_LFT) {
             handle.setArgument("offer_lft", uint32_t(0));
         }
     }},
    {"lease4_renew",
     [](CalloutHandle& handle, const Exchange4& exchange) {
         handle.setArgument("query4", exchange.query);
         handle.setArgument("subnet4", exchange.subnet);
         handle.setArgument("clientid", exchange.lease->client_id_);
         handle.setArgument("hwaddr", exchange.lease->hwaddr_);
         handle.setArgument("lease4", exchange.lease);
     }},
    {"leases4_committed",
     [](CalloutHandle& handle, const Exchange4& exchange) {
         handle.setArgument("query4", exchange.query);
         handle.setArgument("leases4", collection({exchange.lease}));
         handle.setArgument("deleted_leases4", collection<isc::dhcp::Lease4Ptr>({}));
         if (runscript::COMMITTED_HAS_RESPONSE) {
             handle.setArgument("response4", exchange.response);
         }
     },
     true},
    {"pkt4_send",
     [](CalloutHandle& handle, const Exchange4& exchange) {
         handle.setArgument("query4", exchange.query);
         handle.setArgument("response4", exchange.response);
         if (runscript::SEND_HAS_SUBNET) {
             handle.setArgument("subnet4", exchange.subnet);
         }
     }},
};

const HookPoint<Exchange6> HOOK_POINTS6[] = {
    {"pkt6_receive",
     [](CalloutHandle& handle, const Exchange6& exchange) { handle.setArgument("query6", exchange.query); }},
    {"lease6_select",
     [](CalloutHandle& handle, const Exchange6& exchange) {
         handle.setArgument("query6", exchange.query);
         handle.setArgument("subnet6", exchange.subnet);
         handle.setArgument("fake_allocation", false);
         handle.setArgument("lease6", exchange.address);
     }},
    {"lease6_renew",
     [](CalloutHandle& handle, const Exchange6& exchange) {
         handle.setArgument("query6", exchange.query);
         handle.setArgument("lease6", exchange.address);
         const auto ia = boost::dynamic_pointer_cast<isc::dhcp::Option6IA>(exchange.response->getOption(D6O_IA_NA));
         handle.setArgument("ia_na", ia);
     }},
    {"leases6_committed",
     [](CalloutHandle& handle, const Exchange6& exchange) {
         handle.setArgument("query6", exchange.query);
         handle.setArgument("leases6", collection({exchange.address, exchange.prefix}));
         handle.setArgument("deleted_leases6", collection<isc::dhcp::Lease6Ptr>({}));
         if (runscript::COMMITTED_HAS_RESPONSE) {
             handle.setArgument("response6", exchange.response);
         }
     },
     true},
    {"pkt6_send",
     [](CalloutHandle& handle, const Exchange6& exchange) {
         handle.setArgument("query6", exchange.query);
         handle.setArgument("response6", exchange.response);
         if (runscript::SEND_HAS_SUBNET) {
             handle.setArgument("subnet6", exchange.subnet);
         }
     }},
};

/// A hook point of either family, ready to be called.
class Caller {
  public:
    virtual ~Caller() = default;
    virtual int family() const = 0;
    /// Calls `inside` with the next client's handle, as Kea has it while callouts run.
    virtual void prepared(const std::function<void(CalloutHandle&)>& inside) = 0;
};

template <typename Exchange>
class CallerOf : public Caller {
  public:
    explicit CallerOf(const HookPoint<Exchange>& hook_point) : hook_point_(hook_point) {
        for (int client = 0; client < windows_client::CLIENTS; ++client) {
            exchanges_.emplace_back(client);
        }
    }

    int family() const override { return std::is_same_v<Exchange, Exchange4> ? 4 : 6; }

    void prepared(const std::function<void(CalloutHandle&)>& inside) override {
        const Exchange& exchange = exchanges_[calls_++ % exchanges_.size()];
        const isc::hooks::CalloutHandlePtr handle = exchange.query->getCalloutHandle();
        const isc::hooks::ScopedCalloutHandleState state(handle);
        // A response that does not exist yet is not copied either; here it makes no difference.
        const isc::dhcp::ScopedEnableOptionsCopy<typename Exchange::Packet> copies(exchange.query, exchange.response);
        hook_point_.set_arguments(*handle, exchange);
        // Kea parks first, in case a library asks for it, and takes back what was not wanted.
        if (hook_point_.parks) {
            isc::hooks::HooksManager::park(hook_point_.name, exchange.query, [] {});
        }
        inside(*handle);
        if (hook_point_.parks) {
            isc::hooks::HooksManager::drop(hook_point_.name, exchange.query);
        }
    }

  private:
    const HookPoint<Exchange> hook_point_;
    std::vector<Exchange> exchanges_;
    size_t calls_ = 0;
};

inline std::unique_ptr<Caller> caller(const std::string& name) {
    for (const auto& hook_point : HOOK_POINTS4) {
        if (hook_point.name == name) {
            return std::make_unique<CallerOf<Exchange4>>(hook_point);
        }
    }
    for (const auto& hook_point : HOOK_POINTS6) {
        if (hook_point.name == name) {
            return std::make_unique<CallerOf<Exchange6>>(hook_point);
        }
    }
    throw std::invalid_argument(name + " is no hook point that this program knows");
}
