#include "versions.h"

#include "log.h"

#include <log/log_dbglevels.h>
#include <log/logger.h>
#include <log/message_initializer.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
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
        initializer.emplace(pointers.data());
    }

    std::vector<std::string> texts;
    std::vector<const char*> pointers;
    std::optional<MessageInitializer> initializer;
};

// Never destroyed: the library stays in memory as long as the process (`-z nodelete`), and Kea may still call
// `unload` while the process takes down its own static objects.
[[gnu::used]] const Dictionary& dictionary = *new Dictionary;
Logger& logger = *new Logger("runscript");

/// Null where the logger's configuration hides this severity.
Logger::Formatter open(Severity severity, const char* id) {
    switch (severity) {
    case Severity::Debug:
        return shows_debug() ? logger.debug(isc::log::DBGLVL_TRACE_BASIC, id) : Logger::Formatter();
    case Severity::Info:
        return logger.isInfoEnabled() ? logger.info(id) : Logger::Formatter();
    case Severity::Warn:
        return logger.isWarnEnabled() ? logger.warn(id) : Logger::Formatter();
    case Severity::Error:
        break;
    }
    return logger.isErrorEnabled() ? logger.error(id) : Logger::Formatter();
}

int64_t seconds() {
    using namespace std::chrono;
    return duration_cast<std::chrono::seconds>(steady_clock::now().time_since_epoch()).count();
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

bool shows_debug() noexcept {
    try {
        return logger.isDebugEnabled(isc::log::DBGLVL_TRACE_BASIC);
    } catch (...) {
        return false;
    }
}

void log_failure(std::string_view where, std::string_view what) noexcept {
    // Clients can repeat what we failed at as fast as they like.
    static std::atomic<int64_t> quiet_until{0};
    static std::atomic<uint64_t> unlogged{0};
    try {
        const int64_t now = seconds();
        int64_t until = quiet_until;
        if (now < until || !quiet_until.compare_exchange_strong(until, now + 60)) {
            ++unlogged;
            return;
        }
        // Kea's exceptions may quote what a client has sent.
        std::string text(log_text({reinterpret_cast<const uint8_t*>(what.data()), what.size()}));
        if (const uint64_t more = unlogged.exchange(0)) {
            text += " (and " + std::to_string(more) + " more failures before)";
        }
        open(Severity::Error, "RUNSCRIPT_SHIM_FAILED").arg(std::string(where)).arg(text);
    } catch (...) {
    }
}

} // namespace runscript
