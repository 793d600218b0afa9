// A hook library with one fault, which its parameter names: sanitizers have to find it.

#include <config.h>
#include <hooks/hooks.h>

#include <climits>
#include <string>
#include <thread>
#include <vector>

using isc::hooks::LibraryHandle;

namespace {

volatile int counter = INT_MAX;

int overflow() {
    const std::vector<int> list(3);
    return list.data()[counter - INT_MAX + 3];
}

int undefined() { return counter + 1; }

int race() {
    std::thread other([] { counter = 1; });
    counter = 2;
    other.join();
    return counter;
}

} // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }

int load(LibraryHandle& handle) {
    const std::string fault = handle.getParameter("fault")->stringValue();
    counter = fault == "overflow" ? overflow() : fault == "undefined" ? undefined() : race();
    return 0;
}
}
