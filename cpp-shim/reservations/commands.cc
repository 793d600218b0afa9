// The commands, one function each: what they take, do and answer. Texts and results are those of ISC's libdhcp_host_cmds.

#include "commands.h"

#include "arguments.h"
#include "log.h"
#include "reservation.h"

#include <cc/command_interpreter.h>
#include <cc/simple_parser.h>

#include <boost/algorithm/string/case_conv.hpp>

namespace reservations {
namespace {

using isc::BadValue;
using isc::config::CONTROL_RESULT_EMPTY;
using isc::config::CONTROL_RESULT_ERROR;
using isc::config::CONTROL_RESULT_SUCCESS;
using isc::config::createAnswer;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;
using isc::data::SimpleParser;
using isc::dhcp::SUBNET_ID_UNUSED;

using Answer = ConstElementPtr;

/// Of a name in DNS, in bytes (RFC 1035, 2.3.4).
constexpr size_t LONGEST_NAME = 255;

std::string type_of(const ConstElementPtr& value) {
    return Element::typeToName(static_cast<Element::types>(value->getType()));
}

/// An answer with a list of reservations: those of this server's family.
ElementPtr list_of(const Hosts& hosts) {
    const ElementPtr list = Element::createList();
    for (const ConstHostPtr& host : hosts) {
        if (subnet_of(*host) != SUBNET_ID_UNUSED) {
            list->add(element_of(*host));
        }
    }
    return list;
}

Answer found(const ElementPtr& list, const ElementPtr& arguments = Element::createMap()) {
    arguments->set("hosts", list);
    const std::string text = std::to_string(list->size()) + (is_dhcp4() ? " IPv4" : " IPv6") + " host(s) found.";
    return createAnswer(list->empty() ? CONTROL_RESULT_EMPTY : CONTROL_RESULT_SUCCESS, text, arguments);
}

Answer add(const Arguments& arguments) {
    if (!arguments) {
        isc_throw(BadValue, "no parameters specified for the command");
    }
    const Target target = target_of(arguments);
    const ConstElementPtr given = arguments->get("reservation");
    if (!given) {
        isc_throw(BadValue, "reservation must be specified");
    }
    const HostPtr host = parsed(given, false);
    const bool is_global = subnet_of(*host) == SUBNET_ID_UNUSED;
    if (is_global) {
        make_global(*host);
    }
    require_place(target, "Host database not available, cannot add host.");
    require_fit(*host);
    add(target, host);
    const std::string text =
        is_global ? "Host added. subnet-id not specified, assumed global (subnet-id 0)." : "Host added.";
    return createAnswer(CONTROL_RESULT_SUCCESS, text);
}

Answer get(const Arguments& arguments) {
    const Which which = which_of(arguments);
    const Target target = target_of(arguments);
    const ConstHostPtr host =
        which.address ? find(target, which.subnet, *which.address) : find(target, which.subnet, which.identifier);
    return host ? createAnswer(CONTROL_RESULT_SUCCESS, "Host found.", element_of(*host))
                : createAnswer(CONTROL_RESULT_EMPTY, "Host not found.");
}

Answer get_all(const Arguments& arguments) {
    require_map(arguments);
    const SubnetID subnet = subnet_id_of(arguments);
    const Target target = target_of(arguments);
    require_subnet(subnet);
    return found(list_of(all_of_subnet(target, subnet)));
}

Answer get_page(const Arguments& arguments) {
    auto [subnet, place, after, limit] = page_of(arguments);
    Hosts hosts = page(subnet, place, after, limit);
    ElementPtr list = list_of(hosts);
    // A database may be of both families, and a page of the other's alone.
    while (list->empty() && !hosts.empty()) {
        hosts = page(subnet, place, hosts.back()->getHostId(), limit);
        list = list_of(hosts);
    }
    const ElementPtr answer = Element::createMap();
    answer->set("count", Element::create(static_cast<int64_t>(list->size())));
    if (!list->empty()) {
        const ElementPtr next = Element::createMap();
        next->set("source-index", Element::create(static_cast<int64_t>(place)));
        next->set("from", Element::create(static_cast<int64_t>(hosts.back()->getHostId())));
        answer->set("next", next);
    }
    return found(list, answer);
}

Answer get_by_hostname(const Arguments& arguments) {
    require_map(arguments);
    std::string hostname = SimpleParser::getString(arguments, "hostname");
    const auto subnet = optional_subnet_id_of(arguments);
    const Target target = target_of(arguments);
    if (hostname.empty()) {
        isc_throw(BadValue, "Empty hostname");
    }
    boost::algorithm::to_lower(hostname);
    require_subnet(subnet);
    // No reservation has a longer name; some thousand bytes end Kea 2.2 where it asks MySQL for them.
    if (hostname.size() > LONGEST_NAME) {
        return found(list_of({}));
    }
    return found(list_of(all_of_hostname(target, subnet, hostname)));
}

Answer get_by_id(const Arguments& arguments) {
    require_map(arguments);
    const Identifier identifier = identifier_of(arguments);
    return found(list_of(all_of_identifier(target_of(arguments), identifier)));
}

Answer get_by_address(const Arguments& arguments) {
    require_map(arguments);
    const IOAddress address = SimpleParser::getAddress(arguments, "ip-address");
    const auto subnet = optional_subnet_id_of(arguments);
    const Target target = target_of(arguments);
    require_subnet(subnet);
    return found(list_of(all_of_address(target, subnet, address)));
}

Answer update(const Arguments& arguments) {
    if (!arguments) {
        isc_throw(BadValue, "invalid command: does not contain mandatory 'arguments'");
    }
    if (arguments->getType() != Element::map) {
        isc_throw(BadValue,
                  "invalid command: expected 'arguments' to be a map, got " << type_of(arguments) << " instead");
    }
    const ConstElementPtr given = arguments->get("reservation");
    if (!given) {
        isc_throw(BadValue, "invalid command: expected 'reservation' as the sole parameter inside the 'arguments' map, "
                            "didn't get it instead");
    }
    if (given->getType() != Element::map) {
        isc_throw(BadValue,
                  "invalid command: expected 'reservation' to be a map, got " << type_of(given) << " instead");
    }
    const Target target = target_of(arguments);
    const HostPtr host = parsed(given, true);
    require_place(target, "host database not available, cannot update host");
    require_fit(*host);
    update(target, host);
    return createAnswer(CONTROL_RESULT_SUCCESS, "Host updated.");
}

Answer del(const Arguments& arguments) {
    const Which which = which_of(arguments);
    const Target target = target_of(arguments);
    require_place(target, "Unable to delete a host because there is no hosts-database configured.");
    const bool was_there =
        which.address ? del(target, which.subnet, *which.address) : del(target, which.subnet, which.identifier);
    return was_there ? createAnswer(CONTROL_RESULT_SUCCESS, "Host deleted.")
                     : createAnswer(CONTROL_RESULT_EMPTY, "Host not deleted (not found).");
}

template <Answer (*COMMAND)(const Arguments&)>
int callout(isc::hooks::CalloutHandle& handle) {
    Arguments command, arguments;
    Answer answer;
    std::string name;
    try {
        handle.getArgument("command", command);
        name = isc::config::parseCommand(arguments, command);
        answer = COMMAND(arguments);
        log_answer(name, *answer, arguments);
    } catch (const std::exception& error) {
        answer = createAnswer(CONTROL_RESULT_ERROR, error.what());
        log_answer(name, *answer, arguments);
    }
    handle.setArgument("response", answer);
    return 0;
}

} // namespace

const Command COMMANDS[9] = {
    {"reservation-add", callout<add>},
    {"reservation-get", callout<get>},
    {"reservation-get-all", callout<get_all>},
    {"reservation-get-page", callout<get_page>},
    {"reservation-get-by-hostname", callout<get_by_hostname>},
    {"reservation-get-by-id", callout<get_by_id>},
    {"reservation-get-by-address", callout<get_by_address>},
    {"reservation-update", callout<update>},
    {"reservation-del", callout<del>},
};

} // namespace reservations
