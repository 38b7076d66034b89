// Conditional requests beside a plain reading of RFC 9110 §13: tags are taken apart by an automaton over the whole list, and
// the order of §13.2.2 is written out as its text has it. Dates beside their grammar by position, and what was read comes
// back the same when it is written. The input is lines: one for each field, then ETag.
#include <optional>

#include "fuzz/fuzz.h"
#include "proto/conditions.h"
#include "proto/entity_tag.h"
#include "proto/http_date.h"

using namespace martlet;

namespace {

struct Tags {
  bool good = false;
  std::vector<std::string> all;  // as written
};

Tags tags_plainly(std::string_view list) {
  Tags tags;
  enum { before, prefix, quote, inside, after } state = before;
  std::string tag;
  for (const char c : list) {
    const bool blank = c == ' ' || c == '\t';
    if (state == inside) {
      tag += c;
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"') {
        tags.all.push_back(tag);
        tag.clear();
        state = after;
      } else if (byte <= 32 || byte == 127) {
        return tags;
      }
    } else if (c == '"' && (state == before || state == quote)) {
      tag += c;
      state = inside;
    } else if (c == 'W' && state == before) {
      tag += c;
      state = prefix;
    } else if (c == '/' && state == prefix) {
      tag += c;
      state = quote;
    } else if (c == ',' && (state == before || state == after)) {
      state = before;
    } else if (!blank || state == prefix || state == quote) {
      return tags;
    }
  }
  tags.good = (state == before || state == after) && !tags.all.empty();
  return tags;
}

std::string bare(std::string_view tag) { return std::string(tag.starts_with("W/") ? tag.substr(2) : tag); }

bool is_one(std::string_view text) {
  const Tags tags = tags_plainly(text);
  return tags.good && tags.all.size() == 1 && tags.all[0] == text;
}

// The condition of the list: 1, 0, or -1 when it is none.
int matches(const std::string& field, const proto::Representation& current, bool strong) {
  if (field == "*") return current.exists;
  const Tags tags = tags_plainly(field);
  if (!tags.good) return -1;
  if (!current.exists || !is_one(current.etag)) return 0;
  return std::any_of(tags.all.begin(), tags.all.end(), [&](const std::string& tag) {
    return strong ? tag == current.etag && tag[0] == '"' : bare(tag) == bare(current.etag);
  });
}

using Value = std::optional<std::string>;

struct Request {
  Value if_match, if_none_match, if_modified_since, if_unmodified_since, if_range, cache_control;
  std::string method;
};

int evaluate_plainly(const Request& r, const proto::Representation& current, int64_t now) {
  if (r.method == "OPTIONS" || r.method == "CONNECT" || r.method == "TRACE") return 200;
  const bool reads = r.method == "GET" || r.method == "HEAD";
  const auto date = [&](const Value& field) { return field ? proto::parse_http_date(*field, now) : std::nullopt; };
  const bool dated = current.exists && current.last_modified;
  if (r.if_match) {
    if (matches(*r.if_match, current, true) != 1) return 412;
  } else if (const auto since = date(r.if_unmodified_since); since && dated) {
    if (*current.last_modified > *since) return 412;
  }
  if (r.if_none_match) {
    const int found = matches(*r.if_none_match, current, false);
    if (found == 1) return reads ? 304 : 412;
    return found == -1 && !reads ? 412 : 200;
  }
  if (const auto since = date(r.if_modified_since); reads && since && dated) {
    if (*current.last_modified <= *since) return 304;
  }
  return 200;
}

void check_list(std::string_view list) {
  const fuzz::Exact bytes(base::as_bytes(list));
  const Tags wanted = tags_plainly(list);
  proto::EntityTagList walk(base::as_text(bytes.span()));
  std::vector<std::string> found;
  proto::EntityTag tag;
  proto::TagStep step;
  while ((step = walk.next(tag)) == proto::TagStep::tag) {
    found.push_back((tag.weak ? "W/\"" : "\"") + std::string(tag.opaque) + "\"");
  }
  FUZZ_CHECK((step == proto::TagStep::end) == wanted.good);
  FUZZ_CHECK(!wanted.good || found == wanted.all);
  FUZZ_CHECK(proto::parse_entity_tag(base::as_text(bytes.span())).has_value() == is_one(list));
}

// The shape of each form: letters of names as they are, d a digit, _ a digit or a blank.
bool has_shape(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (size_t i = 0; i < text.size(); i++) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool letter = std::isalpha(static_cast<unsigned char>(text[i])) != 0;
    const bool good = shape[i] == 'd' ? digit : shape[i] == '_' ? digit || text[i] == ' ' : shape[i] == 'x' ? letter : text[i] == shape[i];
    if (!good) return false;
  }
  return true;
}

