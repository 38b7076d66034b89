// The event that tells of a key, while it is written.
#pragma once

#include <martlet/json_writer.h>

#include <string_view>

#include "realtime/room_memory.h"

namespace martlet::realtime {

class KeyText {
 public:
  // Without a value it is the removal of the key.
  KeyText(std::string_view event, std::string_view key, std::string_view value, bool type_data) noexcept {
    const bool bare = type_data && value.empty();
    out_.begin_object();
    type_data ? out_.member("type", event) : out_.member("event", event);
    type_data ? out_.key("data") : out_.key("args");
    if (!bare) out_.begin_array();
    told_.key_at = out_.text().size();
    out_.value(key);
    told_.value_at = out_.text().size() + 1;
    told_.value_size = value.size();
    if (!value.empty()) out_.raw(value);
    if (!bare) out_.end_array();
    out_.end_object();
    told_.text = out_.text();
  }
  bool ok() const noexcept { return out_.ok(); }
  const RoomMemory::Told& told() const noexcept { return told_; }

 private:
  JsonWriter out_;
  RoomMemory::Told told_;
};

}  // namespace martlet::realtime
