// SPDX-License-Identifier: Apache-2.0
// Facts about this machine and moment for run.json, in the words of harness/device.py.
#pragma once

#include <cstdint>
#include <string>

#include "bundle/json.h"

namespace segcore::bundle {

/// The `device` part of run.json.
Json DescribeDevice();

/// What may disturb a measurement right now; what the platform does not tell is absent.
Json Conditions();

/// The `tool` part of run.json.
Json Tool(const char* name);

/// How this program was built: compiler, configuration, vector level in use.
Json Build();

/// The clock that stamps the stages, for `protocol.timer`, and what it says.
Json Timer();
std::int64_t Now();

/// Highest resident memory of this process so far, as the `memory` part of run.json.
Json PeakMemory();

/// The time of day: ISO 8601, UTC.
std::string IsoTime();

/// Date, time and a random number: names a session.
std::string NewSession();

}  // namespace segcore::bundle