void check_date(std::string_view text, int64_t now) {
  const fuzz::Exact bytes(base::as_bytes(text));
  const auto seconds = proto::parse_http_date(base::as_text(bytes.span()), now);
  if (!seconds) return;
  const size_t comma = text.find(',');
  const bool rfc850 = comma != text.npos && has_shape(text.substr(comma), ", dd-xxx-dd dd:dd:dd GMT");
  FUZZ_CHECK(rfc850 || has_shape(text, "xxx, dd xxx dddd dd:dd:dd GMT") || has_shape(text, "xxx xxx _d dd:dd:dd dddd"));
  const fuzz::Exact written(proto::kHttpDateBytes);
  auto* out = reinterpret_cast<char*>(written.data());
  proto::encode_http_date(*seconds, out);
  const auto again = proto::parse_http_date({out, written.size()}, now);
  const bool last_leap = *seconds == 253402300800;  // 9999-12-31 23:59:60
  FUZZ_CHECK(again == (last_leap ? *seconds - 1 : *seconds));
  if (!rfc850 && text.find("60") == text.npos) {  // the digits of the day and the time are the same
    const std::string_view time = std::string_view(out, written.size()).substr(17, 8);
    FUZZ_CHECK(text.find(time) != text.npos);
  }
  if (rfc850 && now > 0 && now < 200'000'000'000) {
    constexpr int64_t kYear = 31'556'952;  // on average
    FUZZ_CHECK(*seconds - now < 50 * kYear + 2 * 86400 && now - *seconds < 50 * kYear + 2 * 86400);
  }
}

const std::string_view* line_of(const Value& value, std::string_view& room) {
  if (!value) return nullptr;
  room = *value;
  return &room;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr std::pair<std::string_view, proto::Method> kMethods[] = {
      {"GET", proto::Method::get}, {"HEAD", proto::Method::head}, {"PUT", proto::Method::put}, {"POST", proto::Method::post},
      {"DELETE", proto::Method::del}, {"OPTIONS", proto::Method::options}, {"TRACE", proto::Method::trace},
      {"CONNECT", proto::Method::connect}, {"PROPFIND", proto::Method::other}};
  fuzz::Input input(data, size);
  const uint8_t flags = input.control();
  const auto [name, method] = kMethods[input.control() % std::size(kMethods)];
  const int64_t now = static_cast<int64_t>(input.control_below(65536)) * 100'000;
  std::vector<std::string> lines(1);
  for (const uint8_t byte : input.rest()) {
    if (byte == '\n') {
      lines.emplace_back();
    } else {
      lines.back().push_back(static_cast<char>(byte));
    }
  }
  for (const std::string& line : lines) {
    check_list(line);
    check_date(line, now);
  }
  lines.resize(std::max<size_t>(lines.size(), 8));
  const auto value = [&](size_t i) { return flags & 1u << i ? Value() : Value(lines[i]); };
  const Request request{value(0), value(1), value(2), value(3), value(4), value(5), std::string(name)};
  const auto changed = proto::parse_http_date(lines[7], now);
  const proto::Representation current{.etag = lines[6], .last_modified = changed, .exists = !(flags & 64)};
  proto::ConditionFields fields;
  std::string_view room;
  if (auto* line = line_of(request.if_match, room)) fields.if_match = *line;
  if (auto* line = line_of(request.if_none_match, room)) fields.if_none_match = *line;
  if (auto* line = line_of(request.if_modified_since, room)) fields.if_modified_since = *line;
  if (auto* line = line_of(request.if_unmodified_since, room)) fields.if_unmodified_since = *line;
  if (auto* line = line_of(request.if_range, room)) fields.if_range = *line;
  if (auto* line = line_of(request.cache_control, room)) fields.cache_control = *line;

  const proto::Verdict verdict = proto::evaluate_conditions(method, fields, current, now);
  const int wanted = evaluate_plainly(request, current, now);
  FUZZ_CHECK((verdict == proto::Verdict::not_modified) == (wanted == 304));
  FUZZ_CHECK((verdict == proto::Verdict::precondition_failed) == (wanted == 412));
  if (proto::is_fresh(method, 200, fields, current, now)) FUZZ_CHECK(wanted == 304);
  const bool no_cache = request.cache_control && fuzz::lower(*request.cache_control).find("no-cache") != std::string::npos;
  if (wanted == 304 && !no_cache) FUZZ_CHECK(proto::is_fresh(method, 200, fields, current, now));
  if (request.if_range && proto::range_applies(fields, current, now)) {
    const bool by_tag = is_one(*request.if_range) && *request.if_range == current.etag && current.etag[0] == '"';
    FUZZ_CHECK(by_tag || (changed && changed == proto::parse_http_date(*request.if_range, now) && *changed < now));
  }
  char tag[proto::kEntityTagBytes];
  const std::string_view made(tag, proto::encode_entity_tag(input.rest(), proto::Comparison::weak, tag));
  FUZZ_CHECK(is_one(made) && made.starts_with("W/"));
  return 0;
}
