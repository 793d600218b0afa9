// Calls one hook point of any hook library as Kea does, and tells how long Kea's thread was away.
//
//     callout [--calls N] [--warm-up N] [--every MICROSECONDS] [--leases N] LIBRARY PARAMETERS HOOK_POINT
//
// It loads the library with Kea's own hooks manager, and after the warm-up says {"ready": true}. For each line on
// standard input it then makes a batch of calls, with packets of a real client, and prints a line of JSON: median, mean,
// p99 and min of the calls, in microseconds.
//
// Under callgrind, --toggle-collect=in_callouts counts what is counted here: the library, and Kea's call of it.

#include "hook_points.h"

#include <asiolink/io_service.h>
#include <cc/data.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <dhcpsrv/network_state.h>
#include <hooks/hooks_manager.h>
#include <log/logger_manager.h>
#include <log/logger_specification.h>
#include <log/logger_support.h>

#if __has_include(<asiolink/io_service_mgr.h>)
#include <asiolink/io_service_mgr.h>
#endif

#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <numeric>
#include <vector>

using isc::asiolink::IOServicePtr;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;
using isc::hooks::CalloutHandlePtr;
using isc::hooks::HooksManager;
using isc::hooks::ServerHooks;

/// The exit status for a library that has nothing at this hook point.
constexpr int NO_CALLOUT = 3;

extern "C" __attribute__((noinline)) void in_callouts(int hook_point, CalloutHandle& handle) {
    HooksManager::callCallouts(hook_point, handle);
}

extern "C" __attribute__((noinline)) void end_of_batch() { asm volatile(""); }

namespace {

struct Options {
    int calls = 1000;
    int warm_up = 100;
    int every = 0;
    int leases = 0;
    std::string library, parameters, hook_point;

