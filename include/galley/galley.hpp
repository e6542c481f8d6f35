#pragma once
// All of Galley's public interface, but what only some programs need: galley/coroutine.hpp, galley/sqlite.hpp and
// galley/testkit.hpp.

#include "galley/batch.hpp"
#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/middleware.hpp"
#include "galley/payload.hpp"
#include "galley/queue.hpp"
#include "galley/receipt.hpp"
#include "galley/resume.hpp"
#include "galley/schedule.hpp"
#include "galley/split.hpp"
#include "galley/store.hpp"
#include "galley/worker.hpp"
