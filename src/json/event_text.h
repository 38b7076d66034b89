// The text of an event, or of the answer to one (martlet/events.h), taken apart: which it is, its name, where its arguments
// stand. The arguments are left as they are, for who knows their types.
//
//   {"event":"save","args":[…],"ack":7}      {"type":"save","data":…,"ack":7}      an event
//   {"ack":7,"args":[…]}                     {"ack":7,"data":…}                    an answer
//
// Nothing is allocated, unless a text that is looked at has escapes; nothing is kept. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::json {

enum class EventForm : uint8_t { event_args, type_data };
enum class EventKind : uint8_t { none, event, answer };

struct EventText {
  static constexpr size_t kNameBytes = 128;
  static constexpr uint64_t kNoAck = UINT64_MAX;
  // Numbers that every peer keeps exactly: JavaScript's are doubles.
  static constexpr uint64_t kMostAck = (uint64_t{1} << 53) - 1;

  EventText() noexcept = default;
  EventText(const EventText&) = delete;
  EventText& operator=(const EventText&) = delete;

  EventKind kind = EventKind::none;
  bool checked = false;        // all of the text is good JSON
  std::string_view name = {};  // in the text, or in `own`
  std::string_view args = {};  // one value; empty when there is none
  uint64_t ack = kNoAck;
  char own[kNameBytes];  // not initialised
};

// The form in which nearly all come, without looking at the arguments: if they are one good value, then `to` is right; if
// they are not, parse_event() knows. False: it is another form, or no event.
bool glance_at_event(std::string_view text, EventForm form, EventText& to) noexcept;

// Members in any order, of names that come twice the last. kind is none for all else: what is no JSON, or has another form, or a name
// of no or more than kNameBytes bytes, or an ack that is no integer from 0 to kMostAck.
void parse_event(std::string_view text, EventForm form, EventText& to) noexcept;

// The text of the argument with this number, of an array that is good JSON; empty when there is none.
std::string_view argument_at(std::string_view args, size_t index) noexcept;
// How many there are.
size_t count_arguments(std::string_view args) noexcept;

}  // namespace martlet::json
