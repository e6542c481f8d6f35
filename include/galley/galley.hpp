#pragma once
// All of Galley's public interface.

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/payload.hpp"
#include "galley/queue.hpp"
#include "galley/store.hpp"
#include "galley/worker.hpp"
