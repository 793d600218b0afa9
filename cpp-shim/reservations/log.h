#pragma once

#include <cc/data.h>

#include <string>

// Lines in Kea's log, under `reservations`.

namespace reservations {

void log_loaded();
/// Why the library cannot be used here.
void log_refused(const std::string& reason);
/// What a command was answered: failures at WARN, what it has changed at INFO, all else at debug level 10.
void log_answer(const std::string& command, const isc::data::Element& answer,
                const isc::data::ConstElementPtr& arguments);

} // namespace reservations
