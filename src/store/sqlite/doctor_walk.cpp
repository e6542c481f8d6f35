// The walk over a table that applies its checks.

#include <algorithm>
#include <variant>

#include "store/sqlite/doctor.hpp"

namespace galley::store::sqlite {

namespace {

using Value = std::variant<std::int64_t, std::string>;
using Key = std::vector<Value>;

constexpr std::size_t kChunkRows = 5'000;  // of one question, ~10 ms
constexpr std::size_t kRepairRows = 500;   // of one transaction that others wait for, ~2 ms

std::string columns(const CheckedTable& table, std::string_view before = {}) {
  std::string text;
  for (const char* column : table.key) {
    if (!text.empty()) text += ", ";
    text += before;
    text += column;
  }
  return text;
}

std::string marks(const CheckedTable& table) {
  std::string text = "?";
  for (std::size_t i = 1; i < table.key.size(); ++i) text += ", ?";
  return text;
}

Key key_of(const Query& row, std::size_t columns) {
  Key key;
  for (int i = 0; i < static_cast<int>(columns); ++i) {
    key.push_back(row.is_text(i) ? Value(row.text(i)) : Value(row.integer(i)));
  }
  return key;
}

void bind_key(Query& query, const Key& key) {
  for (const Value& value : key) {
    std::visit([&query](const auto& one) -> void { query.bind(one); }, value);
  }
}

class Walk {
 public:
  Walk(Database& db, const CheckedTable& table, bool repair) : db_(db), table_(table), repair_(repair) {}

  std::vector<Finding> run() {
    found_.resize(table_.checks.size());
    do {
      last_ = end_of_chunk();
      for (std::size_t i = 0; i < table_.checks.size(); ++i) check_chunk(table_.checks[i], found_[i]);
      first_ = last_;
    } while (!last_.empty());
    std::vector<Finding> findings;
    for (std::size_t i = 0; i < table_.checks.size(); ++i) {
      if (found_[i].rows > 0) findings.push_back(finding(table_.checks[i], found_[i]));
    }
    return findings;
  }

 private:
  struct Found {
    std::size_t rows = 0;
    std::size_t repaired = 0;
    std::string example;
  };

  static Finding finding(const RowCheck& check, const Found& found) {
    return {check.code, std::to_string(found.rows) + " " + check.text + "; the first: " + found.example,
            !check.repairs.empty(), found.repaired == found.rows};
  }

  [[nodiscard]] std::string range(bool to_the_end) const {
    std::string text;
    if (!first_.empty()) text += "(" + columns(table_, "t.") + ") > (" + marks(table_) + ") AND ";
    if (!to_the_end) text += "(" + columns(table_, "t.") + ") <= (" + marks(table_) + ") AND ";
    return text;
  }

  /// The key of the chunk's last row; empty: it goes to the table's end.
  Key end_of_chunk() {
    Query row(db_, "SELECT " + columns(table_, "t.") + " FROM " + table_.name + " t WHERE " + range(true) +
                       "1 ORDER BY " + columns(table_, "t.") + " LIMIT 1 OFFSET " + std::to_string(kChunkRows - 1));
    bind_key(row, first_);
    return row.row() ? key_of(row, table_.key.size()) : Key();
  }

  void check_chunk(const RowCheck& check, Found& found) {
    std::vector<Key> wrong;
    {
      Query rows(db_, "SELECT " + columns(table_, "t.") + ", " + check.example + " FROM " + table_.name + " t WHERE " +
                          range(last_.empty()) + "(" + check.wrong + ")");
      bind_key(rows, first_);
      bind_key(rows, last_);
      while (rows.row()) {
        wrong.push_back(key_of(rows, table_.key.size()));
        if (found.rows++ == 0) found.example = rows.text(static_cast<int>(table_.key.size()));
      }
    }
    if (!repair_ || check.repairs.empty()) return;
    for (std::size_t from = 0; from < wrong.size(); from += kRepairRows) {
      const std::size_t to = std::min(wrong.size(), from + kRepairRows);
      in_transaction(db_, [&] {
        for (std::size_t i = from; i < to; ++i) found.repaired += put_right(check, wrong[i]);
      });
    }
  }

  /// 1 where the row is right now, whoever did it.
  std::size_t put_right(const RowCheck& check, const Key& key) {
    if (!is_wrong(check, key)) return 1;
    for (const char* statement : check.repairs) {
      Query repair(db_, std::string(statement));
      const auto needed = std::min(key.size(), static_cast<std::size_t>(repair.parameters()));
      const Key bound(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(needed));  // its texts are borrowed
      bind_key(repair, bound);
      repair.run();
    }
    return is_wrong(check, key) ? 0 : 1;
  }

  bool is_wrong(const RowCheck& check, const Key& key) {
    Query row(db_, std::string("SELECT 1 FROM ") + table_.name + " t WHERE (" + columns(table_, "t.") + ") = (" +
                       marks(table_) + ") AND (" + check.wrong + ")");
    bind_key(row, key);
    return row.row();
  }

  Database& db_;
  const CheckedTable& table_;
  bool repair_;
  Key first_;  // behind it the chunk begins; empty: at the table's beginning
  Key last_;
  std::vector<Found> found_;
};

}  // namespace

std::vector<Finding> check_table(Database& db, const CheckedTable& table, bool repair) {
  return Walk(db, table, repair).run();
}

}  // namespace galley::store::sqlite
