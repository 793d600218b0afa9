#include "lease_store.h"

#include "lease.h"

#include <dhcpsrv/lease_mgr_factory.h>

namespace runscript {

using isc::dhcp::Lease4;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::LeaseMgrFactory;

Lease4Ptr stored(const Lease4Ptr& lease) { return LeaseMgrFactory::instance().getLease4(lease->addr_); }

Lease6Ptr stored(const Lease6Ptr& lease) {
    const auto found = LeaseMgrFactory::instance().getLease6(lease->getType(), lease->addr_);
    return found && is_same(*found, *lease) ? found : Lease6Ptr();
}

void update(const Lease4Ptr& lease) { LeaseMgrFactory::instance().updateLease4(lease); }
void update(const Lease6Ptr& lease) { LeaseMgrFactory::instance().updateLease6(lease); }

Lease4Ptr copy_of(const Lease4Ptr& lease) { return Lease4Ptr(new Lease4(*lease)); }
Lease6Ptr copy_of(const Lease6Ptr& lease) { return Lease6Ptr(new Lease6(*lease)); }

} // namespace runscript
