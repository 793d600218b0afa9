#pragma once

// Kea 3.0's dhcpsrv/cfgmgr.h leads to the original of this header, which needs OpenSSL's, and kea-dev comes without them.
// It is only there for the names of types, and this stands in for it: nothing of ours has to do with TLS.

#include <boost/shared_ptr.hpp>

namespace isc {
namespace asiolink {

class TlsContext;
using TlsContextPtr = boost::shared_ptr<TlsContext>;

} // namespace asiolink
} // namespace isc
