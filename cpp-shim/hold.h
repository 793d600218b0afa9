#pragma once

#include "callout.h"

#include <hooks/parking_lots.h>

#include <optional>
#include <variant>

namespace runscript {

/// Our reference to a packet that Kea has put into a hook point's parking lot. Kea does so before it calls the first
/// library, and takes the packet out afterwards unless one of them has parked it; while we have a reference, no
/// other library's resumes it. Given back when it goes out of scope.
class Hold {
  public:
    /// None where Kea has not parked the packet (it never does for DHCPv4 over DHCPv6), or another library has told it
    /// not to go on.
    static std::optional<Hold> take(const CalloutHandle& handle, const HookPoint& point);

    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    ~Hold() { give_back(); }

    isc::hooks::CalloutHandlePtr callout_handle() const;

    /// The packet's status will say that somebody resumes it.
    void set_parked() { is_parked_ = true; }

    /// False if another library has dropped the packet, or told Kea not to wait.
    bool is_there() const;

    /// Resumes the packet, unless others hold it too.
    void give_back() noexcept;

    /// Kea forgets the packet, whoever else holds it.
    void drop() noexcept;

  private:
    using Lot = isc::hooks::ParkingLotHandlePtr;
    /// Kea knows a parked packet by this very pointer.
    using Query = std::variant<isc::dhcp::Pkt4Ptr, isc::dhcp::Pkt6Ptr>;

    Hold(Lot lot, Query query, bool is_parked);

    /// Null when it has been given back.
    Lot lot_;
    Query query_;
    bool is_parked_;
};

} // namespace runscript
