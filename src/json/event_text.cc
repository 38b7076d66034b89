// See event_text.h.
#include "json/event_text.h"

#include <bit>
#include <cstring>

#include "json/escape.h"
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
template <const Words& words, std::string_view Words::* word>
bool take(std::string_view& text) noexcept {
  constexpr size_t kSize = (words.*word).size();
  if (text.size() < kSize || std::memcmp(text.data(), (words.*word).data(), kSize) != 0) return false;
  text.remove_prefix(kSize);
  return true;
}

// Where the first byte is that ends a text or needs an escape: `end` when there is none. From `begin` on it may be read.
const char* find_special(const char* begin, const char* at, const char* end) noexcept {
  constexpr ptrdiff_t kWord = 8;
  uint64_t word;
  const auto found = [&word] { return __builtin_ctzll(special_bytes(word)) / 8; };
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= kWord; at += kWord) {
      std::memcpy(&word, at, kWord);
      if (special_bytes(word)) return at + found();
    }
    if (at == end) return end;
    if (end - begin >= kWord) {
      std::memcpy(&word, end - kWord, kWord);
      word >>= 8 * (kWord - (end - at));  // behind it come zeros, which are special
      return at + found();
    }
  }
  while (at != end && !is_special(*at)) at++;
  return at;
}

// How long the name at the front is, if it is plain and ends in time; else 0.
size_t plain_name(std::string_view text) noexcept {
  const size_t most = text.size() < EventText::kNameBytes + 1 ? text.size() : EventText::kNameBytes + 1;
  const char* const end = text.data() + most;
  const char* const stop = find_special(text.data(), text.data(), end);
  return stop != end && *stop == '"' ? static_cast<size_t>(stop - text.data()) : 0;
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

namespace {

template <const Words& words, bool list>
bool glance(std::string_view text, EventText& to) noexcept {
  if (!take<words, &Words::start>(text)) return false;
  const size_t name = plain_name(text);
  if (name == 0) return false;
  to.name = text.substr(0, name);
  text.remove_prefix(name);
  if (!take<words, &Words::args>(text) || text.size() < 2 || text.back() != '}') return false;
  text.remove_suffix(1);
  if (is_digit(text.back())) take_ack_behind(text, to.ack);
  if (text.empty()) return false;
  if (list ? text.front() != '[' || text.back() != ']' : text.front() <= ' ') return false;
  to.args = text;
  to.kind = EventKind::event;
  return true;
}

}  // namespace

bool glance_at_event(std::string_view text, EventForm form, EventText& to) noexcept {
  return form == EventForm::event_args ? glance<kEventArgs, true>(text, to) : glance<kTypeData, false>(text, to);
}

// Plain lists -------------------------------------------------------------------------------------------------------------

bool PlainList::read(std::string_view& to) noexcept {
  if (!take('"')) return false;
  const char* at = at_;
  for (Sixteen piece; end_ - at >= static_cast<ptrdiff_t>(sizeof piece); at += sizeof piece) {
    std::memcpy(&piece, at, sizeof piece);
    if (any(special_marks(piece))) break;
  }
  at = find_special(begin_, at, end_);
  if (at == end_ || *at != '"') return false;
  to = {at_, static_cast<size_t>(at - at_)};
  at_ = at + 1;
  return true;
}

bool PlainList::read(bool& to) noexcept {
  const std::string_view word = end_ - at_ >= 4 && std::memcmp(at_, "true", 4) == 0 ? "true" : "false";
  if (static_cast<size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) return false;
  at_ += word.size();
  to = word.size() == 4;
  return true;
}

// What stands behind it is looked at by who reads the list.
bool PlainList::integer(bool& negative, uint64_t& magnitude) noexcept {
  constexpr ptrdiff_t kDigits = 18;
  negative = take('-');
  const char* const begin = at_;
  magnitude = 0;
  while (at_ != end_ && is_digit(*at_) && at_ - begin <= kDigits) magnitude = magnitude * 10 + static_cast<uint64_t>(*at_++ - '0');
  const ptrdiff_t digits = at_ - begin;
  return digits > 0 && digits <= kDigits && (digits == 1 || *begin != '0') && !(negative && magnitude == 0);
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
