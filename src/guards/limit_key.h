// Under what a request is counted: from a LimitKey to the hash that tables count by. The worker's thread.
#pragma once

#include <martlet/limits.h>

#include <cstdint>
#include <optional>

#include "base/sip_hash.h"

namespace martlet::detail {

// Where a key function leaves its key: as its hash.
struct KeyTaker {
  base::SipKey key;
  uint64_t hash = 0;
  bool is_taken = false;
};

struct LimitKeyAccess {
  // Nothing when the program's function has thrown. `key` is the table's; kinds of keys are hashed apart, so that no header
  // counts as an address.
  static std::optional<uint64_t> hash(const LimitKey& key, const Request& req, const base::SipKey& secret) noexcept;
  // What is wrong with it, but for one by_socket(); null: nothing.
  static const char* wrong(const LimitKey& key) noexcept;
  // The same for those who do not count by connection.
  static const char* wrong_but_for_messages(const LimitKey& key) noexcept {
    return is_by_socket(key) ? "by_socket() is for message_limit()" : wrong(key);
  }
  static bool is_by_socket(const LimitKey& key) noexcept { return key.kind_ == LimitKey::Kind::socket; }

 private:
  static uint64_t hash_ip(const LimitKey& key, const Request& req, const base::SipKey& secret) noexcept;
};

}  // namespace martlet::detail
