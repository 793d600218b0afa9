// Lease events: what commands do to leases. An administrator gives them, and the partner of a high-availability pair, for
// all that happens on the active server. Kea calls no lease's hook point then. After `ha-sync`, there is a replay.
//
// A command's leases are looked up before the library that carries the command out (lease_cmds) and after it, whatever the
// order of libraries in Kea's configuration.

#include "lease_commands.h"

#include "guard.h"
#include "lease.h"
#include "lease_events.h"
#include "lease_origin.h"
#include "lease_store.h"

#include <cc/command_interpreter.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <hooks/hooks_manager.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::asiolink::IOAddress;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::dhcp::ClientId;
using isc::dhcp::DUID;
using isc::dhcp::HWAddr;
using isc::dhcp::Lease;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::LeaseMgr;
using isc::dhcp::LeaseMgrFactory;
using isc::hooks::HooksManager;

constexpr Lease::Type TYPES[] = {Lease::TYPE_NA, Lease::TYPE_TA, Lease::TYPE_PD};

/// A lease that a command names.
template <typename LeasePtr>
struct Named {
    Lease::Type type;
    IOAddress address;
    /// As it was; null if there was none.
    LeasePtr before;
};

template <typename Family>
using All = std::vector<Named<typename Family::LeasePtr>>;

/// Of the command that this thread carries out.
template <typename Family>
All<Family>& named() {
    thread_local All<Family> all;
    return all;
}

std::string text(const ConstElementPtr& map, const char* key) {
    const ConstElementPtr value = map->get(key);
    return value && value->getType() == Element::string ? value->stringValue() : "";
}

uint32_t number(const ConstElementPtr& map, const char* key) {
    const ConstElementPtr value = map->get(key);
    return value && value->getType() == Element::integer ? value->intValue() : 0;
}

Lease4Ptr find(Lease::Type, const IOAddress& address, const Lease4Ptr&) {
    return LeaseMgrFactory::instance().getLease4(address);
}

Lease6Ptr find(Lease::Type type, const IOAddress& address, const Lease6Ptr&) {
    return LeaseMgrFactory::instance().getLease6(type, address);
}

/// A command may name one twice.
template <typename LeasePtr>
void add(std::vector<Named<LeasePtr>>& all, Lease::Type type, const IOAddress& address, const LeasePtr& before) {
    const bool is_there = std::any_of(all.begin(), all.end(),
                                      [&](const auto& one) { return one.type == type && one.address == address; });
    if (!is_there) {
        all.push_back({type, address, before});
    }
}

template <typename LeasePtr>
void add(std::vector<Named<LeasePtr>>& all, const LeasePtr& lease) {
    if (lease) {
        add(all, lease->getType(), lease->addr_, lease);
    }
}

template <typename LeasePtr>
void add(std::vector<Named<LeasePtr>>& all, const std::vector<LeasePtr>& leases) {
    all.reserve(all.size() + leases.size());
    for (const LeasePtr& lease : leases) {
        all.push_back({lease->getType(), lease->addr_, lease});
    }
}

/// A lease by its client.
void add_of_client(All<Family4>& all, const ConstElementPtr& lease) {
    const LeaseMgr& leases = LeaseMgrFactory::instance();
    const std::string type = text(lease, "identifier-type");
    const std::string identifier = text(lease, "identifier");
    if (type == "hw-address") {
        add(all, leases.getLease4(HWAddr::fromText(identifier), number(lease, "subnet-id")));
    } else if (type == "client-id") {
        add(all, leases.getLease4(*ClientId::fromText(identifier), number(lease, "subnet-id")));
    }
}

void add_of_client(All<Family6>& all, const ConstElementPtr& lease) {
    const DUID duid = DUID::fromText(text(lease, "identifier"));
    for (const Lease::Type type : TYPES) {
        add(all, LeaseMgrFactory::instance().getLeases6(type, duid, number(lease, "iaid"), number(lease, "subnet-id")));
    }
}

void add_of_address(All<Family4>& all, const IOAddress& address) {
    add(all, Lease::TYPE_V4, address, find(Lease::TYPE_V4, address, Lease4Ptr()));
}

/// An address and a prefix may bear the same.
void add_of_address(All<Family6>& all, const IOAddress& address) {
    for (const Lease::Type type : TYPES) {
        add(all, type, address, find(type, address, Lease6Ptr()));
    }
}

/// As a command names a lease.
template <typename Family>
void add_named(All<Family>& all, const ConstElementPtr& lease) {
    const std::string address = text(lease, "ip-address");
    if (address.empty()) {
        add_of_client(all, lease);
    } else {
        add_of_address(all, IOAddress(address));
    }
}

template <typename Family>
void add_listed(All<Family>& all, const ConstElementPtr& leases) {
    if (leases && leases->getType() == Element::list) {
        for (const auto& lease : leases->listValue()) {
            add_named<Family>(all, lease);
        }
    }
}

/// Those of a subnet; of all of them if it is 0.
void add_of_subnet(All<Family4>& all, uint32_t subnet) {
    const LeaseMgr& leases = LeaseMgrFactory::instance();
    add(all, subnet ? leases.getLeases4(subnet) : leases.getLeases4());
}