    Options(int argc, char** argv);
};

Options::Options(int argc, char** argv) {
    const option known[] = {{"calls", required_argument, nullptr, 'c'},
                            {"warm-up", required_argument, nullptr, 'w'},
                            {"every", required_argument, nullptr, 'e'},
                            {"leases", required_argument, nullptr, 'l'},
                            {}};
    const std::map<int, int*> targets{{'c', &calls}, {'w', &warm_up}, {'e', &every}, {'l', &leases}};
    for (int found; (found = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
        *targets.at(found) = std::stoi(optarg);
    }
    if (argc - optind != 3) {
        throw std::invalid_argument("wanted: LIBRARY PARAMETERS HOOK_POINT");
    }
    library = argv[optind], parameters = argv[optind + 1], hook_point = argv[optind + 2];
}

/// Errors only, apart from the output.
void log_to_standard_error(const std::string& server) {
    isc::log::initLogger(server, isc::log::ERROR);
    isc::log::LoggerSpecification specification(server, isc::log::ERROR);
    isc::log::OutputOption output;
    output.destination = isc::log::OutputOption::DEST_CONSOLE;
    output.stream = isc::log::OutputOption::STR_STDERR;
    specification.addOutputOption(output);
    isc::log::LoggerManager().process(specification);
}

/// As the server's -X does, where Kea wants libraries and scripts in directories of its own.
template <typename Paths = isc::util::file::PathChecker>
void allow_any_directory() {
    if constexpr (KEA_HOOKS_VERSION >= 30000) {
        Paths::enableEnforcement(false);
    }
}

/// Leases as a server has them in memory; what they cost a library shows when it forks.
void fill_lease_database(int leases) {
    isc::dhcp::LeaseMgrFactory::create("type=memfile universe=4 persist=false");
    for (int i = 0; i < leases; ++i) {
        isc::dhcp::Lease4Ptr lease = windows_client::lease4(0);
        lease->addr_ = isc::asiolink::IOAddress(0x0b000000 + i);
        const windows_client::Bytes mac = windows_client::joined({{0x02, 0}, windows_client::number(i)});
        lease->hwaddr_.reset(new isc::dhcp::HWAddr(mac, isc::dhcp::HTYPE_ETHER));
        lease->client_id_.reset(new isc::dhcp::ClientId(windows_client::joined({{1}, mac})));
        isc::dhcp::LeaseMgrFactory::instance().addLease(lease);
    }
}

/// What a server adds to the hook points that libkea-dhcpsrv has registered.
void register_hooks(int family) {
    for (std::string name :
         {"dhcp4_srv_configured", "buffer4_receive", "pkt4_receive", "subnet4_select", "host4_identifier",
          "ddns4_update", "leases4_committed", "lease4_release", "lease4_decline", "pkt4_send", "buffer4_send"}) {
        name[name.find('4')] = '0' + family;
        HooksManager::registerHook(name);
    }
}

/// One of Kea's servers, as far as a hook library sees it.
class Server {
  public:
    explicit Server(const Options& options);
    ~Server();
    bool has_callout() const { return HooksManager::calloutsPresent(index_); }
    /// How long each of so many calls took, in nanoseconds.
    std::vector<int64_t> call(int calls, int every);
    /// Waits until the library has worked off what it has queued, or until its scripts have ended.
    void drain();
    /// What the library knows to have gone wrong so far.
    int64_t losses() const;

  private:
    void load(const Options& options);
    void configured();
    int64_t call_once();
    void poll();
    ConstElementPtr scripts() const;

    std::unique_ptr<Caller> caller_;
    const std::string name_ = "dhcp" + std::to_string(caller_->family());
    const IOServicePtr io_service_{new isc::asiolink::IOService()};
    int index_;
};

Server::Server(const Options& options) : caller_(caller(options.hook_point)) {
    log_to_standard_error("kea-" + name_);
    allow_any_directory();
    register_hooks(caller_->family());
    index_ = ServerHooks::getServerHooks().getIndex(options.hook_point);
    if (options.leases > 0) {
        fill_lease_database(options.leases);
    }
    load(options);
    configured();
}

Server::~Server() {
    HooksManager::prepareUnloadLibraries();
    // Its packets have handles, which keep libraries open.
    caller_.reset();
    HooksManager::unloadLibraries();
}

void Server::load(const Options& options) {
    isc::hooks::HookLibsCollection libraries;
    libraries.emplace_back(options.library, Element::fromJSON(options.parameters));
    if (!HooksManager::loadLibraries(libraries)) {
        throw std::runtime_error(options.library + " was not loaded");
    }
}

void Server::configured() {
    const CalloutHandlePtr handle = HooksManager::createCalloutHandle();
    handle->setArgument("io_context", io_service_);
    handle->setArgument("error", std::string());
    handle->setArgument("network_state", isc::dhcp::NetworkStatePtr());
    const int index = ServerHooks::getServerHooks().getIndex(name_ + "_srv_configured");
    HooksManager::callCallouts(index, *handle);
    if (handle->getStatus() == CalloutHandle::NEXT_STEP_DROP) {
        throw std::runtime_error("the library refused the configuration");
    }
}

int64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/// The thread is busy between two calls, as a server's is: it does not sleep, and only the caches are better off.
std::vector<int64_t> Server::call(int calls, int every) {
    std::vector<int64_t> took(calls);
    for (int64_t& one : took) {
        const int64_t next = now() + every * 1000LL;
        one = call_once();
        do {
            poll();
        } while (now() < next);
    }
    return took;
}

int64_t Server::call_once() {
    int64_t took = 0;
    caller_->prepared([&](CalloutHandle& handle) {
        const int64_t start = now();
        in_callouts(index_, handle);
        took = now() - start;
    });
    return took;
}

/// What Kea's main loop does between packets: a library may have work there, such as to wait for scripts.
void Server::poll() {
#if __has_include(<asiolink/io_service_mgr.h>)
    isc::asiolink::IOServiceMgr::instance().pollIOServices();
#endif
    io_service_->poll();
}

/// What our library tells of its scripts; null for another one.
ConstElementPtr Server::scripts() const {
    constexpr const char* STATUS = "runscript-status";
    if (!HooksManager::commandHandlersPresent(STATUS)) {
        return nullptr;
    }
    const CalloutHandlePtr handle = HooksManager::createCalloutHandle();
    const ElementPtr command = Element::createMap();
    command->set("command", Element::create(STATUS));
    ConstElementPtr response;
    handle->setArgument("command", ConstElementPtr(command));
    handle->setArgument("response", response);
    HooksManager::callCommandHandlers(STATUS, *handle);
    handle->getArgument("response", response);
    return response->get("arguments")->get("scripts");
}

int64_t sum(const ConstElementPtr& scripts, const char* key) {
    int64_t total = 0;
    for (const auto& script : scripts ? scripts->listValue() : std::vector<ElementPtr>()) {
        total += script->contains(key) ? script->get(key)->intValue() : 0;
    }
    return total;
}

bool has_children() {
    siginfo_t nobody;
    return waitid(P_ALL, 0, &nobody, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void Server::drain() {
    while (scripts() ? sum(scripts(), "pending") > 0 : has_children()) {
        usleep(100);
        poll();
    }
}

int64_t Server::losses() const {
    const ConstElementPtr all = scripts();
    return sum(all, "failures") + sum(all, "dropped");
}

void print(std::vector<int64_t> took, int64_t losses) {
    std::sort(took.begin(), took.end());
    const ElementPtr line = Element::createMap();
    const auto set = [&](const char* name, double nanoseconds) {
        line->set(name, Element::create(nanoseconds / 1000));
    };
    set("median", took[took.size() / 2]);
    set("mean", std::accumulate(took.begin(), took.end(), 0.0) / took.size());
    set("p99", took[took.size() * 99 / 100]);
    set("min", took.front());
    line->set("losses", Element::create(losses));
    std::cout << line->str() << std::endl;
}

} // namespace

int main(int argc, char** argv) try {
    const Options options(argc, argv);
    Server server(options);
    if (!server.has_callout()) {
        return NO_CALLOUT;
    }
    server.call(options.warm_up, options.every);
    end_of_batch();
    server.drain();
    std::cout << "{\"ready\": true}" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        const std::vector<int64_t> took = server.call(options.calls, options.every);
        end_of_batch();
        server.drain();
        print(took, server.losses());
    }
} catch (const std::exception& error) {
    std::cerr << "callout: " << error.what() << std::endl;
    return 1;
}
