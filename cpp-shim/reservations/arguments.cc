#include "arguments.h"

#include <cc/simple_parser.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>

#if __has_include(<util/str.h>)
#include <util/str.h>
#else
#include <util/strutil.h>
#endif

#include <limits>

namespace reservations {
namespace {

using isc::BadValue;
using isc::data::Element;
using isc::data::SimpleParser;
using isc::dhcp::CfgMgr;
using isc::dhcp::Host;
using isc::dhcp::SUBNET_ID_MAX;

/// The greatest `source-index` that is taken.
constexpr int64_t LAST_PLACE = 10;

bool is_text(const Arguments& value) { return value && value->getType() == Element::string; }

bool has_subnet(SubnetID id) {
    const auto config = CfgMgr::instance().getCurrentCfg();
    return is_dhcp4() ? config->getCfgSubnets4()->getBySubnetId(id) != nullptr
                      : config->getCfgSubnets6()->getBySubnetId(id) != nullptr;
}

/// Text in single quotes, or bytes in hexadecimal with colons or without.
std::vector<uint8_t> bytes_of(const std::string& text) {
    std::vector<uint8_t> bytes;
    try {
        bytes = isc::util::str::quotedStringToBinary(text);
        if (bytes.empty()) {
            isc::util::str::decodeFormattedHexString(text, bytes);
        }
    } catch (const std::exception&) {
        isc_throw(BadValue, "Unable to parse 'identifier' value.");
    }
    if (bytes.empty()) {
        isc_throw(BadValue, "Unable to query for empty 'identifier'.");
    }
    return bytes;
}

Identifier identifier_of(const std::string& type, const std::string& text) {
    Identifier identifier{Host::IDENT_HWADDR, bytes_of(text)};
    try {
        identifier.type = Host::getIdentifierType(type);
    } catch (const std::exception&) {
        isc_throw(BadValue, "Value of 'identifier-type' was not recognized.");
    }
    return identifier;
}

} // namespace

void require_map(const Arguments& arguments) {
    if (!arguments || arguments->getType() != Element::map) {
        isc_throw(BadValue, "Parameters missing or are not a map.");
    }
}

Target target_of(const Arguments& arguments) {
    if (!arguments->get("operation-target")) {
        return Target::Default;
    }
    static const std::pair<const char*, Target> NAMES[] = {
        {"memory", Target::Memory}, {"database", Target::Database}, {"all", Target::All}, {"default", Target::Default}};
    const std::string given = SimpleParser::getString(arguments, "operation-target");
    for (const auto& [name, target] : NAMES) {
        if (given == name) {
            return target;
        }
    }
    isc_throw(BadValue, "The 'operation-target' value ("
                            << given << ") is not within expected set: (memory, database, all, default)");
}

SubnetID subnet_id_of(const Arguments& arguments) {
    return static_cast<SubnetID>(SimpleParser::getInteger(arguments, "subnet-id", 0, SUBNET_ID_MAX));
}

std::optional<SubnetID> optional_subnet_id_of(const Arguments& arguments) {
    if (!arguments->contains("subnet-id")) {
        return {};
    }
    return subnet_id_of(arguments);
}

void require_subnet(std::optional<SubnetID> id) {
    if (id && *id != isc::dhcp::SUBNET_ID_GLOBAL && !has_subnet(*id)) {
        isc_throw(BadValue, (is_dhcp4() ? "IPv4" : "IPv6") << " subnet with ID of '" << *id << "' is not configured");
    }
}

Which which_of(const Arguments& arguments) {
    require_map(arguments);
    const auto address = arguments->get("ip-address");
    const auto type = arguments->get("identifier-type");
    const auto identifier = arguments->get("identifier");
    const bool has_subnet = arguments->contains("subnet-id");
    Which which{};
    if (has_subnet || (!address && !type && !identifier)) {
        which.subnet = subnet_id_of(arguments);
    }
    target_of(arguments);
    if (address) {
        if (!is_text(address)) {
            isc_throw(BadValue, "'ip-address' is not a string.");
        }
        which.address.emplace(address->stringValue());
        if (!has_subnet) {
            isc_throw(BadValue,
                      "missing parameter 'subnet-id', use 'reservation-get-by-address' with 'ip-address' set to \""
                          << address->stringValue() << "\" to get the list of reservations with this address");
        }
        return which;
    }
    for (const auto& [name, value] : {std::pair("identifier-type", type), std::pair("identifier", identifier)}) {
        if (!is_text(value)) {
            isc_throw(BadValue, "No 'ip-address' provided and '" << name << "' is either missing or not a string.");
        }
    }
    which.identifier = identifier_of(type->stringValue(), identifier->stringValue());
    if (!has_subnet) {
        isc_throw(BadValue,
                  "missing parameter 'subnet-id', use 'reservation-get-by-id' with 'identifier-type' set to \""
                      << type->stringValue() << "\" and 'identifier' to \"" << identifier->stringValue()
                      << "\" to get the list of reservations with this identifier");
    }
    return which;
}

Identifier identifier_of(const Arguments& arguments) {
    for (const char* name : {"identifier-type", "identifier"}) {
        if (!is_text(arguments->get(name))) {
            isc_throw(BadValue, "'" << name << "' is either missing or not a string.");
        }
    }
    if (arguments->contains("subnet-id")) {
        isc_throw(BadValue, "'subnet-id' is forbidden in reservation-get-by-id");
    }
    return identifier_of(arguments->get("identifier-type")->stringValue(), arguments->get("identifier")->stringValue());
}

Page page_of(const Arguments& arguments) {
    require_map(arguments);
    const int64_t limit = SimpleParser::getInteger(arguments, "limit", 0, std::numeric_limits<uint32_t>::max());
    Page page{{}, 0, 0, static_cast<size_t>(limit)};
    page.subnet = optional_subnet_id_of(arguments);
    if (arguments->contains("source-index")) {
        page.place = static_cast<size_t>(SimpleParser::getInteger(arguments, "source-index", 0, LAST_PLACE));
    }
    if (arguments->contains("from")) {
        page.after = static_cast<uint64_t>(SimpleParser::getInteger(arguments, "from"));
    }
    // Before anything is looked up: a page of none is none.
    isc::dhcp::HostPageSize{page.limit};
    require_subnet(page.subnet);
    return page;
}

} // namespace reservations
