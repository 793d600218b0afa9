// Options as facts: as Kea has them, as they came, and what Kea makes of those in which the two differ.

#include "facts.h"

#include <algorithm>
#include <typeinfo>

namespace runscript {
namespace {

using isc::dhcp::Option;
using isc::dhcp::OptionCollection;
using isc::dhcp::OptionPtr;
using isc::dhcp::Pkt;
using isc::dhcp::Pkt4;
using isc::dhcp::Pkt6;

/// Deepest option that is taken apart: 0 is a packet's own option.
constexpr uint8_t MAX_DEPTH = 3;

void read(Pkt& packet) {
    try {
        packet.unpack();
    } catch (const std::exception&) {
        // Kea makes do with the options before this one, or drops the packet.
    }
}

/// Has an option read other data, by the definition that it was made of.
void read(Option& option, const isc::dhcp::OptionBuffer& data) {
    while (!option.getOptions().empty()) {
        option.delOption(static_cast<uint16_t>(option.getOptions().begin()->first));
    }
    option.unpack(data.begin(), data.end());
}

/// Kea unpacks some options (43, 224 to 254) when it knows the packet's client classes, by definitions of these. What
/// it holds then has the definition.
void read_deferred(Pkt4& packet, const OptionCollection& held) {
    for (const uint16_t code : packet.getDeferredOptions()) {
        const OptionPtr now = option_of(held, code), came = option_of(packet.options_, code);
        if (!now || !came) {
            continue;
        }
        try {
            const OptionPtr again = now->clone();
            read(*again, came->getData());
            packet.options_.find(code)->second = again;
        } catch (const std::exception&) {
            // Then Kea keeps the bytes.
        }
    }
}

} // namespace

OptionPtr option_of(const OptionCollection& options, uint16_t code) {
    const auto found = options.find(code);
    return found == options.end() ? OptionPtr() : found->second;
}

Span FactsBuilder::options(const OptionCollection& all) {
    const auto start = static_cast<uint32_t>(options_.size());
    options_at(0, all);
    return {start, static_cast<uint32_t>(options_.size()) - start};
}

void FactsBuilder::options_at(uint8_t depth, const OptionCollection& all) {
    for (const auto& entry : all) {
        const OptionPtr& option = entry.second;
        if (!option) {
            continue;
        }
        options_.push_back({option->getType(), depth, data(option)});
        if (depth < MAX_DEPTH) {
            options_at(depth + 1, option->getOptions());
        }
    }
}

/// What follows the option's header on the wire. Packed without Kea's check of the length: it joins the parts of an
/// option that is longer than 255 bytes, and takes it apart again only for the wire.
Span FactsBuilder::data(const OptionPtr& option) {
    if (!option) {
        return NO_FACT;
    }
    // Most options are bytes and nothing else: what is packed is what they hold.
    const Option& plain = *option;
    if (typeid(plain) == typeid(Option) && plain.getOptions().empty()) {
        return add(plain.getData());
    }
    packed_.clear();
    try {
        option->pack(packed_, false);
    } catch (const std::exception&) {
        return add(option->getData());
    }
    const size_t header = std::min<size_t>(option->getHeaderLen(), packed_.getLength());
    return add(data_of(packed_) + header, packed_.getLength() - header);
}

/// Only what was received has it.
Span FactsBuilder::wire(const Pkt& packet) { return packet.data_.empty() ? NO_FACT : add(packet.data_); }

Span FactsBuilder::again4(const Packet4& fact, const OptionCollection& held) {
    const auto unlike = read_again4(part(bytes_, fact.wire), slice(bytes_), part(options_, fact.options));
    if (unlike.empty()) {
        return NO_FACT;
    }
    Pkt4 packet(unlike.data(), unlike.size());
    read(packet);
    read_deferred(packet, held);
    return options(packet.options_);
}

Span FactsBuilder::again6(const Span& wire, size_t layer, const Span& held) {
    const auto unlike = read_again6(part(bytes_, wire), layer, slice(bytes_), part(options_, held));
    if (unlike.empty()) {
        return NO_FACT;
    }
    Pkt6 packet(unlike.data(), unlike.size());
    read(packet);
    return options(packet.options_);
}

} // namespace runscript
