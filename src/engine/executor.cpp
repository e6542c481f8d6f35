#include "engine/executor.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <typeinfo>
#include <utility>

#include "engine/checkpoint_file.hpp"
#include "engine/command.hpp"
#include "engine/command_files.hpp"
#include "engine/process.hpp"
#include "runtime/symbols.hpp"

namespace galley::engine {

namespace {

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

/// What a command is told of its attempt, as variables that it has not been given otherwise.
void tell_of(const RunningAttempt& attempt, const std::string& checkpoint, Command& command) {
  const auto put = [&command](std::string_view name, std::string value) {
    const bool given = std::any_of(command.env.begin(), command.env.end(),
                                   [name](const auto& variable) { return variable.first == name; });
    if (!given && !value.empty()) command.env.emplace_back(name, std::move(value));
  };
  put("GALLEY_JOB", std::to_string(attempt.id()));
  put("GALLEY_ATTEMPT", std::to_string(attempt.number()));
  put("GALLEY_EPOCH", std::to_string(attempt.epoch()));
  put("GALLEY_QUEUE", attempt.queue());
  put("GALLEY_KIND", attempt.kind());
  put("GALLEY_KEY", attempt.key());
  put("GALLEY_CHECKPOINT", checkpoint);
  // As https://opentelemetry.io/docs/specs/otel/context/env-carriers/ names them.
  put("TRACEPARENT", std::string(attempt.header("traceparent")));
  put("TRACESTATE", std::string(attempt.header("tracestate")));
}

/// The attempt looks at the checkpoint file, if there is one, until the end of the scope.
class Watching {
 public:
  Watching(RunningAttempt& attempt, const CheckpointFile* file) : attempt_(attempt) {
    if (file != nullptr) attempt.watch(*file);
  }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;
  ~Watching() { attempt_.unwatch(); }

 private:
  RunningAttempt& attempt_;
};

Outcome outcome_of(const ProcessEnd& end) {
  if (!end.error.empty()) return Outcome::fail(end.error);
  if (end.signal) return Outcome::fail("killed by " + signal_name(*end.signal));
  if (end.exit_code.value_or(0) != 0) return Outcome::fail("exit code " + std::to_string(*end.exit_code));
  return Outcome::done();
}

/// Of one that ended well, what it has written becomes its result or its file.
Outcome give_output(RunningAttempt& attempt, const Command& command, OutputFile& file, const ProcessEnd& end) {
  Outcome outcome = outcome_of(end);
  if (outcome.kind() != Outcome::Kind::Done) return outcome;
  if (!command.output_file.empty()) {
    if (auto kept = file.keep(); !kept) return Outcome::fail(kept.error().message);
  }
  if (!command.keep_output) return outcome;
  if (end.out_cut) {
    return Outcome::fail("its standard output has more than the " + std::to_string(limits::kMaxResultBytes) +
                         " bytes that a result may have; let it write to a file");
  }
  if (auto given = attempt.result(end.out); !given) return Outcome::fail(given.error().message);
  return outcome;
}

/// What the end of a command is found by; empty where it ended well.
std::string error_class_of(const ProcessEnd& end) {
  if (end.signal) return "signal:" + signal_name(*end.signal);
  if (end.exit_code.value_or(0) != 0) return "exit:" + std::to_string(*end.exit_code);
  if (end.error.empty()) return {};
  return end.exit_code ? "failed" : "not_started";
}

/// The type of the exception that is being handled, as a person writes it ("std::runtime_error").
std::string thrown_type() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown";  // another language's
  return runtime::demangled(type->name());
}

}  // namespace

void put_thrown(const std::exception_ptr& thrown, AttemptEnd& end) {
  end.implied = true;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& what) {
    end.report.error_class = thrown_type();
    end.outcome = Outcome::fail(*what.what() != '\0' ? what.what() : "an exception without a text");
  } catch (...) {
    end.report.error_class = thrown_type();
    end.outcome = Outcome::fail("unknown exception");
  }
}

