// Options that a script names as Kea's configuration does.

#include "option_data.h"

#include "changes.h"

#include <dhcp/option_space.h>
#include <dhcpsrv/parsers/option_data_parser.h>

#include <boost/make_shared.hpp>

namespace runscript {
namespace {

using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;
using isc::dhcp::OptionDataParser;
using isc::dhcp::OptionDefinition;
using isc::dhcp::OptionDefinitionPtr;
using isc::util::Optional;

/// Sub-options of option 82 (RFC 3046 and others). Before 2.4, Kea has no definitions of them.
struct AgentOption {
    const char* name;
    uint16_t code;
    isc::dhcp::OptionDataType type;
};

constexpr AgentOption AGENT_OPTIONS[] = {
    {"circuit-id", 1, isc::dhcp::OPT_BINARY_TYPE},
    {"remote-id", 2, isc::dhcp::OPT_BINARY_TYPE},
    {"docsis-device-class", 4, isc::dhcp::OPT_UINT32_TYPE},
    {"link-selection", 5, isc::dhcp::OPT_IPV4_ADDRESS_TYPE},
    {"subscriber-id", 6, isc::dhcp::OPT_STRING_TYPE},
    {"radius", 7, isc::dhcp::OPT_BINARY_TYPE},
    {"auth", 8, isc::dhcp::OPT_BINARY_TYPE},
    {"vendor-specific-info", 9, isc::dhcp::OPT_BINARY_TYPE},
    {"relay-flags", 10, isc::dhcp::OPT_UINT8_TYPE},
    {"server-id-override", 11, isc::dhcp::OPT_IPV4_ADDRESS_TYPE},
    {"relay-id", 12, isc::dhcp::OPT_BINARY_TYPE},
    {"relay-port", 19, isc::dhcp::OPT_UINT16_TYPE},
    {"virtual-subnet-select", 151, isc::dhcp::OPT_BINARY_TYPE},
};

OptionDefinitionPtr agent_option(const Optional<uint32_t>& code, const Optional<std::string>& name) {
    for (const AgentOption& row : AGENT_OPTIONS) {
        if (code.unspecified() ? row.name == name.get() : row.code == code.get()) {
            return boost::make_shared<OptionDefinition>(row.name, row.code, AGENT_OPTION_SPACE, row.type);
        }
    }
    return {};
}

/// How many values the data is made of, where Kea reads it as values with commas between them. Of two commas side by side
/// Kea makes one; each stands for a value here, lest a comma be lost.
size_t values_of(const ConstElementPtr& map) {
    const auto data = map->get("data");
    const auto csv = map->get("csv-format");
    const bool is_csv = !csv || csv->getType() != Element::boolean || csv->boolValue();
    if (!is_csv || !data || data->getType() != Element::string || data->stringValue().empty()) {
        return 0;
    }
    size_t values = 1;
    bool is_escaped = false;
    for (const char c : data->stringValue()) {
        values += c == ',' && !is_escaped ? 1 : 0;
        is_escaped = c == '\\' && !is_escaped;
    }
    return values;
}

size_t room_for(const OptionDefinition& definition, size_t values) {
    if (definition.getArrayType() || has_own_notation(definition)) {
        return values;
    }
    return definition.getType() == isc::dhcp::OPT_RECORD_TYPE ? definition.getRecordFields().size() : 1;
}

void expect_room(const OptionDefinition& definition, size_t values) {
    const size_t room = room_for(definition, values);
    expect(values <= room, "has room for " + std::to_string(room) + " of these " + std::to_string(values) +
                               " values: write \\, for a comma within a value, which is \\\\, in JSON");
}

/// Kea reads bytes with a 0x in front of them where it has no definition, or is told csv-format false, and nowhere else.
bool is_of_bytes(const OptionDefinition& definition) {
    return definition.getType() == isc::dhcp::OPT_BINARY_TYPE && !definition.getArrayType();
}

/// Kea's parser, which takes as many values as the option has room for and says nothing of the others.
class OptionParser : public OptionDataParser {
  public:
    using OptionDataParser::OptionDataParser;

    void expect_reservable(const ConstElementPtr& map) {
        if (const auto definition = findOptionDefinition(extractSpace(map), extractCode(map), extractName(map))) {
            expect_room(*definition, values_of(map));
        }
        // Kea puts the options of a reservation into each of them that holds options of their space. The definition of IA_NA
        // does not say that it does; the option itself says so.
        const auto parsed = parse(map);
        expect(parsed.first.option_->getEncapsulatedSpace() != parsed.second,
               "holds options of its own space, itself too: it cannot be reserved");
    }

    NamedOption read(const ElementPtr& map) {
        const auto definition = findOptionDefinition(extractSpace(map), extractCode(map), extractName(map));
        const auto data = map->get("data");
        if (data && data->getType() == Element::null) {
            return {extractSpace(map), code_of(map, definition), nullptr};
        }
        if (definition && is_of_bytes(*definition) && !map->contains("csv-format")) {
            map->set("csv-format", Element::create(false));
        } else if (definition) {
            expect_room(*definition, values_of(map));
        }
        const auto parsed = parse(map);
        const auto& option = parsed.first.option_;
        return {parsed.second, option->getType(), option};
    }

  protected:
    OptionDefinitionPtr findOptionDefinition(const std::string& space, const Optional<uint32_t>& code,
                                             const Optional<std::string>& name) const override {
        const OptionDefinitionPtr keas = OptionDataParser::findOptionDefinition(space, code, name);
        return keas || space != AGENT_OPTION_SPACE ? keas : agent_option(code, name);
    }

  private:
    uint16_t code_of(const ElementPtr& map, const OptionDefinitionPtr& definition) const {
        const auto code = extractCode(map);
        const auto name = extractName(map);
        expect(definition || !code.unspecified(), "no option of its space has this name");
        expect(!definition || name.unspecified() || name.get() == definition->getName(),
               "has the code of another option: " + (definition ? definition->getName() : ""));
        return static_cast<uint16_t>(definition ? definition->getCode() : code.get());
    }
};

} // namespace

NamedOption read_option(uint16_t family, const ElementPtr& map) { return OptionParser(family).read(map); }

void expect_reservable(uint16_t family, const ConstElementPtr& map) { OptionParser(family).expect_reservable(map); }

} // namespace runscript
