// martlet/typed_data.h: objects that are found by their type: Request::data, WebSocket::data.
#pragma once

#include <martlet/config.h>

namespace martlet::detail {

template <typename T>
inline char slot_key = 0;  // its address is the type. Not const: equal constants may be one

// An object of the user's, in the list of what a connection has.
struct DataSlot {
  const void* key;
  void (*destroy)(DataSlot* slot) noexcept;
  DataSlot* next = nullptr;
};

template <typename T>
struct DataSlotOf final : DataSlot {
  DataSlotOf() : DataSlot{&slot_key<T>, [](DataSlot* slot) noexcept { delete static_cast<DataSlotOf*>(slot); }} {}
  T value{};
};

}  // namespace martlet::detail
