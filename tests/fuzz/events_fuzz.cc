// Texts of events: what the quick look says is what the whole reading says, where it says anything; what is read where it stands
// (PlainList) is what a JsonReader reads; and a connection that listens and waits takes anything. Only an event that somebody
// listens to, or an answer, is kept from on_message.
#include <martlet/martlet.h>

#include <string>
#include <vector>

#include "codec/utf8.h"
#include "fuzz/fuzz.h"
#include "json/event_text.h"

using namespace martlet;
using json::EventForm;
using json::EventKind;
using json::EventText;

namespace {

bool is_good(std::string_view args) { return Json::parse(args, {.depth = 63}).ok(); }

void check_glance(std::string_view text, EventForm form) {
  EventText quick, whole;
  const bool taken = json::glance_at_event(text, form, quick);
  json::parse_event(text, form, whole);
  FUZZ_CHECK(whole.kind == EventKind::none || whole.checked);
  FUZZ_CHECK(whole.kind == EventKind::none || Json::parse(text).ok());
  FUZZ_CHECK(whole.name.size() <= EventText::kNameBytes);
  FUZZ_CHECK((whole.kind == EventKind::event) == !whole.name.empty() || whole.kind == EventKind::none);
  FUZZ_CHECK(whole.kind != EventKind::answer || whole.ack <= EventText::kMostAck);
  if (!taken || !is_good(quick.args)) return;
  FUZZ_CHECK(whole.kind == EventKind::event);
  FUZZ_CHECK(whole.name == quick.name && whole.ack == quick.ack && whole.args == quick.args);
}

template <typename T>
bool read_plain(std::string_view args, T& to) {
  json::PlainList in(args);
  return in.take('[') && in.read(to) && in.ended();
}

template <typename T>
void check_plain(std::string_view args) {
  T value{};
  if (!read_plain(args, value)) return;
  const auto read = Json::to<std::vector<T>>(args);
  FUZZ_CHECK(read.ok() && read->size() == 1 && (*read)[0] == value);
}

void check_arguments(std::string_view args) {
  const auto tree = Json::parse(args);
  if (!tree || !tree->is_array()) return;
  const size_t count = json::count_arguments(args);
  FUZZ_CHECK(count == tree->size());
  for (size_t i = 0; i < count && i < 40; i++) FUZZ_CHECK(Json::parse(json::argument_at(args, i))->dump() == (*tree)[i].dump());
  FUZZ_CHECK(json::argument_at(args, count).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const bool as_args = input.control() % 2 == 1;
  const fuzz::Exact exact(input.rest());
  const std::string_view text = base::as_text(exact.span());
  if (!codec::is_valid_utf8(exact.span())) return 0;  // no text of a WebSocket
  if (as_args) {
    check_arguments(text);
    check_plain<int>(text);
    check_plain<uint64_t>(text);
    check_plain<int64_t>(text);
    check_plain<uint8_t>(text);
    check_plain<std::string>(text);
    if (bool flag = false; read_plain(text, flag)) FUZZ_CHECK(text == (flag ? "[true]" : "[false]"));
    return 0;
  }
  check_glance(text, EventForm::event_args);
  check_glance(text, EventForm::type_data);
  return 0;
}
