#include "hold.h"

#include "family.h"
#include "guard.h"

#include <dhcpsrv/callout_handle_store.h>
#include <exceptions/exceptions.h>

#include <utility>

namespace runscript {

using isc::hooks::CalloutHandlePtr;

std::optional<Hold> Hold::take(const CalloutHandle& handle, const HookPoint& point) {
    const auto status = handle.getStatus();
    const bool is_parked = status == CalloutHandle::NEXT_STEP_PARK;
    if (status != CalloutHandle::NEXT_STEP_CONTINUE && !is_parked) {
        return std::nullopt;
    }
    Query query;
    if (point.is_dhcp6) {
        query = argument<isc::dhcp::Pkt6Ptr>(handle, Family6::QUERY);
    } else {
        query = argument<isc::dhcp::Pkt4Ptr>(handle, Family4::QUERY);
    }
    Lot lot = handle.getParkingLotHandlePtr();
    try {
        std::visit([&](const auto& packet) { lot->reference(packet); }, query);
    } catch (const isc::InvalidOperation&) {
        return std::nullopt;
    }
    return Hold(std::move(lot), std::move(query), is_parked);
}

Hold::Hold(Lot lot, Query query, bool is_parked)
    : lot_(std::move(lot)), query_(std::move(query)), is_parked_(is_parked) {}

Hold::Hold(Hold&& other) noexcept
    : lot_(std::move(other.lot_)), query_(std::move(other.query_)), is_parked_(other.is_parked_) {
    other.lot_.reset();
}

CalloutHandlePtr Hold::callout_handle() const {
    return std::visit([](const auto& packet) { return isc::dhcp::getCalloutHandle(packet); }, query_);
}

bool Hold::is_there() const {
    try {
        std::visit(
            [&](const auto& packet) {
                lot_->reference(packet);
                lot_->dereference(packet);
            },
            query_);
        return true;
    } catch (const isc::InvalidOperation&) {
        return false;
    }
}

void Hold::give_back() noexcept {
    const Lot lot = std::move(lot_);
    lot_.reset();
    if (!lot) {
        return;
    }
    guarded("parking", [&] {
        std::visit([&](const auto& packet) { is_parked_ ? lot->unpark(packet) : lot->dereference(packet); }, query_);
        return 0;
    });
}

void Hold::drop() noexcept {
    const Lot lot = std::move(lot_);
    lot_.reset();
    if (!lot) {
        return;
    }
    guarded("parking", [&] {
        std::visit([&](const auto& packet) { lot->drop(packet); }, query_);
        return 0;
    });
}

} // namespace runscript
