#include "store/sqlite/directory.hpp"

#include <algorithm>

namespace galley::store::sqlite {

void Directory::refresh(std::int64_t names, std::int64_t config) {
  if (names != names_) load_names();
  names_ = names;
  if (config != config_) load_settings();
  config_ = config;
}

void Directory::load_names() {
  Query queues(db_, Sql::NewQueues);
  queues.bind(last_queue_);
  while (queues.row()) add_queue(queues.integer(0), queues.text(1));
  Query lanes(db_, Sql::NewLanes);
  lanes.bind(last_lane_);
  while (lanes.row()) add_lane({lanes.integer(0), lanes.integer(1), lanes.text(2), lanes.text(3)});
}

void Directory::load_settings() {
  paused_.clear();
  max_waiting_.clear();
  orders_.clear();
  Query rows(db_, Sql::QueueSettings);
  while (rows.row()) {
    if (rows.integer(1) != 0) paused_.insert(rows.integer(0));
    if (const auto most = rows.maybe(2)) max_waiting_[rows.integer(0)] = *most;
    if (const auto order = job::order_from(rows.text(3))) orders_[rows.integer(0)] = *order;
  }
  Query bytes(db_, Sql::MaxBytes);
  max_bytes_ = bytes.row() ? bytes.maybe(0) : std::nullopt;
  load_limits();
}

void Directory::load_limits() {
  limits_.clear();
  limits_by_id_.clear();
  has_limits_ = {};
  Query rows(db_, Sql::LimitsAfter);
  rows.bind(0);
  while (rows.row()) {
    KeptLimit one;
    one.id = rows.integer(0);
    one.target = {limit_scope_from(rows.text(1)).value_or(LimitScope::Name), rows.text(2), rows.text(3)};
    one.rule = {rows.small(4), rows.small(5), Duration(rows.integer(6)), rows.small(7)};
    const LimitTarget target = one.target;
    has_limits_[static_cast<std::size_t>(target.scope)] = true;
    limits_by_id_[one.id] = &(limits_[target] = std::move(one));
  }
  Query weights(db_, Sql::HasWeights);
  has_weights_ = weights.row();
}

job::Order Directory::order(QueueKey queue) const {
  const auto at = orders_.find(queue);
  return at != orders_.end() ? at->second : job::Order::Fifo;
}

const KeptLimit* Directory::limit(const LimitTarget& target) const {
  const auto at = limits_.find(target);
  return at != limits_.end() ? &at->second : nullptr;
}

const KeptLimit* Directory::limit(std::int64_t id) const {
  const auto at = limits_by_id_.find(id);
  return at != limits_by_id_.end() ? at->second : nullptr;
}

std::optional<std::int64_t> Directory::max_waiting(QueueKey queue) const {
  const auto at = max_waiting_.find(queue);
  return at != max_waiting_.end() ? std::optional(at->second) : std::nullopt;
}

void Directory::rolled_back() {
  for (const LaneKey id : new_lanes_) {
    const Lane& gone = lanes_.at(id);
    lane_ids_.erase({gone.queue, gone.kind, gone.program});
    lanes_.erase(id);
    last_lane_ = std::min(last_lane_, id - 1);
  }
  for (const QueueKey id : new_queues_) {
    queues_.erase(queue_names_.at(id));
    queue_names_.erase(id);
    last_queue_ = std::min(last_queue_, id - 1);
  }
  new_lanes_.clear();
  new_queues_.clear();
}

void Directory::committed() {
  if (has_grown()) ++names_;  // as the transaction has
  new_lanes_.clear();
  new_queues_.clear();
}

void Directory::forget() {
  queues_.clear();
  queue_names_.clear();
  lane_ids_.clear();
  lanes_.clear();
  last_queue_ = 0;
  last_lane_ = 0;
  new_queues_.clear();
  new_lanes_.clear();
  names_ = kNone;
  config_ = kNone;
}

QueueKey Directory::find_queue(const std::string& name) const {
  const auto at = queues_.find(name);
  return at != queues_.end() ? at->second : 0;
}

LaneKey Directory::find_lane(QueueKey queue, const std::string& kind, const std::string& program) const {
  const auto at = lane_ids_.find({queue, kind, program});
  return at != lane_ids_.end() ? at->second : 0;
}

QueueKey Directory::queue(const std::string& name) {
  if (const QueueKey known = find_queue(name); known != 0) return known;
  const QueueKey id = last_queue_ + 1;
  Query(db_, Sql::InsertQueue).bind(id, name).run();
  add_queue(id, name);
  new_queues_.push_back(id);
  return id;
}

LaneKey Directory::lane(QueueKey queue, const std::string& kind, const std::string& program) {
  if (const LaneKey known = find_lane(queue, kind, program); known != 0) return known;
  const LaneKey id = last_lane_ + 1;
  Query(db_, Sql::InsertLane).bind(id, queue, kind, program).run();
  add_lane({id, queue, kind, program});
  new_lanes_.push_back(id);
  if (!program.empty() && !kind.empty()) {
    (void)lane(queue, "", program);
    (void)lane(queue, "", std::string(kAnyProgram));
  }
  return id;
}

std::vector<LaneKey> Directory::command_lanes(LaneKey through) const {
  const Lane& all = lane(through);
  std::vector<LaneKey> lanes;
  for (auto at = lane_ids_.lower_bound({all.queue, "", ""}); at != lane_ids_.end(); ++at) {
    const auto& [queue, kind, program] = at->first;
    if (queue != all.queue) break;
    const bool within = all.program == kAnyProgram || program == all.program;
    if (!kind.empty() && !program.empty() && within) lanes.push_back(at->second);
  }
  return lanes;
}

LaneKey Directory::any_lane(QueueKey queue, const std::string& kind) {
  const auto at = lane_ids_.lower_bound({queue, kind, ""});
  const bool known = at != lane_ids_.end() && std::get<0>(at->first) == queue && std::get<1>(at->first) == kind;
  return known ? at->second : lane(queue, kind, "");
}

std::vector<LaneKey> Directory::waiting_lanes(LaneKey id) const {
  const Lane& own = lane(id);
  if (own.program.empty()) return {id};
  return {id, find_lane(own.queue, "", own.program), find_lane(own.queue, "", std::string(kAnyProgram))};
}

std::vector<LaneKey> Directory::claim_lanes(LaneKey id) const {
  std::vector<LaneKey> lanes = waiting_lanes(id);
  if (lanes.size() > 1) lanes.erase(lanes.begin());
  return lanes;
}

void Directory::add_queue(QueueKey id, std::string name) {
  last_queue_ = std::max(last_queue_, id);
  queue_names_[id] = name;
  queues_[std::move(name)] = id;
}

void Directory::add_lane(Lane lane) {
  last_lane_ = std::max(last_lane_, lane.id);
  lane_ids_[{lane.queue, lane.kind, lane.program}] = lane.id;
  lanes_[lane.id] = std::move(lane);
}

}  // namespace galley::store::sqlite
