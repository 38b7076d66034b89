// zlib, to compare with: what it makes of a stream, and streams that it makes. Only where zlib is installed
// (mk/zlib.mk).
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "codec/inflate.h"

namespace martlet::test {

struct ZlibInflated {
  bool done = false;
  bool error = false;
  std::string output;
  size_t consumed = 0;
};

inline int zlib_window(codec::DeflateFormat format, int window_bits = 15) {
  return format == codec::DeflateFormat::raw ? -window_bits : format == codec::DeflateFormat::zlib ? window_bits : window_bits + 16;
}

// At most `limit` bytes of output. A stream that asks for a preset dictionary is an error. `streams`: as many raw streams,
// one behind the other, may refer to the output of those before.
inline ZlibInflated zlib_inflate(base::ByteSpan input, codec::DeflateFormat format, size_t limit = SIZE_MAX, int streams = 1) {
  ZlibInflated result;
  z_stream z{};
  if (inflateInit2(&z, zlib_window(format)) != Z_OK) return result;
  z.next_in = const_cast<Bytef*>(input.data());
  z.avail_in = static_cast<uInt>(input.size());
  std::vector<Bytef> buffer(4096);
  int status = Z_OK;
  while (status == Z_OK && result.output.size() < limit) {
    z.next_out = buffer.data();
    z.avail_out = static_cast<uInt>(std::min(buffer.size(), limit - result.output.size()));
    status = inflate(&z, Z_SYNC_FLUSH);
    result.output.append(reinterpret_cast<char*>(buffer.data()), static_cast<size_t>(z.next_out - buffer.data()));
    if (status != Z_STREAM_END || --streams == 0) continue;
    const size_t kept = std::min<size_t>(result.output.size(), 32768);
    inflateReset(&z);
    const char* const dictionary = result.output.data() + result.output.size() - kept;
    status = inflateSetDictionary(&z, reinterpret_cast<const Bytef*>(dictionary), static_cast<uInt>(kept));
  }
  result.done = status == Z_STREAM_END;
  result.error = status == Z_DATA_ERROR || status == Z_NEED_DICT;
  result.consumed = input.size() - z.avail_in;
  inflateEnd(&z);
  return result;
}

struct ZlibSettings {
  int level = 6;
  int window_bits = 15;
  int mem_level = 8;
  int strategy = Z_DEFAULT_STRATEGY;
  codec::DeflateFormat format = codec::DeflateFormat::raw;
};

// Pieces of at most `piece` bytes, each flushed in one of these ways, in turn; then the end.
inline std::vector<uint8_t> zlib_deflate(std::string_view text, const ZlibSettings& settings, size_t piece = SIZE_MAX,
                                         const std::vector<int>& flushes = {Z_NO_FLUSH}) {
  std::vector<uint8_t> bytes;
  z_stream z{};
  if (deflateInit2(&z, settings.level, Z_DEFLATED, zlib_window(settings.format, settings.window_bits), settings.mem_level,
                   settings.strategy) != Z_OK) {
    return bytes;
  }
  std::vector<Bytef> buffer(size_t{1} << 16);
  const auto feed = [&](std::string_view part, int flush) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    z.avail_in = static_cast<uInt>(part.size());
    do {
      z.next_out = buffer.data();
      z.avail_out = static_cast<uInt>(buffer.size());
      deflate(&z, flush);
      bytes.insert(bytes.end(), buffer.data(), z.next_out);
    } while (z.avail_out == 0);
  };
  for (size_t n = 0; !text.empty(); n++) {
    const std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    feed(part, flushes[n % flushes.size()]);
  }
  feed({}, Z_FINISH);
  deflateEnd(&z);
  return bytes;
}

}  // namespace martlet::test
