#include "versions.h"

#include "log.h"

#include <log/log_dbglevels.h>
#include <log/logger.h>
#include <log/message_initializer.h>

#include <string>
#include <vector>

namespace runscript {
namespace {

using isc::log::Logger;
using isc::log::MessageInitializer;

/// Kea's dictionary of messages refers to texts that are in an array of id, text, id, text, ..., null.
/// Kea reads the array when it opens the library, after this file's static objects are made.
struct Dictionary {
    Dictionary() {
        for (const MessageText& row : message_texts()) {
            texts.emplace_back(row.id);
            texts.emplace_back(row.text);
        }
        for (const std::string& text : texts) {
            pointers.push_back(text.c_str());
        }
        pointers.push_back(nullptr);
        new MessageInitializer(pointers.data());
    }

    std::vector<std::string> texts;
    std::vector<const char*> pointers;
};

// Never destroyed: the library stays in memory as long as the process (`-z nodelete`), and Kea may still call
// `unload` while the process takes down its own static objects.
const Dictionary& dictionary = *new Dictionary;
Logger& logger = *new Logger("runscript");

/// Null where the logger's configuration hides this severity.
Logger::Formatter open(Severity severity, const char* id) {
    switch (severity) {
    case Severity::Debug:
        return logger.isDebugEnabled(isc::log::DBGLVL_TRACE_BASIC)
                   ? logger.debug(isc::log::DBGLVL_TRACE_BASIC, id)
                   : Logger::Formatter();
    case Severity::Info:
        return logger.isInfoEnabled() ? logger.info(id) : Logger::Formatter();
    case Severity::Warn:
        return logger.isWarnEnabled() ? logger.warn(id) : Logger::Formatter();
    default:
        return logger.isErrorEnabled() ? logger.error(id) : Logger::Formatter();
    }
}

} // namespace

void log(const Message& message) noexcept {
    try {
        Logger::Formatter line = open(message.severity, message.id.data());
        for (const rust::String& arg : message.args) {
            line.arg(static_cast<std::string>(arg));
        }
    } catch (...) {
        // A log that fails has no place to say so.
    }
}

void log_failure(const char* where, const char* what) noexcept {
    try {
        open(Severity::Error, "RUNSCRIPT_SHIM_FAILED").arg(std::string(where)).arg(std::string(what));
    } catch (...) {
    }
}

} // namespace runscript
