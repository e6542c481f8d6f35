#include "engine/executor.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "engine/command.hpp"
#include "engine/process.hpp"

namespace galley::engine {

namespace {

AttemptEnd failed(std::string why) {
  AttemptEnd end;
  end.outcome = Outcome::fail(std::move(why));
  return end;
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

Outcome outcome_of(const ProcessEnd& end) {
  if (!end.error.empty()) return Outcome::fail(end.error);
  if (end.signal) return Outcome::fail("killed by " + signal_name(*end.signal));
  if (end.exit_code.value_or(0) != 0) return Outcome::fail("exit code " + std::to_string(*end.exit_code));
  return Outcome::done();
}

}  // namespace

Executor::Executor(Handlers handlers, AllowedPrograms programs, const base::Clock& clock)
    : handlers_(std::move(handlers)),
      programs_(std::move(programs)),
      claimable_(programs_.claimable()),
      clock_(clock) {}

AttemptEnd Executor::execute(RunningAttempt& attempt) const {
  const base::Mono begin = clock_.mono();
  const bool command = attempt.claim().content == job::Content::Command;
  AttemptEnd end = command ? run_command(attempt) : run_handler(attempt);
  end.command = command;
  end.report.run_time = clock_.mono() - begin;
  attempt.collect(end);
  return end;
}

bool Executor::serves(const job::JobRecord& job) const {
  if (job.content != job::Content::Command) return handlers_.contains(job.kind);
  return programs_.any() || std::find(claimable_.begin(), claimable_.end(), job.program) != claimable_.end();
}

AttemptEnd Executor::run_handler(RunningAttempt& attempt) const {
  const auto handler = handlers_.find(attempt.kind());
  if (handler == handlers_.end()) return failed("this worker has no handler for the kind '" + attempt.kind() + "'");
  AttemptEnd end;
  try {
    end.outcome = handler->second(attempt, attempt.claim().payload);
    return end;
  } catch (const std::exception& thrown) {
    end.outcome = Outcome::fail(*thrown.what() != '\0' ? thrown.what() : "an exception without a text");
  } catch (...) {
    end.outcome = Outcome::fail("unknown exception");
  }
  end.implied = true;
  return end;
}

AttemptEnd Executor::run_command(RunningAttempt& attempt) const {
  auto command = decode_command(attempt.claim().payload);
  if (!command) return failed(command.error().message);
  auto spec = programs_.spec_for(*std::move(command));
  if (!spec) return failed(spec.error().message);
  auto process = Process::start(*spec);
  if (!process) {
    AttemptEnd end = failed(process.error().message);
    end.not_started = process.error().code == Errc::Unavailable;
    return end;
  }
  attempt.attach(**process);
  ProcessEnd ended = (*process)->wait();
  attempt.let_go();
  AttemptEnd end;
  end.implied = true;
  end.outcome = outcome_of(ended);
  end.report.exit_code = ended.exit_code;
  end.report.signal = ended.signal;
  end.report.out = std::move(ended.out);
  end.report.err = std::move(ended.err);
  return end;
}

}  // namespace galley::engine
