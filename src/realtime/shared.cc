// The program's side of rooms with memory: history.h.
#include <martlet/history.h>

#include <martlet/events.h>

#include "realtime/events.h"
#include "realtime/key_text.h"
#include "realtime/memory_part.h"

namespace martlet {

namespace {

using realtime::KeyKind;
using realtime::RealtimeWorker;
using realtime::RoomMemory;

// What is done under the lock is told to the workers that have members; to this one at once.
template <typename Act>
auto change(RoomMemory& memory, uint32_t first, Act&& act) noexcept {
  RealtimeWorker* w = realtime::here_among(first);
  if (w) realtime::read_unread(*w);
  const auto answer = [&] {
    const std::lock_guard lock(memory.mutex);
    auto changed = act();
    realtime::tell_readers(memory, w);
    return changed;
  }();
  realtime::MemoryPart* part = w ? w->parts.find<realtime::MemoryPart>() : nullptr;
  if (part) part->read_if_here(memory);
  return answer;
}

SendStatus status_of(RoomMemory::Changed changed) noexcept {
  if (changed == RoomMemory::Changed::no_such_key) return SendStatus::closed;
  return changed == RoomMemory::Changed::yes ? SendStatus::ok : SendStatus::dropped;
}

}  // namespace

void set_history_bytes(size_t most) noexcept { realtime::MemoryBudget::most.store(most, std::memory_order_relaxed); }

size_t history_bytes_used() noexcept { return realtime::MemoryBudget::used.load(std::memory_order_relaxed); }

Shared::Shared(const Shared& other) noexcept : memory_(other.memory_), first_(other.first_) {
  if (memory_) memory_->retain();
}

Shared::~Shared() {
  if (memory_) memory_->release();
}

std::string Shared::name() const { return memory_ ? std::string(memory_->name()) : std::string(); }

// Events --------------------------------------------------------------------------------------------------------------

SendStatus Shared::send(std::string_view event, const Json& only) const {
  detail::EventWriter out(event);
  out.add(only);
  return send_event(out);
}

SendStatus Shared::send_event(detail::EventWriter& out) const noexcept {
  if (!memory_) return SendStatus::closed;
  JsonWriter other;
  const std::string_view text = detail::EventAccess::text_of(out, memory_->type_data.load(std::memory_order_relaxed), other);
  if (text.empty()) return SendStatus::dropped;
  RoomMemory::Sent sent;
  sent.text = text;
  sent.is_event = true;
  const bool kept = change(*memory_, first_, [&] { return memory_->send(sent, realtime::memory_now_ms()); });
  return kept ? SendStatus::ok : SendStatus::dropped;
}

// Keys ----------------------------------------------------------------------------------------------------------------

SendStatus Shared::set(std::string_view key, const Json& value) const {
  JsonWriter out;
  out.value(value);
  return set_text(key, out);
}

SendStatus Shared::set_text(std::string_view key, const JsonWriter& value) const noexcept {
  if (!memory_) return SendStatus::closed;
  if (key.size() > kMaxKeyBytes || !value.ok() || value.text().empty()) return SendStatus::dropped;
  const realtime::KeyText told("room:set", key, value.text(), memory_->type_data.load(std::memory_order_relaxed));
  if (!told.ok()) return SendStatus::dropped;
  return status_of(change(*memory_, first_, [&] { return memory_->set(KeyKind::state, key, told.told(), realtime::memory_now_ms()); }));
}

SendStatus Shared::remove(std::string_view key) const {
  if (!memory_) return SendStatus::closed;
  const realtime::KeyText told("room:remove", key, {}, memory_->type_data.load(std::memory_order_relaxed));
  if (!told.ok()) return SendStatus::dropped;
  return status_of(change(*memory_, first_, [&] { return memory_->remove(KeyKind::state, key, told.told(), realtime::memory_now_ms()); }));
}

// Looking -------------------------------------------------------------------------------------------------------------

namespace {

Json parsed(std::string_view text) {
  auto value = Json::parse(text);
  return value ? std::move(*value) : Json();
}

}  // namespace

size_t Shared::size() const noexcept {
  if (!memory_) return 0;
  const std::lock_guard lock(memory_->mutex);
  return memory_->map().live(KeyKind::state);
}

Json Shared::get(std::string_view key) const {
  if (!memory_) return Json();
  base::KeptText value;
  {
    const std::lock_guard lock(memory_->mutex);
    const realtime::MemoryEntry* entry = memory_->map().find(KeyKind::state, key);
    if (!entry || entry->gone) return Json();
    value = base::KeptText(entry->value_text());
  }
  return parsed(value.text());
}

namespace {

RoomPosition position_of(const RoomMemory& memory) {
  RoomPosition position{std::string(realtime::kEpochLetters, '0'), memory.end()};
  realtime::write_epoch(position.epoch.data(), memory.epoch());
  return position;
}

}  // namespace

RoomPosition Shared::position() const {
  if (!memory_) return {};
  const std::lock_guard lock(memory_->mutex);
  return position_of(*memory_);
}

Json Shared::entries(RoomPosition* position) const {
  if (!memory_) return Json();
  JsonWriter out;
  {
    const std::lock_guard lock(memory_->mutex);
    if (position) *position = position_of(*memory_);
    out.object([&] {
      for (const realtime::MemoryEntry* e = memory_->map().live_list(KeyKind::state).oldest(); e; e = e->newer) {
        out.key(e->key());
        out.raw(e->value_text());
      }
    });
  }
  return parsed(out.text());
}

std::vector<std::string> Shared::messages(size_t most) const {
  std::vector<std::string> all;
  if (!memory_) return all;
  const std::lock_guard lock(memory_->mutex);
  memory_->trim(realtime::memory_now_ms());
  const realtime::MemoryLog& log = memory_->messages();
  for (auto i = static_cast<uint32_t>(log.size() > most ? log.size() - most : 0); i < log.size(); i++) {
    const realtime::MemoryRecord& record = log.at(i);
    const size_t header = proto::frame_header_size_of(record.data);
    all.emplace_back(reinterpret_cast<const char*>(record.data) + header, record.size - header);
  }
  return all;
}

}  // namespace martlet
