// See room_memory.h.
#include "realtime/room_memory.h"

#include <martlet/json_writer.h>

#include <cstring>
#include <utility>

#include "proto/ws_frame.h"
#include "sys/process.h"

namespace martlet::realtime {

namespace {

constexpr std::string_view kRoom = R"(,"room":)";
constexpr std::string_view kOffset = R"(,"offset":)";

base::KeptText quoted(std::string_view name) noexcept {
  JsonWriter out;
  out.value(name);
  return out.ok() ? base::KeptText(out.text()) : base::KeptText();
}

char* put(char* to, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

RoomMemory::RoomMemory(std::string_view name, const MemoryLimits& bounds) noexcept
    : limits(bounds), name_(name), name_text_(quoted(name)) {
  while (!epoch_) sys::random_bytes(&epoch_, sizeof epoch_);
}

RoomMemory::~RoomMemory() { MemoryBudget::used.fetch_sub(counted_, std::memory_order_relaxed); }

void RoomMemory::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~RoomMemory();
  base::deallocate(this);
}

// Writing -------------------------------------------------------------------------------------------------------------

// The frame of what comes next, at the end of a log. Null data when memory is out.
RoomMemory::Frame RoomMemory::build(MemoryLog& log, proto::Opcode opcode, std::string_view text, bool is_event) noexcept {
  char digits[24];
  const auto digit_count = static_cast<size_t>(is_event ? json::write_natural(digits, end_ + 1) - digits : 0);
  const size_t beside = is_event ? kRoom.size() + name_text().size() + kOffset.size() + digit_count : 0;
  const size_t payload = text.size() + beside;
  if (payload > MemoryLog::kMaxFrameBytes) return {};
  Frame frame;
  frame.payload_at = proto::frame_header_size(payload);
  frame.size = frame.payload_at + payload;
  frame.data = log.room_for(frame.size);
  if (!frame.data) return frame;
  proto::encode_frame_header(frame.data, opcode, payload);
  char* at = reinterpret_cast<char*>(frame.data + frame.payload_at);
  if (!is_event) return put(at, text), frame;
  at = put(at, text.substr(0, text.size() - 1));
  at = put(put(at, kRoom), name_text());
  at = put(put(at, kOffset), {digits, digit_count});
  *at = '}';
  return frame;
}

bool RoomMemory::keep_excepts(std::span<const WebSocket> except, MemoryRecord& record) noexcept {
  record.except_count = static_cast<uint32_t>(except.size());
  if (except.size() == 1) record.except = except[0];
  if (except.size() <= 1) return true;
  record.more = static_cast<WebSocket*>(base::allocate(except.size_bytes()));
  if (record.more) std::memcpy(static_cast<void*>(record.more), except.data(), except.size_bytes());
  return record.more != nullptr;
}

bool RoomMemory::send(const Sent& message, uint64_t now_ms) noexcept {
  const Frame frame = build(messages_, message.opcode, message.text, message.is_event);
  MemoryRecord record;
  if (!frame.data || !keep_excepts(message.except, record)) return false;
  record.offset = ++end_;
  record.time_ms = now_ms;
  record.size = static_cast<uint32_t>(frame.size);
  record.compress = message.compress;
  messages_.append(record);
  trim(now_ms);
  return true;
}

RoomMemory::Changed RoomMemory::change(MemoryEntry& entry, const Told& told, bool gone, uint64_t now_ms) noexcept {
  const Frame frame = build(changes_, proto::Opcode::text, told.text, true);
  if (!frame.data || !map_.make_room(entry, frame.size)) return Changed::no_memory;
  MemoryRecord record;
  record.offset = ++end_;
  record.time_ms = now_ms;
  record.size = static_cast<uint32_t>(frame.size);
  const auto in_frame = [&](size_t at) { return static_cast<uint32_t>(frame.payload_at + at); };
  map_.change(entry, {end_, frame.data, record.size, in_frame(told.key_at), in_frame(told.value_at),
                      static_cast<uint32_t>(told.value_size), gone});
  changes_.append(record);
  map_.keep_removals(64 + map_.live() / 4);
  trim(now_ms);
  return Changed::yes;
}

RoomMemory::Changed RoomMemory::set(KeyKind kind, std::string_view key, const Told& told, uint64_t now_ms) noexcept {
  MemoryEntry* entry = map_.find_or_make(kind, key);
  if (!entry) return Changed::no_memory;
  const bool grows = entry->gone || entry->value_size < told.value_size;
  const bool full = (entry->gone && map_.live() >= limits.keys) || (grows && MemoryBudget::is_spent());
  const Changed changed = full ? Changed::too_many_keys : change(*entry, told, false, now_ms);
  if (changed != Changed::yes && entry->offset == 0) map_.forget(*entry);
  return changed;
}

RoomMemory::Changed RoomMemory::remove(KeyKind kind, std::string_view key, const Told& told, uint64_t now_ms) noexcept {
  MemoryEntry* entry = map_.find(kind, key);
  if (!entry || entry->gone) return Changed::no_such_key;
  return change(*entry, told, true, now_ms);
}

// Bounds --------------------------------------------------------------------------------------------------------------

void RoomMemory::note_use() noexcept {
  const size_t now = bytes();
  MemoryBudget::used.fetch_add(now - counted_, std::memory_order_relaxed);
  counted_ = now;
}

bool RoomMemory::too_much() const noexcept {
  return messages_.bytes() + changes_.bytes() > limits.bytes || MemoryBudget::is_spent();
}

void RoomMemory::drop_message() noexcept {
  messages_lost_ = messages_.oldest().offset;
  messages_.drop_oldest();
}

void RoomMemory::drop_change() noexcept {
  changes_lost_ = changes_.oldest().offset;
  changes_.drop_oldest();
}

// The last message stays until all workers have read it, however large it is.
bool RoomMemory::may_drop(uint64_t read) const noexcept {
  return !changes_.empty() || messages_.size() > 1 || (messages_.size() == 1 && messages_.oldest().offset <= read);
}

// What is wanted by somebody stays, unless it is too much: then changes go first, as nothing is lost with them.
void RoomMemory::trim(uint64_t now_ms) noexcept {
  uint64_t read = UINT64_MAX;
  uint64_t needed = UINT64_MAX;
  for (const MemoryReader* reader = readers_; reader; reader = reader->next) {
    if (reader->read_to < read) read = reader->read_to;
    const uint64_t from = reader->needed_from < reader->read_to ? reader->needed_from : reader->read_to;
    if (from < needed) needed = from;
  }
  while (!changes_.empty() && changes_.oldest().offset <= read) drop_change();
  const auto is_past = [&](const MemoryRecord& oldest) {
    const bool is_older = now_ms > oldest.time_ms;  // another thread may have looked at the clock earlier, and come here later
    return messages_.size() > limits.messages || (limits.age_ms && is_older && now_ms - oldest.time_ms > limits.age_ms);
  };
  while (!messages_.empty() && messages_.oldest().offset <= needed && is_past(messages_.oldest())) drop_message();
  note_use();
  if (!too_much()) [[likely]] return;
  if (MemoryBudget::is_spent() && map_.drop_pages()) note_use();
  while (too_much() && may_drop(read)) {
    changes_.empty() ? drop_message() : drop_change();
    note_use();
  }
}

void RoomMemory::tidy(uint64_t now_ms) noexcept {
  map_.age_pages(now_ms);
  trim(now_ms);
}

void RoomMemory::keep_page(KeyKind kind, uint32_t index, base::Block* page) noexcept {
  if (MemoryBudget::is_spent()) return;
  map_.live_list(kind).keep_page(index, page);
  note_use();
}

void RoomMemory::set_type_data(bool is) noexcept {
  type_data.store(is, std::memory_order_relaxed);
  map_.drop_pages();
  note_use();
}

// Reading -------------------------------------------------------------------------------------------------------------

void RoomMemory::add(MemoryReader& reader) noexcept {
  reader.read_to = end_;
  reader.needed_from = UINT64_MAX;
  reader.next = readers_;
  readers_ = &reader;
}

void RoomMemory::remove(MemoryReader& reader) noexcept {
  MemoryReader** link = &readers_;
  while (*link != &reader) link = &(*link)->next;
  *link = reader.next;
}

namespace {

bool goes_on(const MemoryRuns& runs, const MemoryRun& run, const MemoryRecord& next) noexcept {
  const bool same_excepts = run.except_count == next.except_count &&
                            (run.except_count == 0 || (run.except_count == 1 && runs.excepts[run.except_begin] == next.except));
  return run.block == next.block && run.data + run.size == next.data && run.compress == next.compress && same_excepts;
}

// False when there is no place for it.
bool add_to(MemoryRuns& runs, const MemoryRecord& record) noexcept {
  if (runs.count > 0 && goes_on(runs, runs.runs[runs.count - 1], record)) {
    MemoryRun& run = runs.runs[runs.count - 1];
    run.size += record.size;
    run.messages++;
    run.last = record.offset;
    return true;
  }
  if (runs.count == MemoryRuns::kMost) return false;
  const uint32_t begin = runs.excepts.size();
  for (uint32_t i = 0; i < record.except_count; i++) {
    if (!runs.excepts.push(record.excepts()[i])) return runs.excepts.truncate(begin), false;
  }
  record.block->retain();
  runs.runs[runs.count++] = {record.block, record.data, record.size, 1, record.compress, begin, record.except_count, record.offset};
  return true;
}

}  // namespace

bool RoomMemory::read(MemoryReader& reader, MemoryRuns& runs) noexcept {
  const uint64_t from = reader.read_to;
  if (from < messages_lost_ || from < changes_lost_) return reader.read_to = end_, false;
  uint32_t message = messages_.first_after(from);
  uint32_t change = changes_.first_after(from);
  while (message < messages_.size() || change < changes_.size()) {
    const bool is_change = message == messages_.size() ||
                           (change < changes_.size() && changes_.at(change).offset < messages_.at(message).offset);
    const MemoryRecord& next = is_change ? changes_.at(change++) : messages_.at(message++);
    if (!add_to(runs, next)) return true;
    reader.read_to = next.offset;
  }
  reader.read_to = end_;
  return true;
}

// Epochs --------------------------------------------------------------------------------------------------------------

void write_epoch(char* to, uint64_t epoch) noexcept {
  for (size_t i = kEpochLetters; i-- > 0; epoch >>= 4) to[i] = "0123456789abcdef"[epoch & 15];
}

uint64_t read_epoch(std::string_view text) noexcept {
  if (text.size() != kEpochLetters) return 0;
  uint64_t epoch = 0;
  for (const char letter : text) {
    const size_t value = std::string_view("0123456789abcdef").find(letter);
    if (value == std::string_view::npos) return 0;
    epoch = epoch << 4 | value;
  }
  return epoch;
}

}  // namespace martlet::realtime
