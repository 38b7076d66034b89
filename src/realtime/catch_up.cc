// See catch_up.h.
#include "realtime/catch_up.h"

#include <martlet/json_writer.h>

#include <cstring>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "proto/ws_frame.h"

namespace martlet::realtime {

namespace {

constexpr std::string_view kStateNames[kKeyKinds] = {"room:state", "presence:state"};
constexpr std::string_view kReasons[] = {"", "epoch", "future", "trimmed", "behind"};

struct Number {
  explicit Number(uint64_t value) noexcept : size(static_cast<size_t>(json::write_natural(digits, value) - digits)) {}
  std::string_view text() const noexcept { return {digits, size}; }
  char digits[24];
  size_t size;
};

uint8_t* put(uint8_t* at, std::string_view part) noexcept {
  if (!part.empty()) std::memcpy(at, part.data(), part.size());
  return at + part.size();
}

uint8_t* begin_frame(uint8_t* at, size_t payload) noexcept { return at + proto::encode_frame_header(at, proto::Opcode::text, payload); }

}  // namespace

// Where frames are written to.
struct CatchUp::Out {
  uint8_t* to;
  size_t size;
  Written written;
  // The next changes, once they have been looked for.
  bool placed = false;
  const MemoryEntry* changes[kKeyKinds + 1] = {};  // of each list

  void place(const MemoryMap& map, uint64_t position) noexcept {
    if (std::exchange(placed, true)) return;
    for (size_t kind = 0; kind < kKeyKinds; kind++) changes[kind] = map.live_list(static_cast<KeyKind>(kind)).first_after(position);
    changes[kKeyKinds] = map.gone_list().first_after(position);
  }
  const MemoryEntry* next_change() const noexcept {
    const MemoryEntry* next = changes[0];
    for (const MemoryEntry* other : changes) {
      if (other && (!next || other->offset < next->offset)) next = other;
    }
    return next;
  }
  void pass(const MemoryEntry* change) noexcept {
    for (const MemoryEntry*& next : changes) {
      if (next == change) next = change->newer;
    }
  }

