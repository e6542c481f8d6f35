// Tags and headers, and all that galley_extras has of a job. Tags stand twice: as rows by which jobs are found, and as
// one text by which a job knows its own.

#include <string_view>

#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

/// One a line, "NAME: VALUE" where it is a header: neither holds a control character, nor a header's name a colon.
std::string tags_text(const std::vector<std::string>& tags) {
  std::string text;
  for (const std::string& tag : tags) text += tag + '\n';
  return text;
}

std::string headers_text(const std::vector<Header>& headers) {
  std::string text;
  for (const auto& [name, value] : headers) text += name + ": " + value + '\n';
  return text;
}

template <class Line>
void each_line(std::string_view text, Line line) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<std::string> tags_from(std::string_view text) {
  std::vector<std::string> tags;
  each_line(text, [&](std::string_view line) { tags.emplace_back(line); });
  return tags;
}

std::vector<Header> headers_from(std::string_view text) {
  std::vector<Header> headers;
  each_line(text, [&](std::string_view line) {
    const std::size_t colon = std::min(line.find(": "), line.size());
    headers.emplace_back(line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
  });
  return headers;
}

}  // namespace

void Backend::keep_marks(JobId id, const job::NewJob& job) {
  if (!job.tags.empty()) Query(db_, Sql::PutExtra).bind(id, "tags").bind_blob(tags_text(job.tags)).run();
  for (const std::string& tag : job.tags) Query(db_, Sql::InsertTag).bind(tag, id).run();
  if (!job.headers.empty()) Query(db_, Sql::PutExtra).bind(id, "headers").bind_blob(headers_text(job.headers)).run();
}

void Backend::drop_tags(JobId id) {
  for (const std::string& tag : tags_from(extra(id, "tags"))) Query(db_, Sql::DropTag).bind(tag, id).run();
}

void Backend::read_extras(job::JobRecord& job) {
  Query rows(db_, Sql::ExtrasOf);
  rows.bind(job.id);
  while (rows.row()) {
    const std::string what = rows.text(0);
    if (what == "progress") job.progress = rows.text(1);
    if (what == "checkpoint") job.checkpoint = rows.text(1);
    if (what == "result") job.result = rows.text(1);
    if (what == "tags") job.tags = tags_from(rows.text(1));
    if (what == "headers") job.headers = headers_from(rows.text(1));
  }
}

}  // namespace galley::store::sqlite
