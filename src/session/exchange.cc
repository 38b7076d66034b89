// The life of an exchange outside its handler: see exchange.h.
#include "session/exchange.h"

#include <cstring>
#include <utility>

#include "net/reactor.h"
#include "session/http_session.h"
#include "session/sessions.h"

namespace martlet::session {

namespace {
constexpr size_t kKeepFields = 4096;  // warm memory for response fields
}

char* Exchange::text_room(size_t size) noexcept {
  if (!texts || texts->capacity - texts_used < size) {
    base::Block* block = sessions->reactor.blocks.acquire(size);
    if (!block) return nullptr;
    flags.owns_more = true;
    block->next = texts;
    texts = block;
    texts_used = 0;
  }
  char* room = reinterpret_cast<char*>(texts->data()) + texts_used;
  texts_used += size;
  return room;
}

void* Exchange::room_for(size_t size, size_t alignment) noexcept {
  if (size > SIZE_MAX - alignment) return nullptr;
  const char* room = text_room(size + alignment - 1);
  if (!room) return nullptr;
  const auto at = reinterpret_cast<uintptr_t>(room);
  return reinterpret_cast<void*>((at + alignment - 1) & ~uintptr_t{alignment - 1});
}

void Exchange::add_slot(Slot* slot, const void* key, void* object, void (*destroy)(void*) noexcept) noexcept {
  Slot** end = &slots;
  while (*end) end = &(*end)->next;
  *end = new (slot) Slot{key, nullptr, destroy, object};
}

namespace {

// The last first, as they may refer to earlier ones.
void destroy_slots(Exchange::Slot* first) noexcept {
  Exchange::Slot* reversed = nullptr;
  while (first) {
    Exchange::Slot* next = std::exchange(first->next, reversed);
    reversed = std::exchange(first, next);
  }
  for (; reversed; reversed = reversed->next) {
    if (reversed->destroy) reversed->destroy(reversed->object);
  }
}

}  // namespace

void Exchange::mute() noexcept {
  flags.owns_more = flags.muted = true;
  response.exchange_ = nullptr;
}

void Exchange::reset(net::Connection& c) noexcept {
  connection = &c;
  request_number = 0;
  body = {};
  route = nullptr;
  position = 0;
  param_count = 0;
  status = 200;
  type_in_fields = false;
  content_type_bytes = 0;
  flags = Flags{};
}

net::Connection Exchange::nobody{};

int Exchange::descriptor() const noexcept {
  if (!is_kept()) return connection->fd;
  const net::Connection* c = sessions->reactor.find(tasks ? tasks->connection : keeper);
  return c ? c->fd : -1;
}

void Exchange::end_watch() noexcept {
  flags.watched = false;
  if (AnswerWatch* unanswered = std::exchange(watch, nullptr)) unanswered->on_end(*unanswered, *this);
}

void Exchange::give_back() noexcept {
  const Function<void()> let_go = std::move(aborted);  // what it has captured ends last: that may be anything
  response.exchange_ = this;
  fields.shrink(kKeepFields);
  if (slots) [[unlikely]] destroy_slots(std::exchange(slots, nullptr));
  while (texts) {
    base::Block* next = texts->next;
    texts->release();
    texts = next;
  }
  judged_path = nullptr;
  if (kept) kept->release();
  kept = nullptr;
  refusal.status = 0;
  if (!flags.takes_body) return;
  body_have = 0;
  chunked = proto::ChunkedDecoder();
  drop_coming_body();
}

void Exchange::drop_coming_body() noexcept {
  if (kept_body) kept_body->release();
  kept_body = nullptr;
  chunks.shrink(0);
  sessions->receiving_bytes -= charged;
  charged = 0;
}

bool detach_exchange(Exchange& e) noexcept {
  if (e.flags.detached) return true;
  const size_t head_bytes = e.head.head_bytes;
  e.flags.owns_more = true;
  e.kept = e.sessions->reactor.blocks.acquire(head_bytes + e.body.size());
  if (!e.kept) return false;
  std::memcpy(e.kept->data(), e.base, head_bytes);
  if (!e.body.empty()) std::memcpy(e.kept->data() + head_bytes, e.body.data(), e.body.size());
  e.base = e.kept->data();
  if (!e.body.empty()) e.body = {e.kept->data() + head_bytes, e.body.size()};
  e.flags.detached = true;
  return true;
}

}  // namespace martlet::session