  // False when there is no place for so much.
  bool has_room(size_t bytes) noexcept {
    if (bytes <= size - written.bytes) return true;
    if (written.bytes == 0) written.wanted = bytes;
    return false;
  }
  bool copy(const uint8_t* frame, size_t bytes) noexcept {
    if (!has_room(bytes)) return false;
    std::memcpy(to + written.bytes, frame, bytes);
    return took(bytes);
  }
  bool took(size_t bytes) noexcept {
    written.bytes += bytes;
    written.frames++;
    return true;
  }
  // Behind what is written already it waits for the next time.
  bool share(base::Block* block, uint8_t* data, size_t bytes) noexcept {
    if (written.bytes > 0) return false;
    block->retain();
    written.shared = {block, data, bytes};
    written.frames = 1;
    return true;
  }
  uint8_t* begin(size_t payload) noexcept { return begin_frame(to + written.bytes, payload); }
  bool text(std::initializer_list<std::string_view> parts) noexcept {
    size_t payload = 0;
    for (const std::string_view part : parts) payload += part.size();
    const size_t bytes = proto::frame_header_size(payload) + payload;
    if (!has_room(bytes)) return false;
    uint8_t* at = begin(payload);
    for (const std::string_view part : parts) at = put(at, part);
    return took(bytes);
  }
};

// Beginning -----------------------------------------------------------------------------------------------------------

namespace {

GapReason judge(const RoomMemory& room, uint64_t until, const CatchUpWish& wish) noexcept {
  if (wish.epoch != room.epoch()) return GapReason::epoch;
  if (*wish.since > until) return GapReason::future;
  return *wish.since < room.messages_lost() ? GapReason::trimmed : GapReason::none;
}

// Behind which offset so many messages stand, which are not behind `until`.
uint64_t before_last(const MemoryLog& messages, uint64_t until, uint32_t last) noexcept {
  const uint32_t count = messages.first_after(until);
  if (last == 0 || count == 0) return until;
  return messages.at(last < count ? count - last : 0).offset - 1;
}

bool knows_keys(const MemoryMap& map) noexcept { return map.knows(KeyKind::state) || map.knows(KeyKind::presence); }

}  // namespace

CatchUp::CatchUp(const RoomMemory& room, uint64_t until, const CatchUpWish& wish) noexcept : say_joined_(wish.positions) {
  if (!wish.since) {
    messages_at_ = before_last(room.messages(), until, wish.last);
    start_over(room, until);
    return;
  }
  gap_ = judge(room, until, wish);
  recovered_ = gap_ == GapReason::none;
  say_joined_ = say_joined_ && (recovered_ || wish.last > 0);
  messages_at_ = recovered_ ? *wish.since : before_last(room.messages(), until, wish.last);
  position_ = messages_at_;
  until_ = until;
  if (!recovered_ || position_ < room.map().forgotten()) start_over(room, until);
}

// The keys from the first on.
void CatchUp::start_over(const RoomMemory& room, uint64_t until) noexcept {
  until_ = position_ = until;
  page_at_ = 0;
  page_ = 0;
  kind_ = KeyKind::state;
  phase_ = knows_keys(room.map()) ? Phase::state : Phase::messages;
}

// Writing -------------------------------------------------------------------------------------------------------------

CatchUp::Written CatchUp::write(RoomMemory& room, uint64_t until, const WebSocket& member, uint8_t* to, size_t size) noexcept {
  Out out{to, size, {}};
  // What is gone that its worker has not read yet: it is to read first, as that is the place from which all can be told.
  if (until < room.messages_lost() || until < room.map().forgotten()) return out.written;
  if (std::exchange(lost_, false)) {
    gap_ = GapReason::behind;
    say_joined_ = false;
    messages_at_ = until;
    start_over(room, until);
  }
  while (!out.written.done && !out.written.shared.block && step(room, until, member, out)) {
  }
  return out.written;
}

// True when something was done, and there may be more to do.
bool CatchUp::step(RoomMemory& room, uint64_t until, const WebSocket& member, Out& out) noexcept {
  switch (phase_) {
    case Phase::state: return step_state(room, out);
    case Phase::messages: return step_messages(room, until, member, out);
    case Phase::changes: break;
  }
  return step_changes(room, until, member, out);
}

bool CatchUp::say_position(RoomMemory& room, uint64_t offset, Out& out) noexcept {
  char epoch[kEpochLetters];
  write_epoch(epoch, room.epoch());
  const bool type_data = room.type_data.load(std::memory_order_relaxed);
  const std::string_view head = type_data ? R"({"type":")" : R"({"event":")";
  const std::string_view name = gap_ != GapReason::none ? "room:gap" : "room:joined";
  const std::string_view args = type_data ? R"(","data":{)" : R"(","args":[{)";
  const std::string_view end = type_data ? "}" : "}]";
  const Number number(offset);
  const std::string_view what = gap_ != GapReason::none ? R"("reason":")" : recovered_ ? R"("recovered":true)" : R"("recovered":false)";
  const bool said = out.text({head, name, args, what, kReasons[static_cast<size_t>(gap_)], gap_ != GapReason::none ? "\"" : "", end,
                              R"(,"room":)", room.name_text(), R"(,"offset":)", number.text(), R"(,"epoch":")", {epoch, kEpochLetters},
                              "\"}"});
  if (!said) return false;
  if (gap_ == GapReason::none) say_joined_ = false;
  gap_ = GapReason::none;
  return true;
}

void CatchUp::end_kind() noexcept {
  page_at_ = 0;
  page_ = 0;
  if (kind_ == KeyKind::presence) phase_ = Phase::messages;
  kind_ = KeyKind::presence;
}

bool CatchUp::step_state(RoomMemory& room, Out& out) noexcept {
  if (!room.map().knows(kind_)) return end_kind(), true;
  const ChangeList& keys = room.map().live_list(kind_);
  const bool is_shared = page_ < keys.full() && keys.stretch(page_).after == page_at_ && keys.end_of(page_) <= until_;
  return is_shared ? share_page(room, out) : write_page(room, out);
}

namespace {

// What stands around the keys of a page.
class PageText {
 public:
  PageText(const RoomMemory& room, KeyKind kind, uint32_t page, bool more, uint64_t offset) noexcept
      : page_(page), offset_(offset), type_data_(room.type_data.load(std::memory_order_relaxed)),
        before_{type_data_ ? R"({"type":")" : R"({"event":")", kStateNames[static_cast<size_t>(kind)],
                type_data_ ? R"(","data":[{)" : R"(","args":[{)"},
        behind_{R"(},{"page":)", page_.text(), more ? R"(,"more":true}])" : R"(,"more":false}])", R"(,"room":)", room.name_text(),
                R"(,"offset":)", offset_.text(), "}"} {}
  PageText(const PageText&) = delete;
  PageText& operator=(const PageText&) = delete;

  size_t size() const noexcept {
    size_t all = 0;
    for (const std::string_view part : before_) all += part.size();
    for (const std::string_view part : behind_) all += part.size();
    return all;
  }
  // The payload, with the keys from the first one on, up to an offset.
  void write(uint8_t* at, const MemoryEntry* first, uint64_t last) const noexcept {
    for (const std::string_view part : before_) at = put(at, part);
    for (const MemoryEntry* entry = first; entry && entry->offset <= last; entry = entry->newer) {
      if (entry != first) *at++ = ',';
      at = put(put(put(at, entry->key_text()), ":"), entry->value_text());
    }
    for (const std::string_view part : behind_) at = put(at, part);
  }

 private:
  Number page_;
  Number offset_;
  bool type_data_;
  std::string_view before_[3];
  std::string_view behind_[8];
};

// A stretch of keys as a frame of its own. Null when memory is out.
base::Block* write_stretch(const RoomMemory& room, KeyKind kind, uint32_t index) noexcept {
  const ChangeList& keys = room.map().live_list(kind);
  const ChangeList::Stretch& stretch = keys.stretch(index);
  const uint64_t offset = keys.end_of(index);
  const PageText text(room, kind, index, true, offset);
  const size_t payload = text.size() + (stretch.bytes ? stretch.bytes - 1 : 0);
  base::Block* block = base::Block::make(proto::frame_header_size(payload) + payload);
  if (!block) return nullptr;
  text.write(begin_frame(block->data(), payload), stretch.first, offset);
  return block;
}

}  // namespace

// A page of keys that have been there for so long that others were told of them, or will be: it is the same for all.
bool CatchUp::share_page(RoomMemory& room, Out& out) noexcept {
  const ChangeList& keys = room.map().live_list(kind_);
  base::Block* page = keys.stretch(page_).page;
  if (page) {
    page->retain();
  } else {
    page = write_stretch(room, kind_, page_);
    if (!page) return write_page(room, out);
    room.keep_page(kind_, page_, page);
  }
  room.map().note_pages_wanted();
  const bool shared = out.share(page, page->data(), page->capacity);
  page->release();
  if (shared) page_at_ = keys.end_of(page_++);
  return shared;
}

// One page of the keys that were there at the beginning and have not changed since; those that have come later.
bool CatchUp::write_page(RoomMemory& room, Out& out) noexcept {
  const MemoryEntry* const first = room.map().live_list(kind_).first_after(page_at_);
  size_t bytes = 0;
  const MemoryEntry* end = first;
  for (; end && end->offset <= until_ && (bytes == 0 || bytes < ChangeList::kPageBytes); end = end->newer) {
    bytes += end->key_text().size() + 1 + end->value_text().size() + (bytes ? 1 : 0);
  }
  const bool goes_on = end && end->offset <= until_;
  const uint64_t offset = goes_on ? end->offset - 1 : until_;
  const PageText text(room, kind_, page_, goes_on, offset);
  const size_t payload = text.size() + bytes;
  const size_t whole = proto::frame_header_size(payload) + payload;
  if (!out.has_room(whole)) return false;
  text.write(out.begin(payload), first, offset);
  if (goes_on) {
    page_at_ = offset;
    page_++;
  } else {
    end_kind();
  }
  return out.took(whole);
}

bool CatchUp::write_message(const MemoryRecord& record, const WebSocket& member, Out& out) noexcept {
  const auto give = [&] {
    return record.size >= kSharedBytes ? out.share(record.block, record.data, record.size) : out.copy(record.data, record.size);
  };
  if (record.is_for(member) && !give()) return false;
  messages_at_ = record.offset;
  return true;
}

// Messages that it has not had are gone: it is told, behind the keys, and gets those that come from now on.
bool CatchUp::lose_messages(const RoomMemory& room, uint64_t until) noexcept {
  gap_ = GapReason::behind;
  say_joined_ = false;
  start_over(room, until);
  messages_at_ = until;
  return true;
}

// What was sent before the pages' place. A gap is said here, when it knows the keys: with the position that is said it may come back,
// which is before the last messages, where it has asked for these in place of what is gone.
bool CatchUp::step_messages(RoomMemory& room, uint64_t until, const WebSocket& member, Out& out) noexcept {
  if (gap_ != GapReason::none) return say_position(room, messages_at_, out);
  if (messages_at_ < until_ && messages_at_ < room.messages_lost()) return lose_messages(room, until);
  const MemoryLog& messages = room.messages();
  const uint32_t index = messages.first_after(messages_at_);
  if (index < messages.size() && messages.at(index).offset <= until_) return write_message(messages.at(index), member, out);
  if (messages_at_ < until_) messages_at_ = until_;
  return phase_ = Phase::changes, true;
}

bool CatchUp::step_changes(RoomMemory& room, uint64_t until, const WebSocket& member, Out& out) noexcept {
  if (position_ < room.map().forgotten()) return start_over(room, until), true;
  if (messages_at_ < room.messages_lost()) return lose_messages(room, until);
  out.place(room.map(), position_);
  const MemoryLog& messages = room.messages();
  const uint32_t index = messages.first_after(messages_at_);
  const MemoryRecord* message = index < messages.size() ? &messages.at(index) : nullptr;
  const MemoryEntry* change = out.next_change();
  const bool is_change = change && (!message || change->offset < message->offset);
  const uint64_t next = is_change ? change->offset : message ? message->offset : UINT64_MAX;
  if (say_joined_ && next > until_) return say_position(room, until_, out);
  if (next > until) {
    position_ = messages_at_ = until;
    out.written.done = true;
    return false;
  }
  if (!is_change && !write_message(*message, member, out)) return false;
  if (is_change && !out.copy(change->frame, change->frame_size)) return false;
  if (is_change) out.pass(change);
  if (position_ < next) position_ = next;
  if (messages_at_ < next) messages_at_ = next;
  return true;
}

}  // namespace martlet::realtime
