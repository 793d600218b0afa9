// Packets that wait in Kea's parking lot for a verdict. Rust hands it over on a thread of its own; all else is done on
// Kea's main thread, with threads or without: there a packet may be resumed, and no configuration changes meanwhile.

#include "parking.h"

#include "family.h"
#include "guard.h"
#include "hosts/reserve.h"
#include "loop_timer.h"
#include "verdict.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

namespace runscript {
namespace {

using isc::hooks::CalloutHandlePtr;
using std::chrono::nanoseconds;

constexpr nanoseconds NOW{1};
/// Until we look again whether a packet's thread is through with other libraries.
constexpr nanoseconds SOON = std::chrono::milliseconds(2);

struct Parked {
    Hold hold;
    CalloutHandlePtr handle;
    const HookPoint& point;
    KeptPtr kept;
};

using Packets = std::map<uint64_t, Parked>;
using Verdicts = std::vector<Verdict>;

struct Parking {
    std::mutex mutex;
    /// Has Kea's main thread look at the verdicts; not open while there is no parking. Whoever uses it has the mutex.
    LoopTimer timer;
    uint64_t last_ticket = 0;
    /// By ticket.
    Packets packets;
    Verdicts verdicts;
};

// Never destroyed, as in log.cc.
Parking& parking = *new Parking;

bool contains(const std::vector<std::string>& names, const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

template <typename Family>
bool has_stored_subnet(const CalloutHandle& handle) {
    try {
        return contains(handle.getContextNames(), Family::SUBNET);
    } catch (const isc::hooks::NoSuchCalloutContext&) {
        return false;
    }
}

/// Kea begins anew with a packet that has been parked here, and takes the subnet from the context of no library, which
/// is the current one outside callouts. If nothing is there, it has none.
template <typename Family>
void store_subnet(Step step, bool is_chosen, CalloutHandle& handle) {
    // Another library that had parked the packet too has stored its choice.
    if (step == Step::Continue && !is_chosen && has_stored_subnet<Family>(handle)) {
        return;
    }
    typename Family::SubnetArgument subnet;
    if (step == Step::Continue) {
        handle.getArgument(Family::SUBNET, subnet);
    }
    handle.setContext(Family::SUBNET, subnet);
}

/// Kea wants to know on resuming an offer, of whichever library has found out; we never do. Said in the callout, where
/// nobody else is at the arguments, and again on resuming: without threads, Kea has wiped them meanwhile if the packet
/// had been parked at an earlier hook point too.
void say_that_address_is_free(CalloutHandle& handle) {
    constexpr const char* IN_USE = "offer_address_in_use";
    if (!contains(handle.getArgumentNames(), IN_USE)) {
        handle.setArgument(IN_USE, false);
    }
}

void go_on(Parked& packet, Verdict& verdict) {
    if (!packet.hold.is_there() || verdict.step == Step::Drop) {
        return packet.hold.drop();
    }
    const bool chooses_subnet = std::any_of(verdict.changes.begin(), verdict.changes.end(),
                                            [](const Change& change) { return change.key == Key::SubnetId; });
    apply_to_parked(verdict, *packet.handle, packet.point, *packet.kept);
    if (packet.point.reserves) {
        follow_lease(*packet.handle, packet.point);
    }
    switch (packet.point.resumed) {
    case Resumed::Subnet:
        packet.point.is_dhcp6 ? store_subnet<Family6>(verdict.step, chooses_subnet, *packet.handle)
                              : store_subnet<Family4>(verdict.step, chooses_subnet, *packet.handle);
        break;
    case Resumed::AddressInUse:
        say_that_address_is_free(*packet.handle);
        break;
    case Resumed::Nothing:
        break;
    }
    packet.hold.give_back();
}

/// With threads, the packet's own may be in the callout of a library after us. What is the packet's is that library's
/// then, and so is the context.
bool is_in_callout(const Parked& packet) { return packet.handle->getCurrentLibrary() != -1; }

/// False if it is too early.
bool handle_verdict(Verdict& verdict) {
    Packets::node_type node;
    {
        const std::lock_guard<std::mutex> lock(parking.mutex);
        const auto packet = parking.packets.find(verdict.ticket);
        if (packet == parking.packets.end()) {
            return true;
        }
        if (is_in_callout(packet->second)) {
            return false;
        }
        node = parking.packets.extract(packet);
    }
    // Without threads, the packet goes all its way from here, maybe to be parked again.
    Parked& packet = node.mapped();
    guarded(name_of(packet.point), [&] {
        go_on(packet, verdict);
        return 0;
    });
    return true;
}

void handle_verdicts() {
    Verdicts verdicts;
    {
        const std::lock_guard<std::mutex> lock(parking.mutex);
        parking.timer.turned();
        verdicts.swap(parking.verdicts);
    }
    for (Verdict& verdict : verdicts) {
        if (!handle_verdict(verdict)) {
            const std::lock_guard<std::mutex> lock(parking.mutex);
            parking.verdicts.push_back(std::move(verdict));
            parking.timer.turn_in(SOON);
        }
    }
}

} // namespace

void open_parking() {
    const std::lock_guard<std::mutex> lock(parking.mutex);
    parking.timer.open([](int) {
        guarded("parking", [] {
            handle_verdicts();
            return 0;
        });
    });
}

void close_parking() {
    Packets packets;
    {
        const std::lock_guard<std::mutex> lock(parking.mutex);
        if (!parking.timer.is_open()) {
            return;
        }
        parking.timer.close();
        packets.swap(parking.packets);
        parking.verdicts.clear();
    }
    for (auto& [ticket, packet] : packets) {
        packet.hold.drop();
    }
}

uint64_t store(Hold& hold, CalloutHandle& handle, const HookPoint& point) noexcept {
    uint64_t ticket = 0;
    guarded(name_of(point), [&] {
        auto callout_handle = hold.callout_handle();
        auto kept = keep(handle, point);
        Parked packet{std::move(hold), std::move(callout_handle), point, std::move(kept)};
        const std::lock_guard<std::mutex> lock(parking.mutex);
        parking.packets.emplace(parking.last_ticket + 1, std::move(packet));
        ticket = ++parking.last_ticket;
        return 0;
    });
    return ticket;
}

Hold take_back(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(parking.mutex);
    return std::move(parking.packets.extract(ticket).mapped().hold);
}

void park(uint64_t ticket, CalloutHandle& handle, const HookPoint& point) {
    if (point.resumed == Resumed::AddressInUse) {
        say_that_address_is_free(handle);
    }
    {
        const std::lock_guard<std::mutex> lock(parking.mutex);
        parking.packets.at(ticket).hold.set_parked();
    }
    handle.setStatus(CalloutHandle::NEXT_STEP_PARK);
}

void resume(Verdict& verdict) noexcept {
    guarded("parking", [&] {
        const std::lock_guard<std::mutex> lock(parking.mutex);
        if (parking.timer.is_open()) {
            parking.verdicts.push_back(std::move(verdict));
            parking.timer.turn_in(NOW);
        }
        return 0;
    });
}

} // namespace runscript
