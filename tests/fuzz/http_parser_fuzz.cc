// Request heads: what is parsed in pieces must be what is parsed whole, and every offset must lie in the head.
#include "fuzz/fuzz.h"
#include "proto/http_parser.h"
#include "proto/ws_handshake.h"

using namespace martlet;
using fuzz::Exact;

namespace {

struct Parsed {
  proto::ParseStatus status = proto::ParseStatus::need_more;
  proto::RequestHead head;
  proto::HttpError error;
  size_t given = 0;  // bytes when it was decided
};

void parse(proto::HttpParser& parser, base::ByteSpan bytes, const std::vector<size_t>& cuts,
           const proto::HeadLimits& limits, Parsed& parsed) {
  uint32_t scanned = 0;
  for (const size_t cut : cuts) {
    const Exact piece(bytes.first(cut));
    parsed.status = parser.parse_request_head(piece.span(), limits, scanned, parsed.head, parsed.error);
    parsed.given = cut;
    if (parsed.status != proto::ParseStatus::need_more) return;
    FUZZ_CHECK(scanned <= cut);
  }
}

void check_slice(const proto::RequestHead& head, size_t at, size_t length) {
  FUZZ_CHECK(length == 0 || at + length <= head.head_bytes);
}

void check_head(const proto::RequestHead& head, base::ByteSpan bytes, const proto::HeadLimits& limits) {
  FUZZ_CHECK(head.head_bytes <= bytes.size() && head.head_bytes <= limits.head_bytes);
  FUZZ_CHECK(head.field_count <= limits.fields);
  check_slice(head, head.method_at, head.method_length);
  check_slice(head, head.target_at, head.target_length);
  check_slice(head, head.path_at, head.path_length);
  check_slice(head, head.query_at, head.query_length);
  check_slice(head, head.authority_at, head.authority_length);
  const uint8_t* base = bytes.data();
  for (size_t i = 0; i < head.field_count; i++) {
    const proto::Field& field = head.fields[i];
    check_slice(head, field.name_at, field.name_length);
    check_slice(head, field.value_at, field.value_length);
    const std::string_view name = head.name(base, field);
    const std::string_view value = head.value(base, field);
    FUZZ_CHECK(!name.empty() && name.find_first_of(": \t\r\n") == std::string_view::npos);
    FUZZ_CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    FUZZ_CHECK(field.name == proto::field_name_of(name));
    FUZZ_CHECK(head.find(base, name) != nullptr);
  }
  FUZZ_CHECK(head.framing != proto::BodyFraming::content_length ||
             head.count(proto::FieldName::transfer_encoding) == 0);
  if (!proto::asks_for_websocket(head, base)) return;
  const proto::Handshake handshake = proto::check_handshake(head, base);
  FUZZ_CHECK(handshake.status == 101 || handshake.status == 400 || handshake.status == 426);
  proto::OfferedProtocols offers(head, base);
  size_t count = 0;
  for (std::string_view protocol; offers.next(protocol);) FUZZ_CHECK(!protocol.empty() && ++count <= 64);
}

bool same_head(const proto::RequestHead& a, const proto::RequestHead& b) {
  if (a.head_bytes != b.head_bytes || a.field_count != b.field_count || a.method != b.method) return false;
  if (a.framing != b.framing || a.content_length != b.content_length || a.keep_alive != b.keep_alive) return false;
  if (a.path_at != b.path_at || a.path_length != b.path_length || a.query_length != b.query_length) return false;
  if (a.connection_upgrade != b.connection_upgrade || a.expects_continue != b.expects_continue) return false;
  for (size_t i = 0; i < a.field_count; i++) {
    const proto::Field& f = a.fields[i];
    const proto::Field& g = b.fields[i];
    if (f.name_at != g.name_at || f.name_length != g.name_length || f.value_at != g.value_at) return false;
    if (f.value_length != g.value_length || f.name != g.name) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto shared = std::make_unique<proto::HttpParser>();  // as a worker has one for all its connections
  fuzz::Input input(data, size);
  const uint8_t mode = input.control();
  proto::HeadLimits limits;
  if (mode & 1) limits = {.head_bytes = 200, .fields = 5};
  if (mode & 2) limits.head_bytes = 65'535;
  const std::vector<size_t> cuts = input.cuts();
  const base::ByteSpan bytes = input.rest();

  const auto fresh = std::make_unique<proto::HttpParser>();
  Parsed whole;
  parse(*fresh, bytes, {bytes.size()}, limits, whole);
  Parsed pieces;
  parse(*shared, bytes, cuts, limits, pieces);
  if (whole.status == proto::ParseStatus::error) {
    // What is waited for in pieces is searched for its end only: a refusal may come as late as that end, but it comes.
    // And what is refused stays refused, whatever follows.
    const std::string longer = std::string(base::as_text(bytes)) + "\r\n\r\n";
    std::vector<size_t> more = cuts;
    more.push_back(longer.size());
    parse(*shared, base::as_bytes(longer), more, limits, pieces);
    parse(*fresh, base::as_bytes(longer), {longer.size()}, limits, whole);
  }
  FUZZ_CHECK(whole.status == pieces.status);
  if (whole.status == proto::ParseStatus::error) {
    // With small limits there may be two mistakes, and which is met first depends on what has come.
    if (!(mode & 1)) FUZZ_CHECK(whole.error.status == pieces.error.status);
    FUZZ_CHECK(whole.error.status >= 400 && whole.error.status <= 505 && *whole.error.cause);
  }
  if (whole.status != proto::ParseStatus::done) return 0;
  FUZZ_CHECK(same_head(whole.head, pieces.head));
  const Exact exact(bytes.first(whole.head.head_bytes));
  check_head(whole.head, exact.span(), limits);
  return 0;
}
