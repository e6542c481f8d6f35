#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/template.hpp"
#include "job/validate.hpp"

namespace galley::fuzz {

void template_text(std::string_view input) {
  const auto read = job::template_from(input, "payload");
  if (!read) {
    const Errc code = read.error().code;
    require(code == Errc::Io || code == Errc::NewerSchema, "what cannot be read is Io or NewerSchema");
    return require_message(read.error());
  }
  require(read->payload == "payload", "the payload stays apart");
  const std::string text = job::template_text(*read);
  const auto again = job::template_from(text, "payload");
  require(again.has_value() && job::template_text(*again) == text, "a job that was written reads the same", text);
  static_cast<void>(refused(job::validate(*read)));
}

}  // namespace galley::fuzz
