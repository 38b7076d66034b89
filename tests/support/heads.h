// Request heads for tests: parsed whole, split at every byte, dripped byte by byte, and each time against an unmapped
// page. All ways must agree, and the answer of the whole is handed back.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "proto/http_parser.h"
#include "support/guarded.h"

namespace martlet::test {

struct ParsedHead {
  proto::ParseStatus status = proto::ParseStatus::need_more;
  proto::RequestHead head;
  proto::HttpError error;
  std::string text;

  const uint8_t* base() const { return reinterpret_cast<const uint8_t*>(text.data()); }
  bool done() const { return status == proto::ParseStatus::done; }
  // 0 for a good head, -1 for an unfinished one, else the status of the refusal.
  int answer() const { return done() ? 0 : status == proto::ParseStatus::need_more ? -1 : error.status; }
  std::string path() const { return std::string(head.path(base())); }
  std::string query() const { return std::string(head.query(base())); }
  std::string name(size_t i) const { return std::string(head.name(base(), head.fields[i])); }
  std::string value(size_t i) const { return std::string(head.value(base(), head.fields[i])); }
  std::string value(std::string_view of) const {
    const proto::Field* field = head.find(base(), of);
    return field ? std::string(head.value(base(), *field)) : "(none)";
  }
};

inline ParsedHead parse_head(std::string_view text, const proto::HeadLimits& limits = {}) {
  const auto parser = std::make_unique<proto::HttpParser>();
  const Guarded bytes(text);
  ParsedHead parsed;
  parsed.text = text;
  uint32_t scanned = 0;
  parsed.status = parser->parse_request_head(bytes.span(), limits, scanned, parsed.head, parsed.error);
  return parsed;
}

inline bool same_head(const proto::RequestHead& a, const proto::RequestHead& b) {
  const auto shape = [](const proto::RequestHead& h) {
    std::string all;
    const auto add = [&all](uint64_t v) { all += std::to_string(v) + ' '; };
    for (uint64_t v : {uint64_t{h.head_bytes}, h.content_length, uint64_t(h.method), uint64_t(h.framing),
                       uint64_t{h.minor_version}, uint64_t{h.keep_alive}, uint64_t{h.expects_continue},
                       uint64_t{h.connection_upgrade}, uint64_t{h.field_count}, uint64_t{h.method_length},
                       uint64_t{h.target_at}, uint64_t{h.target_length}, uint64_t{h.path_at}, uint64_t{h.path_length},
                       uint64_t{h.query_length}, uint64_t{h.authority_length}, uint64_t(h.host_field + 1)}) {
      add(v);
    }
    for (size_t i = 0; i < h.field_count; i++) {
      const proto::Field& f = h.fields[i];
      for (uint64_t v : {uint64_t{f.name_at}, uint64_t{f.name_length}, uint64_t{f.value_at}, uint64_t{f.value_length},
                         uint64_t(f.name)}) {
        add(v);
      }
    }
    return all;
  };
  return shape(a) == shape(b);
}

// One parser for all, as a worker has one: what it remembers of other heads must not matter.
inline proto::HttpParser& shared_parser() {
  static const auto parser = std::make_unique<proto::HttpParser>();
  return *parser;
}

// Gives the parser the first `from` bytes, then `step` more each time. A refusal may come before all bytes have.
inline ParsedHead parse_pieces(std::string_view text, size_t from, size_t step, const proto::HeadLimits& limits) {
  ParsedHead parsed;
  parsed.text = text;
  uint32_t scanned = 0;
  for (size_t size = from;; size = size + step < text.size() ? size + step : text.size()) {
    const Guarded bytes(text.substr(0, size));
    parsed.status = shared_parser().parse_request_head(bytes.span(), limits, scanned, parsed.head, parsed.error);
    if (parsed.status != proto::ParseStatus::need_more || size == text.size()) return parsed;
  }
}

inline ParsedHead parse_every_way(std::string_view text, const proto::HeadLimits& limits = {}) {
  const ParsedHead whole = parse_head(text, limits);
  const auto check = [&](const ParsedHead& pieces) {
    CAPTURE(std::string(text));
    CAPTURE(std::string(whole.error.cause));
    CAPTURE(std::string(pieces.error.cause));
    REQUIRE(pieces.answer() == whole.answer());
    if (whole.done()) REQUIRE(same_head(pieces.head, whole.head));
  };
  for (size_t cut = 0; cut < text.size(); cut++) check(parse_pieces(text, cut, text.size(), limits));
  check(parse_pieces(text, 0, 1, limits));
  return whole;
}

}  // namespace martlet::test
