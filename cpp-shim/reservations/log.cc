#include "../versions.h"

#include "log.h"

#include <cc/command_interpreter.h>
#include <log/log_dbglevels.h>
#include <log/logger.h>
#include <log/message_initializer.h>

namespace reservations {
namespace {

constexpr const char* LOADED = "RESERVATIONS_LOADED";
constexpr const char* REFUSED = "RESERVATIONS_REFUSED";
constexpr const char* CHANGED = "RESERVATIONS_CHANGED";
constexpr const char* FAILED = "RESERVATIONS_FAILED";
constexpr const char* ANSWERED = "RESERVATIONS_ANSWERED";

const char* MESSAGES[] = {
    LOADED,   "version " RESERVATIONS_VERSION " has the commands reservation-add, -get, -update, -del and their kin",
    REFUSED,  "%1",
    CHANGED,  "%1",
    FAILED,   "%1",
    ANSWERED, "%1",
    nullptr};

const isc::log::MessageInitializer initializer(MESSAGES);
isc::log::Logger logger("reservations");

/// Of a text in a line.
constexpr size_t LONGEST = 1000;

/// One line, of printable characters.
std::string printable(const std::string& text) {
    constexpr const char* DIGITS = "0123456789abcdef";
    std::string out;
    for (const char c : text.substr(0, LONGEST)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= ' ' && byte <= '~') {
            out += c;
        } else {
            out += {'\\', 'x', DIGITS[byte >> 4], DIGITS[byte & 15]};
        }
    }
    return text.size() > LONGEST ? out + "..." : out;
}

bool changes(const std::string& command) {
    return command == "reservation-add" || command == "reservation-update" || command == "reservation-del";
}

isc::log::Logger::Formatter line(const std::string& command, int result) {
    if (result == isc::config::CONTROL_RESULT_ERROR) {
        return logger.warn(FAILED);
    }
    if (result == isc::config::CONTROL_RESULT_SUCCESS && changes(command)) {
        return logger.info(CHANGED);
    }
    return logger.isDebugEnabled(isc::log::DBGLVL_COMMAND) ? logger.debug(isc::log::DBGLVL_COMMAND, ANSWERED)
                                                           : isc::log::Logger::Formatter();
}

} // namespace

void log_loaded() { logger.info(LOADED); }

void log_refused(const std::string& reason) { logger.error(REFUSED).arg(reason); }

void log_answer(const std::string& command, const isc::data::Element& answer,
                const isc::data::ConstElementPtr& arguments) {
    const auto text = answer.get("text");
    // One argument: in several, Kea takes %2 for a place of its own.
    line(command, static_cast<int>(answer.get("result")->intValue()))
        .arg(printable(command) + ": " + (text ? printable(text->stringValue()) : "") + " (" +
             (arguments ? printable(arguments->str()) : "no arguments") + ")");
}

} // namespace reservations
