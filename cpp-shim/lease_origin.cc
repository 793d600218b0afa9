// What a lease keeps of where its client was heard: a text in its user context, under a key of ours.

#include "lease_origin.h"

#include <cc/data.h>

namespace runscript {
namespace {

using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;

/// leases/origin.rs has its twin.
constexpr const char* KEY = "runscript";

} // namespace

std::string kept_origin(const isc::dhcp::Lease& lease) {
    const ConstElementPtr context = lease.getContext();
    const ConstElementPtr kept = context && context->getType() == Element::map ? context->get(KEY) : ConstElementPtr();
    return kept && kept->getType() == Element::string ? kept->stringValue() : "";
}

/// What others keep there stays.
bool keep_origin(isc::dhcp::Lease& lease, const std::string& origin) {
    if (kept_origin(lease) == origin) {
        return false;
    }
    const ConstElementPtr context = lease.getContext();
    const ElementPtr changed = Element::createMap();
    if (context && context->getType() == Element::map) {
        changed->setValue(context->mapValue());
    }
    if (origin.empty()) {
        changed->remove(KEY);
    } else {
        changed->set(KEY, Element::create(origin));
    }
    lease.setContext(changed->size() == 0 ? ConstElementPtr() : ConstElementPtr(changed));
    return true;
}

} // namespace runscript
