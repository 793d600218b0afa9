#pragma once

#include "callout.h"

#include <stdexcept>
#include <string>

namespace runscript {

/// Why a change is not done, in words for the log.
class Refusal : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

void expect(bool condition, const std::string& otherwise);

/// Makes a change in the arguments of the hook point that Kea is at; throws if Kea does not take it.
void make(const Change& wanted, CalloutHandle& handle, const HookPoint& point);

} // namespace runscript
