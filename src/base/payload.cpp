// The part of galley/payload.hpp that is no template.

#include "base/text.hpp"

namespace galley::payload_detail {

std::string to_utf8(std::string_view bytes);  // declared in galley/payload.hpp, whose JSON headers stay out of here

std::string to_utf8(std::string_view bytes) { return base::to_utf8(bytes); }

}  // namespace galley::payload_detail
