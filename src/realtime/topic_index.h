// Who has subscribed to what: subscribers, their filters, and the matching of a topic.
//
//   filters by hash     "a/b"  "a/+"  "a/#"  …        each with the list of its subscriptions; a topic finds the literal one here
//   trie of wildcards   (root) -a-> node { plus -> node {exact "a/+"}, rest "a/#" }
//
// The edges of the trie with a name are in one table by (parent, level); '+' and '#' are members of a node. A topic is matched level
// by level, with the list of the nodes that are reached so far: no recursion, and no more steps than there are nodes. A filter
// that nobody has any more goes, and so do the nodes that it alone needed. Names come from peers: the hashes are keyed.
// Memory from base/alloc; what fails refuses one subscription. The worker's thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/growing_array.h"
#include "base/hash_index.h"
#include "base/node_pool.h"
#include "base/slot_table.h"

namespace martlet::realtime {

struct TopicFilter;
struct TopicNode;
struct TopicReceiver;
struct TopicSubscription;

// Somebody with subscriptions.
struct TopicSubscriber {
  uint32_t generation = 0;
  uint32_t slot = 0;
  base::SlotId connection;
  TopicSubscription* first = nullptr;
  TopicReceiver* due = nullptr;  // what it was sent this turn (topic_cache.h)
  uint64_t seen = 0;             // by which match it was found last
  uint32_t filters = 0;
  bool stalled = false;          // the kernel takes no more for it (topic_conflation.h)

  base::SlotId id() const noexcept { return {slot, generation}; }
};

struct TopicSubscription {
  TopicSubscription* next_of_subscriber;
  TopicSubscription* previous_of_filter;
  TopicSubscription* next_of_filter;
  TopicFilter* filter;
  TopicSubscriber* subscriber;
};

// Its text lies behind it.
struct TopicFilter {
  uint64_t hash;
  TopicNode* node;  // where it ends; null for a literal one
  TopicSubscription* first;
  uint32_t bytes;

  bool is_literal() const noexcept { return node == nullptr; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(this + 1), bytes}; }
};

// So does the name of its level.
struct TopicNode {
  uint64_t hash = 0;
  TopicNode* parent = nullptr;
  TopicNode* plus = nullptr;
  TopicFilter* exact = nullptr;  // the filter that ends here,
  TopicFilter* rest = nullptr;   // and the one with '#' as the next level
  uint32_t named = 0;            // children but `plus`
  uint32_t bytes = 0;

  std::string_view level() const noexcept { return {reinterpret_cast<const char*>(this + 1), bytes}; }
  bool is_needed() const noexcept { return named > 0 || plus || exact || rest; }
};

class TopicIndex {
 public:
  explicit TopicIndex(uint64_t key) noexcept : key_(key) {}
  TopicIndex(const TopicIndex&) = delete;
  TopicIndex& operator=(const TopicIndex&) = delete;
  ~TopicIndex();

  uint64_t hash_of(std::string_view name) const noexcept;
  uint32_t filters() const noexcept { return filters_.size(); }
  uint32_t subscriptions() const noexcept { return subscriptions_; }

  // Null when memory is out.
  TopicSubscriber* add_subscriber(base::SlotId connection) noexcept;
  TopicSubscriber* find(base::SlotId id) const noexcept { return subscribers_.find(id); }
  template <typename F>
  void for_each_subscriber(F&& fn) const {
    for (uint32_t slot = 0; slot < subscribers_.extent(); slot++) {
      if (const TopicSubscriber* one = subscribers_.at(slot)) fn(*one);
    }
  }
  // With all its subscriptions: gone(filter) is called for each, before.
  template <typename Gone>
  void remove_subscriber(TopicSubscriber& subscriber, Gone&& gone) noexcept {
    while (TopicSubscription* one = subscriber.first) {
      gone(*one->filter);
      unlink(&subscriber.first);
    }
    subscribers_.destroy(&subscriber);
  }

  TopicFilter* find_filter(std::string_view text) const noexcept;
  bool has(const TopicSubscriber& subscriber, const TopicFilter& filter) const noexcept;
  // The text is a good filter, which the subscriber does not have. Null when memory is out.
  TopicFilter* add(TopicSubscriber& subscriber, TopicFilter* known, std::string_view text) noexcept;
  // The subscriber has it.
  void remove(TopicSubscriber& subscriber, const TopicFilter& filter) noexcept;

  // Finds who has filters that match this topic, each once. False when memory is out. Until the next match they are found(), and
  // was_found() says so.
  bool match(std::string_view topic) noexcept;
  std::span<const base::SlotId> found() const noexcept { return {found_.data(), found_.size()}; }
  bool was_found(base::SlotId subscriber) const noexcept {
    const TopicSubscriber* one = find(subscriber);
    return one && one->seen == matches_;
  }

 private:
  TopicFilter* make_filter(std::string_view text) noexcept;
  void drop_if_unused(TopicFilter& filter) noexcept;
  bool place(TopicFilter& filter) noexcept;
  TopicNode* child_of(TopicNode& node, std::string_view level) const noexcept;
  TopicNode* find_or_make_child(TopicNode& node, std::string_view level) noexcept;
  void prune(TopicNode* node) noexcept;
  void unlink(TopicSubscription** link) noexcept;
  uint64_t hash_of_child(const TopicNode& node, std::string_view level) const noexcept;
  bool collect(const TopicFilter* filter) noexcept;
  bool step(std::string_view level, bool wildcards) noexcept;

  const uint64_t key_;
  base::HashIndex<TopicFilter> filters_;
  base::HashIndex<TopicNode> edges_;
  TopicNode root_;
  base::SlotTable<TopicSubscriber> subscribers_;
  base::NodePool<TopicSubscription> pool_;
  uint32_t subscriptions_ = 0;

  // Of a match; kept for the next one.
  base::GrowingArray<TopicNode*> reached_[2];
  bool now_ = false;  // which of them it is
  base::GrowingArray<base::SlotId> found_;
  uint64_t matches_ = 0;
};

}  // namespace martlet::realtime
