// The opening handshake: fields of the input in a request that is good without them; an own, plain reading of RFC 6455
// §4.2.1 must come to the same answer.

#include "fuzz/fuzz.h"
#include "proto/ws_handshake.h"

using namespace martlet;

namespace {

std::vector<std::string> elements(const std::vector<std::string>& values) {
  std::vector<std::string> all;
  for (const std::string& value : values) {
    for (size_t at = 0; at <= value.size();) {
      const size_t comma = std::min(value.find(',', at), value.size());
      const size_t first = value.find_first_not_of(" \t", at);
      if (first < comma) all.push_back(value.substr(first, value.find_last_not_of(" \t", comma - 1) + 1 - first));
      at = comma + 1;
    }
  }
  return all;
}

bool has(const std::vector<std::string>& all, std::string_view wanted) {
  return std::any_of(all.begin(), all.end(), [&](const std::string& one) { return fuzz::lower(one) == wanted; });
}

// 22 characters and "=="; what the last of them says beyond 16 bytes does not count.
bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         key.substr(0, 22).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
             std::string_view::npos;
}

// RFC 6455 §9.1 by repeated replacement, from the inside out: quoted tokens become a token, parameters go, and what is
// left of the elements of the list must be one token each, or nothing.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
  });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> all;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    all.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return all;
}

// Nothing when a quoted string is open, or no token in it. What stands beside the quotes is kept apart by a blank each.
bool unquote(std::string_view field, std::string& plain) {
  for (size_t at = 0; at < field.size(); at++) {
    if (field[at] != '"') {
      plain += field[at];
      continue;
    }
    // Only a value may be quoted: '=' stands before it, ';' or ',' or nothing behind it.
    if (!trimmed(plain).ends_with('=')) return false;
    std::string inside;
    for (at++; at < field.size() && field[at] != '"'; at++) {
      if (field[at] == '\\' && ++at == field.size()) return false;
      inside += field[at];
    }
    if (at >= field.size() || !is_token(inside)) return false;
    plain += " " + inside + " ";
  }
  return true;
}

bool is_extension(std::string_view element) {
  const auto parts = split(element, ';');
  if (!is_token(parts[0])) return false;
  return std::all_of(parts.begin() + 1, parts.end(), [](std::string_view parameter) {
    const auto sides = split(parameter, '=');
    return sides.size() <= 2 && std::all_of(sides.begin(), sides.end(), is_token);
  });
}

bool are_extensions(std::string_view field) {
  std::string plain;
  if (!unquote(field, plain)) return false;
  const auto list = split(plain, ',');
  return std::all_of(list.begin(), list.end(), [](auto element) { return element.empty() || is_extension(element); });
}

struct Plain {
  const proto::RequestHead& head;
  const uint8_t* base;

  std::vector<std::string> values(std::string_view wanted) const {
    std::vector<std::string> all;
    for (size_t i = 0; i < head.field_count; i++) {
      if (fuzz::lower(head.name(base, head.fields[i])) == wanted) all.emplace_back(head.value(base, head.fields[i]));
    }
    return all;
  }
  bool good() const {
    if (head.slice(base, head.method_at, head.method_length) != "GET" || head.minor_version != 1) return false;
    if (!has(elements(values("connection")), "upgrade") || !has(elements(values("upgrade")), "websocket")) return false;
    if (values("sec-websocket-version") != std::vector<std::string>{"13"}) return false;
    const auto offers = values("sec-websocket-extensions");
    if (!std::all_of(offers.begin(), offers.end(), are_extensions)) return false;
    const auto keys = values("sec-websocket-key");
    const bool body = !values("transfer-encoding").empty() || head.content_length != 0;
    return keys.size() == 1 && is_key(keys[0]) && !body;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto parser = std::make_unique<proto::HttpParser>();
  fuzz::Input input(data, size);
  const uint8_t left_out = input.control();
  std::string text = left_out & 32 ? "POST /chat HTTP/1.1\r\n" : left_out & 64 ? "GET / HTTP/1.0\r\n" : "GET / HTTP/1.1\r\n";
  text += "Host: x\r\n";
  if (!(left_out & 1)) text += "Connection: Upgrade\r\n";
  if (!(left_out & 2)) text += "Upgrade: websocket\r\n";
  if (!(left_out & 4)) text += "Sec-WebSocket-Version: 13\r\n";
  if (!(left_out & 8)) text += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  text += base::as_text(input.rest());
  text += "\r\n\r\n";
  const fuzz::Exact bytes(base::as_bytes(text));
  proto::RequestHead head;
  proto::HttpError error;
  uint32_t scanned = 0;
  if (parser->parse_request_head(bytes.span(), {}, scanned, head, error) != proto::ParseStatus::done) return 0;
  const Plain plain{head, bytes.data()};
  const bool asks = proto::asks_for_websocket(head, bytes.data());
  FUZZ_CHECK(asks == (has(elements(plain.values("upgrade")), "websocket") && head.minor_version == 1));
  const proto::Handshake handshake = proto::check_handshake(head, bytes.data());
  FUZZ_CHECK((asks && handshake.status == 101) == plain.good());
  FUZZ_CHECK(handshake.status == 101 || *handshake.cause);
  if (handshake.status == 101) {
    char accept[proto::kAcceptKeySize];
    proto::accept_key(handshake.key, accept);
    FUZZ_CHECK(accept[proto::kAcceptKeySize - 1] == '=');
  }
  proto::OfferedProtocols offers(head, bytes.data());
  std::vector<std::string> seen;
  for (std::string_view offer; offers.next(offer);) {
    FUZZ_CHECK(std::find(seen.begin(), seen.end(), offer) == seen.end());
    seen.emplace_back(offer);
    FUZZ_CHECK(seen.size() <= proto::OfferedProtocols::kMaxOffered);
  }
  return 0;
}
