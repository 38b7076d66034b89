// Conflation: of what is published to a topic with a key, a receiver that does not keep up gets the newest of each key.
//
//   published   A1  B1  A2  C1  A3  B2          a receiver that keeps up: all six
//   kept        C1  A3  B2                      one that had stalled at the first of them: these, when it goes on
//
// A receiver stalls when the kernel takes no more of its output, and has drained when all that waited has been given to it. While it
// stands still, messages with keys are not put into its output, where nothing could replace them, but kept here: one for each
// (topic, key), the newest last, so that what is sent is always in the order in which it was published. The log passes such a
// receiver by as one that is left out (publish.h). What it is sent otherwise does not wait for them, nor they for it.
//
// A message is copied once for all who do not keep up, as its place in the log's block would keep the whole of that. How much is
// kept for one connection is bounded by its route's max_unsent_bytes and TopicsOptions::max_conflated_keys: above, the oldest go.
// The worker's thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/block.h"
#include "base/hash_index.h"
#include "realtime/topics.h"

namespace martlet::realtime {

// A message with a key, and what it is called: "topic NUL key". Both blocks are shared by all for whom it is kept.
struct KeyedMessage {
  uint64_t hash = 0;
  base::Block* name = nullptr;
  uint32_t name_bytes = 0;
  base::Block* frame = nullptr;
  size_t frame_bytes = 0;
  Compress compress = Compress::automatic;

  std::string_view name_text() const noexcept { return {reinterpret_cast<const char*>(name->data()), name_bytes}; }
};

struct NewestMessage : KeyedMessage {
  NewestMessage* older = nullptr;
  NewestMessage* newer = nullptr;
};

// A slot of a connection that has stalled: what is kept for it.
class KeptNewest {
 public:
  static constexpr worker::PartKey kKey{};
  KeptNewest() noexcept = default;
  KeptNewest(const KeptNewest&) = delete;
  KeptNewest& operator=(const KeptNewest&) = delete;
  ~KeptNewest();

  // In the place of the one with the same name, which is then counted. False when memory is out: nothing has changed.
  bool put(const KeyedMessage& message, Stats& stats) noexcept;
  // The oldest, or null.
  NewestMessage* oldest() noexcept { return oldest_; }
  void drop(NewestMessage& message) noexcept;

  uint32_t keys() const noexcept { return index_.size(); }
  size_t bytes() const noexcept { return bytes_; }

 private:
  void unlink(NewestMessage& message) noexcept;

  base::HashIndex<NewestMessage> index_;
  NewestMessage* oldest_ = nullptr;
  NewestMessage* newest_ = nullptr;
  size_t bytes_ = 0;
};

// "topic NUL key" in a block, or null when memory is out. A topic has no NUL.
base::Block* make_keyed_name(std::string_view topic, std::string_view key) noexcept;

// Keeps a message for the receivers of this set that have stalled, but one. They are pushed to `kept_for`, and are to be left out when
// it is published; those that it cannot be kept for are not.
void keep_for_stalled(Topics& topics, ReceiverSet& set, std::string_view name, const PublishedMessage& message,
                      const net::Connection* but, base::GrowingArray<net::Connection*>& kept_for) noexcept;

}  // namespace martlet::realtime