Executor::Executor(Handlers handlers, AllowedPrograms programs, const base::Clock& clock,
                   std::vector<std::shared_ptr<Middleware>> middleware, store::Store* store,
                   CoroutineHandlers coroutines)
    : handlers_(std::move(handlers)),
      coroutines_(std::move(coroutines)),
      middleware_(std::move(middleware)),
      programs_(std::move(programs)),
      claimable_(programs_.claimable()),
      clock_(clock),
      store_(store) {}

AttemptEnd Executor::execute(RunningAttempt& attempt) const {
  const base::Mono begin = clock_.mono();
  AttemptEnd end;
  end.command = attempt.claim().content == job::Content::Command;
  const Next run = [&](std::string_view payload) {
    return end.command ? run_command(attempt, payload, end) : run_handler(attempt, payload, end);
  };
  attempt.enter();
  try {
    end.outcome = through(0, attempt, attempt.claim().payload, run);
  } catch (...) {
    put_thrown(std::current_exception(), end);
  }
  attempt.leave();
  end.report.run_time = clock_.mono() - begin;
  attempt.collect(end);
  return end;
}

std::optional<Outcome> Executor::through(std::size_t at, RunningAttempt& attempt, std::string_view payload,
                                         const Next& run) const {
  if (at == middleware_.size()) return run(payload);
  return middleware_[at]->on_attempt(attempt, payload,
                                     [&, at](std::string_view inner) { return through(at + 1, attempt, inner, run); });
}

std::optional<CoroutineChain> Executor::coroutine(const job::Claim& claim) const {
  if (claim.content == job::Content::Command) return std::nullopt;
  const auto at = coroutines_.find(claim.kind);
  if (at == coroutines_.end()) return std::nullopt;
  return CoroutineChain{at->second.get(), middleware_};
}

bool Executor::serves(const job::JobRecord& job) const {
  if (job.content != job::Content::Command) return handlers_.contains(job.kind) || coroutines_.contains(job.kind);
  return programs_.any() || std::find(claimable_.begin(), claimable_.end(), job.program) != claimable_.end();
}

std::optional<Outcome> Executor::run_handler(RunningAttempt& attempt, std::string_view payload, AttemptEnd& end) const {
  const auto handler = handlers_.find(attempt.kind());
  if (handler == handlers_.end()) {
    end.report.error_class = "no_handler";
    return Outcome::fail("this worker has no handler for the kind '" + attempt.kind() + "'");
  }
  return handler->second(attempt, payload);
}

std::optional<Outcome> Executor::run_command(RunningAttempt& attempt, std::string_view payload, AttemptEnd& end) const {
  end.report.error_class = "not_started";  // as long as it has not
  auto command = decode_command(payload);
  if (!command) return Outcome::fail(command.error().message);
  const bool resumable = attempt.claim().policy.resumable;
  const auto checkpoint =
      resumable ? CheckpointFile::make(attempt.checkpoint()) : Result<CheckpointFile>(CheckpointFile());
  if (!checkpoint) return Outcome::fail(checkpoint.error().message);
  const Watching watching(attempt, resumable ? &*checkpoint : nullptr);
  tell_of(attempt, resumable ? checkpoint->path() : std::string(), *command);
  auto spec = programs_.spec_for(*std::move(command));
  if (!spec) return Outcome::fail(spec.error().message);
  const auto input = open_input(spec->command, store_);
  if (!input) return Outcome::fail("its standard input: " + input.error().message);
  spec->input = input->get();
  auto output = spec->command.output_file.empty() ? Result<OutputFile>(OutputFile())
                                                  : OutputFile::open(spec->command.output_file);
  if (!output) return Outcome::fail(output.error().message);
  spec->output = output->fd();
  auto process = Process::start(*spec);
  if (!process) {
    end.not_started = process.error().code == Errc::Unavailable;
    return Outcome::fail(process.error().message);
  }
  attempt.attach(**process);
  ProcessEnd ended = (*process)->wait();
  attempt.let_go();
  end.implied = true;
  end.report.error_class = error_class_of(ended);
  end.report.exit_code = ended.exit_code;
  end.report.signal = ended.signal;
  const Outcome outcome = give_output(attempt, spec->command, *output, ended);
  end.report.out = std::move(ended.out);
  end.report.err = std::move(ended.err);
  return outcome;
}

}  // namespace galley::engine
