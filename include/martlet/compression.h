// martlet/compression.h: compressed WebSocket messages, permessage-deflate (RFC 7692). Off unless an option asks for it;
// a program that does not is linked without it.
//
//   App app({.compression = Deflate{.threshold = 512}});          for all WebSocket routes
//   app.ws("/chat", {.options = {.compression = false}});         but not here
#pragma once

#include <martlet/config.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace martlet {

struct CompressionAccess;

// What a connection owns for its compression.
enum class CompressionMode : uint8_t {
  // Nothing: each message is compressed by itself, by the one compressor of the worker, and so it is asked of the client
  // (both no_context_takeover). Costs no memory for an idle connection.
  shared,
  // Messages refer to earlier ones, in both directions where the client agrees, which makes small messages that resemble
  // each other much smaller. Costs memory per connection, up to AppOptions::compression_budget_bytes for each worker; when
  // that is spent, new connections get what `shared` gives (Stats::compression_fallbacks). What is sent to many is
  // compressed by itself here, too. Where SlowConsumerPolicy::drop_oldest may drop what later messages would refer to,
  // only the client's messages refer to earlier ones.
  dedicated,
};

enum class CompressionLevel : uint8_t {
  fast,    // about the size of zlib's level 1
  better,  // about the size of zlib's level 6
};

// Whether one message is compressed, where the receiver has agreed to that at all.
enum class Compress : uint8_t {
  // From the route's threshold on. Noise, while it does not shrink, is not tried for a while.
  automatic,
  no,
  // Whatever its size; it still goes plain when that is not longer.
  yes,
};

// User agents that say they can and cannot: whatever is built on the network library of iOS and iPadOS 15.0 to 15.3 and of
// macOS 12.0 to 12.2, which are Safari 15.0 to 15.3, all other browsers and web views of such an iPhone or iPad, and
// applications that name the system (CFNetwork with Darwin 21.0 to 21.3, "iOS 15.1"). Who hides it cannot be told: a web
// view on macOS, a browser on an iPad that asks for desktop pages under another name than Safari's.
MARTLET_LAYOUT std::vector<std::string> broken_deflate_agents();

struct MARTLET_LAYOUT Deflate {
  // Clients whose User-Agent contains one of these are served uncompressed. A star stands for any characters.
  std::vector<std::string> broken_agents = broken_deflate_agents();
  // Of what clients send us, 8 to 15: what is kept for each client is two to this power, in bytes. For `dedicated`, with
  // clients that can limit it; the others may use 15.
  int client_max_window_bits = 15;
  CompressionLevel level = CompressionLevel::fast;
  CompressionMode mode = CompressionMode::shared;
  // Of what we send, 8 to 15: how far back it refers, as a power of two. Less where the client asks for less.
  int server_max_window_bits = 15;
  // Messages from this size on, in bytes, are compressed.
  size_t threshold = 1024;
};

// The option: nothing said, off, or a Deflate. Where a route says nothing, that of the App is meant, and there off.
class MARTLET_LAYOUT Compression {
 public:
  Compression() noexcept = default;
  Compression(const Compression& other);
  Compression(Compression&& other) noexcept;
  Compression& operator=(Compression other) noexcept;
  ~Compression();
  // True: with the defaults of Deflate.
  Compression(bool on) : said_(true) {
    if (on) *this = Compression(Deflate());
  }
  // Numbers out of their range become the nearest that are in it.
  Compression(Deflate deflate);

  // Whether anything is said.
  bool is_said() const noexcept { return said_; }

 private:
  friend struct CompressionAccess;
  struct Parts;  // what it takes to compress: named by the constructor from a Deflate alone
  Deflate deflate_ = Deflate{.broken_agents = {}};
  const Parts* parts_ = nullptr;
  bool said_ = false;
};

}  // namespace martlet
