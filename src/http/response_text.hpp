#pragma once
// The bytes of an answer's head. Pure.

#include <string>
#include <string_view>

#include "galley/http/message.hpp"

namespace galley::http {

/// "Not Found"; "Unknown" for a code without a name.
[[nodiscard]] std::string_view reason_of(int status) noexcept;

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
[[nodiscard]] std::string http_date(Time time);

/// A status without a body, whatever the response holds (RFC 9110, section 6.4.1).
[[nodiscard]] bool has_no_body(int status) noexcept;

/// True: all that the head will hold is fit for one; else a header would end its line, or is not the handler's to set.
[[nodiscard]] bool is_sound(const HttpResponse& response) noexcept;

/// Up to the empty line. `date`: of http_date.
[[nodiscard]] std::string head_of(const HttpResponse& response, bool closes, std::string_view date);

/// A whole answer of the server itself, with its status as its text.
[[nodiscard]] HttpResponse plain_answer(int status);

}  // namespace galley::http
