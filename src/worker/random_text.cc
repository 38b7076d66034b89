// See martlet/random.h.
#include <martlet/random.h>

#include <cstdint>

#include "codec/base64.h"

namespace martlet {

std::string random_text(size_t bytes) {
  constexpr size_t kPiece = 48;  // a multiple of 3: pieces are encoded one by one
  std::string text;
  while (bytes > 0) {
    uint8_t piece[kPiece];
    const size_t size = bytes < kPiece ? bytes : kPiece;
    random_bytes(std::as_writable_bytes(std::span(piece, size)));
    char letters[codec::base64_encoded_size(kPiece)];
    text.append(letters, codec::encode_base64url({piece, size}, letters));
    bytes -= size;
  }
  return text;
}

}  // namespace martlet
