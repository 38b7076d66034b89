// See topic_index.h.
#include "realtime/topic_index.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"
#include "realtime/topic_names.h"

namespace martlet::realtime {

namespace {

// A T with a text behind it; null when memory is out.
template <typename T>
T* make_with_text(const T& value, std::string_view text) noexcept {
  void* memory = base::allocate(sizeof(T) + text.size());
  if (!memory) return nullptr;
  T* made = new (memory) T(value);
  if (!text.empty()) std::memcpy(static_cast<void*>(made + 1), text.data(), text.size());
  made->bytes = static_cast<uint32_t>(text.size());
  return made;
}

}  // namespace

TopicIndex::~TopicIndex() {
  for_each_subscriber([this](const TopicSubscriber& one) {
    for (TopicSubscription* s = one.first; s;) pool_.give_back(std::exchange(s, s->next_of_subscriber));
  });
  filters_.take_all([](TopicFilter& filter) { base::deallocate(&filter); });
  edges_.take_all([](TopicNode& node) { base::deallocate(&node); });
}

uint64_t TopicIndex::hash_of(std::string_view name) const noexcept { return base::keyed_hash(name, key_); }

// The parent's is a part of it, so that one name under many parents is many hashes.
uint64_t TopicIndex::hash_of_child(const TopicNode& node, std::string_view level) const noexcept {
  return base::keyed_hash(level, key_ + base::mix64(node.hash + 1));
}

// Subscribers ----------------------------------------------------------------------------------------------------------

TopicSubscriber* TopicIndex::add_subscriber(base::SlotId connection) noexcept {
  TopicSubscriber* one = subscribers_.create();
  if (one) one->connection = connection;
  return one;
}

bool TopicIndex::has(const TopicSubscriber& subscriber, const TopicFilter& filter) const noexcept {
  for (const TopicSubscription* s = subscriber.first; s; s = s->next_of_subscriber) {
    if (s->filter == &filter) return true;
  }
  return false;
}

TopicFilter* TopicIndex::add(TopicSubscriber& subscriber, TopicFilter* known, std::string_view text) noexcept {
  TopicFilter* filter = known ? known : make_filter(text);
  TopicSubscription* one = filter ? pool_.take() : nullptr;
  if (!one) {
    if (filter) drop_if_unused(*filter);
    return nullptr;
  }
  *one = {subscriber.first, nullptr, filter->first, filter, &subscriber};
  if (filter->first) filter->first->previous_of_filter = one;
  filter->first = one;
  subscriber.first = one;
  subscriber.filters++;
  subscriptions_++;
  return filter;
}

void TopicIndex::unlink(TopicSubscription** link) noexcept {
  TopicSubscription* one = *link;
  TopicFilter& filter = *one->filter;
  *link = one->next_of_subscriber;
  (one->previous_of_filter ? one->previous_of_filter->next_of_filter : filter.first) = one->next_of_filter;
  if (one->next_of_filter) one->next_of_filter->previous_of_filter = one->previous_of_filter;
  one->subscriber->filters--;
  subscriptions_--;
  pool_.give_back(one);
  drop_if_unused(filter);
}

void TopicIndex::remove(TopicSubscriber& subscriber, const TopicFilter& filter) noexcept {
  TopicSubscription** link = &subscriber.first;
  while ((*link)->filter != &filter) link = &(*link)->next_of_subscriber;
  unlink(link);
}

// Filters --------------------------------------------------------------------------------------------------------------

TopicFilter* TopicIndex::find_filter(std::string_view text) const noexcept {
  return filters_.find(hash_of(text), [text](const TopicFilter& filter) { return filter.text() == text; });
}

TopicFilter* TopicIndex::make_filter(std::string_view text) noexcept {
  if (!filters_.reserve()) return nullptr;
  TopicFilter* filter = make_with_text(TopicFilter{hash_of(text), nullptr, nullptr, 0}, text);
  if (!filter) return nullptr;
  if (has_wildcards(text) && !place(*filter)) {
    base::deallocate(filter);
    return nullptr;
  }
  filters_.insert(*filter);
  return filter;
}

void TopicIndex::drop_if_unused(TopicFilter& filter) noexcept {
  if (filter.first) return;
  filters_.erase(filter);
  if (TopicNode* node = filter.node) {
    (node->rest == &filter ? node->rest : node->exact) = nullptr;
    prune(node);
  }
  base::deallocate(&filter);
}

// The trie -------------------------------------------------------------------------------------------------------------

TopicNode* TopicIndex::child_of(TopicNode& node, std::string_view level) const noexcept {
  return edges_.find(hash_of_child(node, level),
                     [&node, level](const TopicNode& child) { return child.parent == &node && child.level() == level; });
}

// All of them are in the table, those of '+' as well, which nobody looks for there: no topic has such a level.
TopicNode* TopicIndex::find_or_make_child(TopicNode& node, std::string_view level) noexcept {
  TopicNode* child = level == "+" ? node.plus : child_of(node, level);
  if (child || !edges_.reserve()) return child;
  child = make_with_text(TopicNode{.hash = hash_of_child(node, level), .parent = &node}, level);
  if (!child) return nullptr;
  edges_.insert(*child);
  if (level == "+") {
    node.plus = child;
  } else {
    node.named++;
  }
  return child;
}

// False when memory is out: then there is no more of it than before.
bool TopicIndex::place(TopicFilter& filter) noexcept {
  TopicNode* node = &root_;
  TopicLevels levels(filter.text());
  for (std::string_view level; levels.next(level) && level != "#";) {
    TopicNode* child = find_or_make_child(*node, level);
    if (!child) return prune(node), false;
    node = child;
  }
  (filter.text().back() == '#' ? node->rest : node->exact) = &filter;
  filter.node = node;
  return true;
}

// Takes the nodes away that nothing needs, from this one upwards.
void TopicIndex::prune(TopicNode* node) noexcept {
  while (node != &root_ && !node->is_needed()) {
    TopicNode* parent = node->parent;
    edges_.erase(*node);
    if (parent->plus == node) {
      parent->plus = nullptr;
    } else {
      parent->named--;
    }
    base::deallocate(node);
    node = parent;
  }
}

// Matching -------------------------------------------------------------------------------------------------------------

bool TopicIndex::collect(const TopicFilter* filter) noexcept {
  if (!filter) return true;
  for (const TopicSubscription* s = filter->first; s; s = s->next_of_filter) {
    TopicSubscriber& subscriber = *s->subscriber;
    if (std::exchange(subscriber.seen, matches_) == matches_) continue;
    if (!found_.push(subscriber.id())) return false;
  }
  return true;
}

// From the nodes that are reached, by one level. §4.7.2: a wildcard is not the level of a topic that it begins with when that
// begins with '$'.
bool TopicIndex::step(std::string_view level, bool wildcards) noexcept {
  base::GrowingArray<TopicNode*>& next = reached_[!now_];
  next.clear();
  for (TopicNode* node : reached_[now_]) {
    if (wildcards && (!collect(node->rest) || (node->plus && !next.push(node->plus)))) return false;
    TopicNode* child = node->named > 0 ? child_of(*node, level) : nullptr;
    if (child && !next.push(child)) return false;
  }
  now_ = !now_;
  return true;
}

bool TopicIndex::match(std::string_view topic) noexcept {
  matches_++;
  found_.clear();
  const TopicFilter* literal = find_filter(topic);
  if (literal && !collect(literal)) return false;
  if (!root_.is_needed()) return true;
  reached_[now_].clear();
  if (!reached_[now_].push(&root_)) return false;
  bool wildcards = topic.front() != '$';
  TopicLevels levels(topic);
  for (std::string_view level; levels.next(level) && !reached_[now_].empty();) {
    if (!step(level, wildcards)) return false;
    wildcards = true;
  }
  // §4.7.1.2: '#' is the parent level, too.
  for (const TopicNode* node : reached_[now_]) {
    if (!collect(node->exact) || !collect(node->rest)) return false;
  }
  return true;
}

}  // namespace martlet::realtime
