#include "http/response_text.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace galley::http {

namespace {

constexpr std::string_view kTokenBytes =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";  // RFC 9110, section 5.6.2

bool same_name(std::string_view left, std::string_view right) noexcept {
  const auto lower = [](char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

void two_digits(std::string& out, unsigned value) {
  out += static_cast<char>('0' + value / 10);
  out += static_cast<char>('0' + value % 10);
}

}  // namespace

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

std::string http_date(Time time) {
  constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - day)};
  std::string out(kDays[std::chrono::weekday{day}.c_encoding()]);
  out += ", ";
  two_digits(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += kMonths[static_cast<unsigned>(date.month()) - 1];
  out += ' ';
  const auto year = static_cast<unsigned>(std::clamp(static_cast<int>(date.year()), 0, 9'999));
  two_digits(out, year / 100);
  two_digits(out, year % 100);
  out += ' ';
  two_digits(out, static_cast<unsigned>(clock.hours().count()));
  out += ':';
  two_digits(out, static_cast<unsigned>(clock.minutes().count()));
  out += ':';
  two_digits(out, static_cast<unsigned>(clock.seconds().count()));
  return out + " GMT";
}

bool has_no_body(int status) noexcept { return status < 200 || status == 204 || status == 304; }

bool is_sound(const HttpResponse& response) noexcept {
  if (response.status < 200 || response.status > 599) return false;
  return std::all_of(response.headers.begin(), response.headers.end(), [](const auto& header) {
    const auto& [name, value] = header;
    for (const std::string_view own : {"Content-Length", "Connection", "Date", "Transfer-Encoding"}) {
      if (same_name(name, own)) return false;
    }
    return !name.empty() && name.find_first_not_of(kTokenBytes) == std::string::npos &&
           value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
  });
}

std::string head_of(const HttpResponse& response, bool closes, std::string_view date) {
  std::string head = "HTTP/1.1 ";
  head += std::to_string(response.status);
  head += ' ';
  head += reason_of(response.status);
  head += "\r\nDate: ";
  head += date;
  for (const auto& [name, value] : response.headers) {
    head += "\r\n";
    head += name;
    head += ": ";
    head += value;
  }
  if (!has_no_body(response.status)) {
    head += "\r\nContent-Length: ";
    head += std::to_string(response.body.size());
  }
  if (closes) head += "\r\nConnection: close";
  return head += "\r\n\r\n";
}

HttpResponse plain_answer(int status) {
  return HttpResponse(status, std::to_string(status) + " " + std::string(reason_of(status)) + "\n");
}

}  // namespace galley::http