void add_of_subnet(All<Family6>& all, uint32_t subnet) {
    const LeaseMgr& leases = LeaseMgrFactory::instance();
    add(all, subnet ? leases.getLeases6(subnet) : leases.getLeases6());
}

/// One command's arguments, and what they name.
template <typename Family>
using Read = void (*)(All<Family>& all, const ConstElementPtr& arguments);

template <typename Family>
int look_before(isc::hooks::CalloutHandle& handle, Read<Family> read) {
    named<Family>().clear();
    return guarded("lease command", [&] {
        try {
            ConstElementPtr arguments;
            isc::config::parseCommand(arguments, argument<ConstElementPtr>(handle, "command"));
            if (arguments && arguments->getType() == Element::map) {
                read(named<Family>(), arguments);
            }
        } catch (const isc::Exception&) {
            // What the command cannot mean, its own library refuses, and nothing changes.
        }
        return 0;
    });
}

/// Of a command that has done its work, a lease that is the same as before is told of too: it has been renewed within the same
/// second.
template <typename Family>
void compare(const Named<typename Family::LeasePtr>& one, bool has_succeeded) {
    using Events = LeaseEvents<Family>;
    const auto now = find(one.type, one.address, one.before);
    if (!now) {
        return Events::tell(Source::Removed, one.before, {});
    }
    if (!has_succeeded && one.before && *now == *one.before) {
        return;
    }
    if (one.before && !is_same(*now, *one.before)) {
        // A prefix of another length.
        Events::tell(Source::Removed, one.before, {});
        return Events::tell(Source::Commanded, now, {});
    }
    Events::tell(Source::Commanded, now, one.before);
    // A command that says nothing of the origin has wiped it.
    if (one.before && kept_origin(*now).empty() && keep_origin(*now, kept_origin(*one.before))) {
        update(now);
    }
}

bool succeeded(const isc::hooks::CalloutHandle& handle) {
    int result = isc::config::CONTROL_RESULT_ERROR;
    guarded("lease command", [&] {
        isc::config::parseAnswer(result, argument<ConstElementPtr>(handle, "response"));
        return 0;
    });
    return result == isc::config::CONTROL_RESULT_SUCCESS;
}

template <typename Family>
int look_after(isc::hooks::CalloutHandle& handle) {
    const All<Family> all = std::move(named<Family>());
    named<Family>().clear();
    const bool has_succeeded = succeeded(handle);
    for (const auto& one : all) {
        const bool is_told = guarded("lease command", [&] {
                                 compare<Family>(one, has_succeeded);
                                 return 0;
                             }) == 0;
        if (!is_told) {
            replay_all();
        }
    }
    return 0;
}

template <typename Family>
void read_one(All<Family>& all, const ConstElementPtr& arguments) {
    add_named<Family>(all, arguments);
}

template <typename Family>
void read_wipe(All<Family>& all, const ConstElementPtr& arguments) {
    add_of_subnet(all, number(arguments, "subnet-id"));
}

void read_bulk(All<Family6>& all, const ConstElementPtr& arguments) {
    add_listed<Family6>(all, arguments->get("deleted-leases"));
    add_listed<Family6>(all, arguments->get("leases"));
}

template <typename Family, Read<Family> READ>
int before(isc::hooks::CalloutHandle& handle) {
    return look_before<Family>(handle, READ);
}

int nothing(isc::hooks::CalloutHandle&) { return 0; }

/// The partner's leases have been taken over.
int synchronised(isc::hooks::CalloutHandle&) {
    replay_all();
    return 0;
}

struct Command {
    const char* name;
    isc::hooks::CalloutPtr before;
    isc::hooks::CalloutPtr after;
};

const Command COMMANDS[] = {
    {"lease4-add", before<Family4, read_one<Family4>>, look_after<Family4>},
    {"lease4-update", before<Family4, read_one<Family4>>, look_after<Family4>},
    {"lease4-del", before<Family4, read_one<Family4>>, look_after<Family4>},
    {"lease4-wipe", before<Family4, read_wipe<Family4>>, look_after<Family4>},
    {"lease6-add", before<Family6, read_one<Family6>>, look_after<Family6>},
    {"lease6-update", before<Family6, read_one<Family6>>, look_after<Family6>},
    {"lease6-del", before<Family6, read_one<Family6>>, look_after<Family6>},
    {"lease6-wipe", before<Family6, read_wipe<Family6>>, look_after<Family6>},
    {"lease6-bulk-apply", before<Family6, read_bulk>, look_after<Family6>},
    {"ha-sync", nothing, synchronised},
};

} // namespace

void watch_lease_commands() {
    for (const Command& command : COMMANDS) {
        // Else Kea would take the command for one that is carried out.
        if (HooksManager::commandHandlersPresent(command.name)) {
            HooksManager::preCalloutsLibraryHandle().registerCommandCallout(command.name, command.before);
            HooksManager::postCalloutsLibraryHandle().registerCommandCallout(command.name, command.after);
        }
    }
}

} // namespace runscript
