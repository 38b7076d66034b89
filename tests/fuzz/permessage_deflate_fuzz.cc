// The negotiation of permessage-deflate: fields of the input in a request; an own, plain reading of RFC 6455 §9.1 and RFC
// 7692 §5 and §7.1 must come to the same answer. It cuts a field into lexemes first and reads those.
#include <cctype>
#include <map>
#include <optional>

#include "fuzz/fuzz.h"
#include "proto/permessage_deflate.h"

using namespace martlet;

namespace {

bool token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

// kind: 't' a token, 'q' a quoted string, unquoted, that is a token; ',' ';' '='; '?' what is none of these.
struct Lexeme {
  char kind;
  std::string text;
};

Lexeme quoted(std::string_view field, size_t& at) {
  std::string text;
  for (at++; at < field.size() && field[at] != '"'; at++) {
    if (field[at] == '\\') at++;
    if (at >= field.size() || !token_char(field[at])) return {'?', {}};
    text.push_back(field[at]);
  }
  if (at >= field.size() || text.empty()) return {'?', {}};
  at++;
  return {'q', text};
}

// Nothing comes behind a '?'.
std::vector<Lexeme> lexemes(std::string_view field) {
  std::vector<Lexeme> all;
  for (size_t at = 0; at < field.size();) {
    const char c = field[at];
    if (c == ' ' || c == '\t') {
      at++;
    } else if (c == ',' || c == ';' || c == '=') {
      all.push_back({c, {}});
      at++;
    } else if (c == '"') {
      all.push_back(quoted(field, at));
      if (all.back().kind == '?') break;
    } else {
      size_t end = at;
      while (end < field.size() && token_char(field[end])) end++;
      all.push_back({end > at ? 't' : '?', std::string(field.substr(at, end - at))});
      if (end == at) break;
      at = end;
    }
  }
  return all;
}

using Parameter = std::pair<std::string, std::optional<std::string>>;
struct Extension {
  std::string name;
  std::vector<Parameter> parameters;
  bool whole = false;  // false: the grammar breaks in it, and it does not count
};

std::vector<Extension> extensions(std::string_view field) {
  std::vector<Extension> all;
  const std::vector<Lexeme> in = lexemes(field);
  const auto kind = [&in](size_t i) { return i < in.size() ? in[i].kind : '.'; };
  for (size_t i = 0; kind(i) != '.';) {
    if (kind(i) == ',') {
      i++;
      continue;
    }
    if (kind(i) != 't') return all;
    all.push_back({fuzz::lower(in[i++].text), {}, false});
    while (kind(i) == ';') {
      if (kind(++i) != 't') return all;
      Parameter parameter{fuzz::lower(in[i++].text), {}};
      if (kind(i) == '=') {
        if (kind(++i) != 't' && kind(i) != 'q') return all;
        parameter.second = in[i++].text;
      }
      all.back().parameters.push_back(parameter);
    }
    if (kind(i) != ',' && kind(i) != '.') return all;
    all.back().whole = true;
  }
  return all;
}

// 0: not there; -1: it must not be like that.
int bits_of(const std::optional<std::string>& value) {
  for (int bits = 8; bits <= 15; bits++) {
    if (value == std::to_string(bits)) return bits;
  }
  return -1;
}

// The answer to an offer; none when it must be declined.
std::optional<std::string> answer(const Extension& offer, const proto::DeflatePreferences& preferences) {
  if (offer.name != "permessage-deflate" || !offer.whole) return {};
  std::map<std::string, std::optional<std::string>> given;
  for (const auto& [name, value] : offer.parameters) {
    if (!given.emplace(name, value).second) return {};
    const bool flag = name == "server_no_context_takeover" || name == "client_no_context_takeover";
    const bool bits = name == "server_max_window_bits" || name == "client_max_window_bits";
    if (!flag && !bits) return {};
    if (flag && value) return {};
    if (bits && bits_of(value) < 0 && (value || name == "server_max_window_bits")) return {};
  }
  std::string text = "permessage-deflate";
  const auto none = [&](const char* name, bool preferred) {
    if (given.count(name) || !preferred) text += std::string("; ") + name;
  };
  none("server_no_context_takeover", preferences.server_context_takeover);
  none("client_no_context_takeover", preferences.client_context_takeover);
  if (const auto found = given.find("server_max_window_bits"); found != given.end()) {
    text += "; server_max_window_bits=" +
            std::to_string(std::min<int>(bits_of(found->second), preferences.server_max_window_bits));
  }
  if (const auto found = given.find("client_max_window_bits"); found != given.end()) {
    const int most = found->second ? bits_of(found->second) : 15;
    const int bits = std::min<int>(most, preferences.client_max_window_bits);
    if (bits < 15) text += "; client_max_window_bits=" + std::to_string(bits);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto parser = std::make_unique<proto::HttpParser>();
  fuzz::Input input(data, size);
  const uint8_t how = input.control();
  const uint8_t windows = input.control();
  const proto::DeflatePreferences preferences{(how & 1) != 0, (how & 2) != 0, static_cast<uint8_t>(8 + (windows & 7)),
                                              static_cast<uint8_t>(8 + (windows >> 3 & 7))};
  std::string text = "GET / HTTP/1.1\r\nHost: x\r\n";
  // Each line of the input is a field: so its bytes stay within the value.
  std::string_view rest = base::as_text(input.rest());
  do {
    const size_t end = std::min(rest.find('\n'), rest.size());
    text += "Sec-WebSocket-Extensions: " + std::string(rest.substr(0, end)) + "\r\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  } while (!rest.empty());
  text += "\r\n";
  const fuzz::Exact bytes(base::as_bytes(text));
  proto::RequestHead head;
  proto::HttpError error;
  uint32_t scanned = 0;
  if (parser->parse_request_head(bytes.span(), {}, scanned, head, error) != proto::ParseStatus::done) return 0;

  std::optional<std::string> wanted;
  size_t seen = 0;
  for (size_t i = 0; i < head.field_count; i++) {
    if (fuzz::lower(head.name(bytes.data(), head.fields[i])) != "sec-websocket-extensions") continue;
    for (const Extension& extension : extensions(head.value(bytes.data(), head.fields[i]))) {
      if (++seen <= proto::kMaxExtensions && !wanted) wanted = answer(extension, preferences);
    }
  }

  proto::DeflateTerms terms;
  const bool agreed = proto::negotiate_deflate(head, bytes.data(), preferences, terms);
  FUZZ_CHECK(agreed == wanted.has_value());
  if (!agreed) return 0;
  const fuzz::Exact room(proto::kMaxDeflateAnswer);
  const size_t answered = proto::encode_deflate_answer(terms, reinterpret_cast<char*>(room.data()));
  FUZZ_CHECK(answered <= proto::kMaxDeflateAnswer);
  FUZZ_CHECK(base::as_text({room.data(), answered}) == *wanted);
  return 0;
}
