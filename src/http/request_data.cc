// What steps keep for a request by its type (Request::data).
#include <martlet/request.h>

#include "http/json_slot.h"
#include "session/exchange.h"

namespace martlet {

void* Request::find_slot(const void* key) const noexcept { return exchange_->find_slot(key); }

// The entry lies before the object.
void* Request::slot_room(size_t size, size_t alignment) const noexcept {
  using Slot = session::Exchange::Slot;
  if (alignment < alignof(Slot)) alignment = alignof(Slot);
  const size_t before = (sizeof(Slot) + alignment - 1) / alignment * alignment;
  auto* room = static_cast<char*>(exchange_->room_for(before + size, alignment));
  return room ? room + before : nullptr;
}

void Request::keep_slot(const void* key, void* object, void (*destroy)(void*) noexcept) const noexcept {
  auto* slot = reinterpret_cast<session::Exchange::Slot*>(static_cast<char*>(object) - sizeof(session::Exchange::Slot));
  exchange_->add_slot(slot, key, object, destroy);
}

const Json* Request::json_body() const noexcept { return static_cast<const Json*>(find_slot(&http::json_body_key)); }

}  // namespace martlet
