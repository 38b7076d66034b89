// What a topic's matching has found, remembered: from the topic to the set of its receivers.
//
//   results by topic   "a/b" -> set 1     "a/c" -> set 1     "x" -> set 2     "nobody/hears" -> none
//   sets by members    { b, d, e }        { a }
//
// Topics with the same receivers share one set, so that what is published to them in one turn lies in one log. A result is good
// while its generation is the present one: a change of a filter with wildcards makes all of them stale at once, one of a literal
// filter takes out the one topic that it is.
//
// A set is a snapshot of who had matching filters, and an audience of the publish log like a room (publish.h), but that its
// members do not know of it: there may be thousands of topics that a connection would be sent, and joins and leaves would have
// to walk them. Instead each member is told when the set is first sent something in a turn: the set is put on a list of the
// subscriber's, over a link that is part of the set. Delivery walks the members anyway; nothing is allocated for it.
//
// Memory is bounded in all: when it is used up, everything is forgotten but what this turn still has to deliver.
// The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/block.h"
#include "base/hash_index.h"
#include "realtime/publish.h"
#include "realtime/topic_index.h"

namespace martlet::realtime {

struct ReceiverSet;

struct TopicReceiver {
  base::SlotId subscriber;
  TopicReceiver* next_due;  // of that subscriber's
  ReceiverSet* set;
};

// Its receivers lie behind it.
struct ReceiverSet : AudienceLog {
  uint64_t hash = 0;
  uint32_t count = 0;
  uint32_t results = 0;  // that name it
  ReceiverSet* next_loose = nullptr;

  std::span<TopicReceiver> receivers() noexcept { return {reinterpret_cast<TopicReceiver*>(this + 1), count}; }
  size_t bytes() const noexcept { return sizeof(ReceiverSet) + count * sizeof(TopicReceiver); }
};

struct TopicResult {
  uint64_t hash = 0;
  uint64_t generation = 0;
  base::Block* name_block = nullptr;  // shared with what is sent to other workers
  uint32_t name_bytes = 0;
  ReceiverSet* set = nullptr;         // null: nobody

  std::string_view name() const noexcept { return {reinterpret_cast<const char*>(name_block->data()), name_bytes}; }
  size_t bytes() const noexcept { return sizeof(TopicResult) + sizeof(base::Block) + base::Block::kHeadroom + name_bytes; }
};

class TopicCache {
 public:
  explicit TopicCache(TopicIndex& index) noexcept : index_(index) {}
  TopicCache(const TopicCache&) = delete;
  TopicCache& operator=(const TopicCache&) = delete;
  ~TopicCache();

  // A fresh result for this topic, or null when there is none. Good until the next call but look().
  TopicResult* look(std::string_view topic) noexcept;
  // Matches it, and remembers that. Null when memory is out.
  TopicResult* make(std::string_view topic) noexcept;
  // A filter has come, or has gone.
  void changed(const TopicFilter& filter) noexcept;
  // Frees the sets that no result names, once they have been delivered.
  void end_turn() noexcept;

  size_t most_bytes = size_t{8} << 20;
  size_t bytes() const noexcept { return bytes_; }
  uint32_t results() const noexcept { return results_.size(); }
  uint32_t sets() const noexcept { return sets_.size(); }

 private:
  TopicResult* find(uint64_t hash, std::string_view topic) const noexcept;
  TopicResult* make_result(uint64_t hash, std::string_view topic) noexcept;
  ReceiverSet* find_or_make_set() noexcept;
  ReceiverSet* make_set(uint64_t hash) noexcept;
  bool is_found(ReceiverSet& set) const noexcept;
  void let_go(ReceiverSet* set) noexcept;
  void destroy(ReceiverSet& set) noexcept;
  void destroy(TopicResult& result) noexcept;
  void forget_all() noexcept;

  TopicIndex& index_;
  base::HashIndex<TopicResult> results_;
  base::HashIndex<ReceiverSet> sets_;
  ReceiverSet* loose_ = nullptr;  // without results, but not delivered
  uint64_t generation_ = 1;
  size_t bytes_ = 0;
};

}  // namespace martlet::realtime
