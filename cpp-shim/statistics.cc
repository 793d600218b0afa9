// The commands `runscript-status`, `runscript-retry` and `runscript-replay`, and Kea's statistics. Ours are counted in Rust and copied to Kea's manager of
// statistics when somebody asks for them: exact then, and without its lock in every event. Hence `statistic-reset` does
// not last: they start at 0 with each load of the library.

#include "versions.h"

#include "statistics.h"

#include "guard.h"
#include "hosts/store.h"
#include "main_loop.h"

#include <cc/command_interpreter.h>
#include <hooks/callout_handle.h>
#include <stats/stats_mgr.h>

#include <algorithm>

namespace runscript {
namespace {

using isc::config::CONTROL_RESULT_ERROR;
using isc::config::CONTROL_RESULT_SUCCESS;
using isc::config::createAnswer;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::hooks::CalloutHandle;
using isc::stats::StatsMgr;

/// Every change makes a sample in Kea's list of them, so what has not changed is left alone.
void publish(const std::string& name, int64_t value) {
    const auto shown = StatsMgr::instance().getObservation(name);
    if (!shown || shown->getInteger().first != value) {
        StatsMgr::instance().setValue(name, value);
    }
}

using Handler = ConstElementPtr (*)(const std::string& name, const ConstElementPtr& parameters);

/// Answers one of Kea's own commands with Kea's own function, once ours are up to date. At an exception Kea would
/// answer just so.
int answer_with(Handler handler, CalloutHandle& handle, const char* name) {
    guarded(name, [] {
        publish_statistics();
        return 0;
    });
    ConstElementPtr answer;
    try {
        ConstElementPtr command, parameters;
        handle.getArgument("command", command);
        isc::config::parseCommand(parameters, command);
        answer = handler(name, parameters);
    } catch (const std::exception& error) {
        answer = createAnswer(CONTROL_RESULT_ERROR, std::string("Error during command processing: ") + error.what());
    }
    handle.setArgument("response", answer);
    return 0;
}

int statistic_get(CalloutHandle& handle) {
    return guarded(__func__, [&] { return answer_with(StatsMgr::statisticGetHandler, handle, "statistic-get"); });
}

int statistic_get_all(CalloutHandle& handle) {
    return guarded(__func__,
                   [&] { return answer_with(StatsMgr::statisticGetAllHandler, handle, "statistic-get-all"); });
}

int runscript_status(CalloutHandle& handle) {
    return guarded(__func__, [&] {
        const ConstElementPtr arguments = Element::fromJSON(static_cast<std::string>(status(host_store().size())));
        handle.setArgument("response", createAnswer(CONTROL_RESULT_SUCCESS, "runscript status", arguments));
        return 0;
    });
}

template <typename CarryOut>
int answer_with(CarryOut carry_out, CalloutHandle& handle, const char* name) {
    return guarded(name, [&] {
        ConstElementPtr command, parameters;
        handle.getArgument("command", command);
        isc::config::parseCommand(parameters, command);
        const std::string arguments = parameters ? parameters->str() : "";
        const CommandAnswer answer = carry_out(rust::Str(arguments));
        handle.setArgument("response", createAnswer(answer.result, static_cast<std::string>(answer.text)));
        return 0;
    });
}

int runscript_retry(CalloutHandle& handle) { return answer_with(retry, handle, __func__); }

/// What is reserved for a client is found by its hardware address and by its identifier, whichever it is known by.
size_t forget_reservations(const ForgottenClient& client) {
    const auto is = [](const rust::Vec<uint8_t>& bytes, const std::vector<uint8_t>& others) {
        return !bytes.empty() && std::equal(bytes.begin(), bytes.end(), others.begin(), others.end());
    };
    return host_store().remove_if(
        [&](const Reserved& one) { return client.is_any || is(client.hwaddr, one.hwaddr) || is(client.id, one.id); });
}

int runscript_forget(CalloutHandle& handle) {
    const auto carry_out = [](rust::Str arguments) {
        // The answers first: one that is kept would reserve anew.
        const ForgottenClient client = forget_answers(arguments);
        return forgotten(client, forget_reservations(client));
    };
    return answer_with(carry_out, handle, __func__);
}

int runscript_replay(CalloutHandle& handle) {
    const int result = answer_with(replay, handle, __func__);
    look_for_replay();
    return result;
}

} // namespace

void register_commands(isc::hooks::LibraryHandle& handle) {
    handle.registerCommandCallout("runscript-status", runscript_status);
    handle.registerCommandCallout("runscript-retry", runscript_retry);
    handle.registerCommandCallout("runscript-replay", runscript_replay);
    handle.registerCommandCallout("runscript-forget", runscript_forget);
    handle.registerCommandCallout("statistic-get", statistic_get);
    handle.registerCommandCallout("statistic-get-all", statistic_get_all);
}

void publish_statistics() {
    const rust::Vec<rust::String> names = statistic_names();
    const rust::Vec<int64_t> values = statistic_values();
    for (size_t i = 0; i < names.size() && i < values.size(); ++i) {
        publish(static_cast<std::string>(names[i]), values[i]);
    }
}

void withdraw_statistics() {
    for (const rust::String& name : statistic_names()) {
        StatsMgr::instance().del(static_cast<std::string>(name));
    }
}

} // namespace runscript
