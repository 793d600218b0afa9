// A hook library that changes options of what clients have sent, as flex_id and others do.

#include <config.h>
#include <dhcp/option.h>
#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <hooks/hooks.h>

using isc::dhcp::Option;
using isc::hooks::CalloutHandle;

namespace {

template <typename Packet>
Packet query(CalloutHandle& handle, const char* name) {
    Packet packet;
    handle.getArgument(name, packet);
    return packet;
}

template <typename Packet>
void replace(const Packet& packet, Option::Universe universe, uint16_t code) {
    packet->delOption(code);
    packet->addOption(boost::make_shared<Option>(universe, code, isc::dhcp::OptionBuffer{'n', 'e', 'w'}));
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }

// Option 43 is changed, 77 is taken out, 224 is added.
int pkt4_receive(CalloutHandle& handle) {
    const auto packet = query<isc::dhcp::Pkt4Ptr>(handle, "query4");
    replace(packet, Option::V4, 43);
    replace(packet, Option::V4, 224);
    packet->delOption(77);
    return 0;
}

// The same with 16, 15 and 60000.
int pkt6_receive(CalloutHandle& handle) {
    const auto packet = query<isc::dhcp::Pkt6Ptr>(handle, "query6");
    replace(packet, Option::V6, 16);
    replace(packet, Option::V6, 60000);
    packet->delOption(15);
    return 0;
}
}
