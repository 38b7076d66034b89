// See event_text.h.
#include "json/event_text.h"

#include <martlet/json.h>

#include <cstring>

#include "json/reader.h"

namespace martlet::json {

namespace {

constexpr JsonOptions kOptions;

struct Words {
  std::string_view start;  // up to the name
  std::string_view name;
  std::string_view args;  // from the name's quote to the arguments
  std::string_view list;  // the member of the arguments
};
constexpr Words kEventArgs{R"({"event":")", "event", R"(","args":)", "args"};
constexpr Words kTypeData{R"({"type":")", "type", R"(","data":)", "data"};

const Words& words_of(EventForm form) noexcept { return form == EventForm::event_args ? kEventArgs : kTypeData; }

// Takes a word away from the front. False when it is not there.
bool take(std::string_view& text, std::string_view word) noexcept {
  if (text.size() < word.size() || std::memcmp(text.data(), word.data(), word.size()) != 0) return false;
  text.remove_prefix(word.size());
  return true;
}

// How long the name at the front is, if it is plain and ends in time; else 0.
size_t plain_name(std::string_view text) noexcept {
  const size_t most = text.size() < EventText::kNameBytes + 1 ? text.size() : EventText::kNameBytes + 1;
  for (size_t i = 0; i < most; i++) {
    const auto letter = static_cast<uint8_t>(text[i]);
    if (letter == '"') return i;
    if (letter < 0x20 || letter == '\\') return 0;
  }
  return 0;
}

bool is_digit(char letter) noexcept { return static_cast<unsigned char>(letter - '0') < 10; }

// ,"ack":7 at the end, which is then cut off. Nothing else there is wrong: parse_event() will look at it.
void take_ack_behind(std::string_view& text, uint64_t& ack) noexcept {
  constexpr std::string_view kWord = R"(,"ack":)";
  constexpr size_t kDigits = 15;
  size_t at = text.size();
  while (at > 0 && is_digit(text[at - 1])) at--;
  const size_t digits = text.size() - at;
  if (digits == 0 || digits > kDigits || (digits > 1 && text[at] == '0') || at < kWord.size()) return;
  if (std::memcmp(text.data() + at - kWord.size(), kWord.data(), kWord.size()) != 0) return;
  ack = 0;
  for (size_t i = at; i < text.size(); i++) ack = ack * 10 + static_cast<uint64_t>(text[i] - '0');
  text = text.substr(0, at - kWord.size());
}

}  // namespace

bool glance_at_event(std::string_view text, EventForm form, EventText& to) noexcept {
  const Words& words = words_of(form);
  if (!take(text, words.start)) return false;
  const size_t name = plain_name(text);
  if (name == 0) return false;
  to.name = text.substr(0, name);
  text.remove_prefix(name);
  if (!take(text, words.args) || text.size() < 2 || text.back() != '}') return false;
  text.remove_suffix(1);
  if (is_digit(text.back())) take_ack_behind(text, to.ack);
  if (text.empty() || (form == EventForm::event_args && (text.front() != '[' || text.back() != ']'))) return false;
  to.args = text;
  to.kind = EventKind::event;
  return true;
}

namespace {

// One text on its way through the reader.
class Parse {
 public:
  Parse(std::string_view text, EventForm form, EventText& to) noexcept
      : text_(text), words_(words_of(form)), list_(form == EventForm::event_args), to_(to), in_(text, kOptions) {}

  void run() noexcept {
    to_.kind = EventKind::none;
    to_.checked = false;
    to_.name = to_.args = {};
    to_.ack = EventText::kNoAck;
    const bool read = in_.begin() && in_.kind() == JsonKind::object &&
                      in_.object([this](std::string_view name) { return member(name); });
    JsonError error;
    if (!read || !in_.finish(true, error)) return;
    to_.checked = true;
    if (!shaped_ || (!named_ && to_.ack == EventText::kNoAck)) return;
    to_.kind = named_ ? EventKind::event : EventKind::answer;
  }

 private:
  bool member(std::string_view name) noexcept {
    if (name == words_.name) return take_name();
    if (name == words_.list) return take_args();
    if (name == "ack") return take_ack();
    return in_.skip();
  }
  bool other_form() noexcept { return shaped_ = false, in_.skip(); }
  bool take_name() noexcept {
    if (in_.kind() != JsonKind::string) return other_form();
    std::string_view name;
    if (!in_.text(name)) return false;
    if (name.empty() || name.size() > EventText::kNameBytes) return shaped_ = false, true;
    std::memcpy(to_.own, name.data(), name.size());
    to_.name = {to_.own, name.size()};
    return named_ = true;
  }
  bool take_args() noexcept {
    if (list_ && in_.kind() != JsonKind::array) return other_form();
    const size_t begin = in_.place();
    if (!in_.skip()) return false;
    to_.args = text_.substr(begin, in_.place() - begin);
    return true;
  }
  bool take_ack() noexcept {
    if (in_.kind() != JsonKind::number) return other_form();
    if (!ReadParts::integer(in_, to_.ack)) return false;
    shaped_ = shaped_ && to_.ack <= EventText::kMostAck;
    return true;
  }

  std::string_view text_;
  const Words& words_;
  bool list_;
  EventText& to_;
  Reader in_;
  bool shaped_ = true;
  bool named_ = false;
};

}  // namespace

void parse_event(std::string_view text, EventForm form, EventText& to) noexcept { Parse(text, form, to).run(); }

std::string_view argument_at(std::string_view args, size_t index) noexcept {
  Reader in(args, kOptions);
  std::string_view found;
  size_t at = 0;
  in.array([&] {
    const size_t begin = in.place();
    if (!in.skip()) return false;
    if (at++ != index) return true;
    found = args.substr(begin, in.place() - begin);
    return false;
  });
  return found;
}

size_t count_arguments(std::string_view args) noexcept {
  Reader in(args, kOptions);
  size_t count = 0;
  in.array([&] { return count++, in.skip(); });
  return count;
}

}  // namespace martlet::json
