// The chunked coding: pieces decode to what the whole decodes to, every event takes a byte, and limits hold.
#include "fuzz/fuzz.h"
#include "proto/http_chunked.h"

using namespace martlet;
using Event = proto::ChunkedDecoder::Event;

namespace {

struct Decoded {
  std::string body;
  Event last = Event::need_more;
  size_t consumed = 0;
  uint16_t status = 0;
};

Decoded decode(base::ByteSpan bytes, const std::vector<size_t>& cuts, const proto::ChunkedDecoder::Limits& limits) {
  Decoded decoded;
  proto::ChunkedDecoder decoder(limits);
  for (const size_t cut : cuts) {
    const fuzz::Exact piece(bytes.subspan(decoded.consumed, cut - decoded.consumed));
    size_t at = 0;
    for (;;) {
      const auto step = decoder.next(piece.span().subspan(at));
      at += step.consumed;
      FUZZ_CHECK(at <= piece.size());
      FUZZ_CHECK(step.event == Event::need_more || step.consumed > 0);
      decoded.last = step.event;
      if (step.event == Event::data) {
        FUZZ_CHECK(!step.data.empty() && step.data.data() >= piece.data());
        FUZZ_CHECK(step.data.data() + step.data.size() <= piece.data() + piece.size());
        decoded.body += base::as_text(step.data);
        continue;
      }
      break;
    }
    decoded.consumed += at;
    if (decoded.last == Event::error) decoded.status = decoder.error().status;
    if (decoded.last != Event::need_more) return decoded;
    FUZZ_CHECK(decoded.consumed == cut);
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  proto::ChunkedDecoder::Limits limits;
  if (input.control() & 1) limits = {.extension_bytes = 16, .trailer_bytes = 32};
  const std::vector<size_t> cuts = input.cuts();
  const base::ByteSpan bytes = input.rest();
  const Decoded whole = decode(bytes, {bytes.size()}, limits);
  const Decoded pieces = decode(bytes, cuts, limits);
  FUZZ_CHECK(whole.last == pieces.last && whole.status == pieces.status);
  FUZZ_CHECK(whole.body == pieces.body);
  if (whole.last == Event::done) FUZZ_CHECK(whole.consumed == pieces.consumed);
  FUZZ_CHECK(whole.body.size() <= bytes.size());
  return 0;
}
