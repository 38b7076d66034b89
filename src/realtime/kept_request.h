// Slots of a connection's lazy block: the request that opened it, as far as it is kept, and the subprotocol. The
// worker's thread.
#pragma once

#include <martlet/request.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/kept_text.h"
#include "session/exchange.h"
#include "worker/parts.h"

namespace martlet::realtime {

inline constexpr size_t kMostKeptHeaders = 64;

// One block holds all of it: first the entries of params and headers, then the texts. The names in the entries are the
// route's own.
class KeptRequest {
 public:
  static constexpr worker::PartKey kKey{};
  KeptRequest(session::Exchange& e, const std::vector<std::string>& headers) noexcept;
  KeptRequest(const KeptRequest&) = delete;
  KeptRequest& operator=(const KeptRequest&) = delete;
  ~KeptRequest();

  // False when memory was out.
  bool ok() const noexcept { return block_ != nullptr; }
  std::string_view url() const noexcept { return {text(), url_bytes_}; }
  std::string_view path() const noexcept { return {text() + path_at_, path_bytes_}; }
  std::string_view origin() const noexcept { return {text() + url_bytes_, origin_bytes_}; }
  std::string_view user_agent() const noexcept { return {text() + url_bytes_ + origin_bytes_, agent_bytes_}; }
  std::span<const NamedText> params() const noexcept { return {entries(), params_}; }
  std::span<const NamedText> headers() const noexcept { return {entries() + params_, headers_}; }

 private:
  NamedText* entries() const noexcept { return static_cast<NamedText*>(block_); }
  char* text() const noexcept { return reinterpret_cast<char*>(entries() + params_ + headers_); }

  void* block_ = nullptr;
  uint32_t url_bytes_ = 0;
  uint32_t path_at_ = 0;
  uint32_t path_bytes_ = 0;
  uint32_t origin_bytes_ = 0;
  uint32_t agent_bytes_ = 0;
  uint16_t params_ = 0;
  uint16_t headers_ = 0;
};

// The subprotocol, where one was chosen.
struct ChosenProtocol {
  static constexpr worker::PartKey kKey{};
  explicit ChosenProtocol(std::string_view chosen) noexcept : name(chosen) {}
  base::KeptText name;
};

}  // namespace martlet::realtime
