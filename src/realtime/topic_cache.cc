// See topic_cache.h.
#include "realtime/topic_cache.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"

namespace martlet::realtime {

TopicCache::~TopicCache() {
  forget_all();
  while (loose_) {
    loose_->listed = false;
    end_turn();
  }
}

// Results --------------------------------------------------------------------------------------------------------------

TopicResult* TopicCache::find(uint64_t hash, std::string_view topic) const noexcept {
  return results_.find(hash, [topic](const TopicResult& result) { return result.name() == topic; });
}

TopicResult* TopicCache::look(std::string_view topic) noexcept {
  TopicResult* result = find(index_.hash_of(topic), topic);
  return result && result->generation == generation_ ? result : nullptr;
}

TopicResult* TopicCache::make_result(uint64_t hash, std::string_view topic) noexcept {
  auto* result = results_.reserve() ? base::create<TopicResult>() : nullptr;
  if (!result) return nullptr;
  result->name_block = base::Block::make(topic.size());
  if (!result->name_block) return base::destroy(result), nullptr;
  std::memcpy(result->name_block->data(), topic.data(), topic.size());
  result->name_bytes = static_cast<uint32_t>(topic.size());
  result->hash = hash;
  bytes_ += result->bytes();
  results_.insert(*result);
  return result;
}

TopicResult* TopicCache::make(std::string_view topic) noexcept {
  if (bytes_ > most_bytes) forget_all();
  if (!index_.match(topic)) return nullptr;
  const uint64_t hash = index_.hash_of(topic);
  TopicResult* result = find(hash, topic);
  if (!result) result = make_result(hash, topic);
  if (!result) return nullptr;
  result->generation = 0;  // until it is whole
  let_go(std::exchange(result->set, nullptr));
  if (!index_.found().empty()) {
    result->set = find_or_make_set();
    if (!result->set) return nullptr;
    result->set->results++;
  }
  result->generation = generation_;
  return result;
}

// A literal filter is in the results of one topic.
void TopicCache::changed(const TopicFilter& filter) noexcept {
  if (!filter.is_literal()) {
    generation_++;
  } else if (TopicResult* result = find(filter.hash, filter.text())) {
    result->generation = 0;
  }
}

void TopicCache::destroy(TopicResult& result) noexcept {
  bytes_ -= result.bytes();
  let_go(result.set);
  result.name_block->release();
  base::destroy(&result);
}

void TopicCache::forget_all() noexcept {
  results_.take_all([this](TopicResult& result) { destroy(result); });
}

// Sets -----------------------------------------------------------------------------------------------------------------

bool TopicCache::is_found(ReceiverSet& set) const noexcept {
  if (set.count != index_.found().size()) return false;
  for (const TopicReceiver& receiver : set.receivers()) {
    if (!index_.was_found(receiver.subscriber)) return false;
  }
  return true;
}

// The hash is a sum, as the order in which they were found is not that of another topic.
ReceiverSet* TopicCache::find_or_make_set() noexcept {
  uint64_t hash = 0;
  for (const base::SlotId id : index_.found()) hash += base::mix64(id.packed());
  hash = base::mix64(hash);
  ReceiverSet* set = sets_.find(hash, [this](ReceiverSet& one) { return is_found(one); });
  return set ? set : make_set(hash);
}

ReceiverSet* TopicCache::make_set(uint64_t hash) noexcept {
  const auto found = index_.found();
  void* memory = sets_.reserve() ? base::allocate(sizeof(ReceiverSet) + found.size() * sizeof(TopicReceiver)) : nullptr;
  if (!memory) return nullptr;
  auto* set = new (memory) ReceiverSet;
  set->hash = hash;
  set->count = static_cast<uint32_t>(found.size());
  for (size_t i = 0; i < found.size(); i++) new (&set->receivers()[i]) TopicReceiver{found[i], nullptr, set};
  bytes_ += set->bytes();
  sets_.insert(*set);
  return set;
}

void TopicCache::destroy(ReceiverSet& set) noexcept {
  bytes_ -= set.bytes();
  set.~ReceiverSet();
  base::deallocate(&set);
}

// One result less; without any it is found no more, and goes at the end of the turn: then nobody has it to take.
void TopicCache::let_go(ReceiverSet* set) noexcept {
  if (!set || --set->results > 0) return;
  sets_.erase(*set);
  if (!set->listed) return destroy(*set);
  set->next_loose = loose_;
  loose_ = set;
}

void TopicCache::end_turn() noexcept {
  for (ReceiverSet** link = &loose_; ReceiverSet* set = *link;) {
    if (set->listed) {
      link = &set->next_loose;
      continue;
    }
    *link = set->next_loose;
    destroy(*set);
  }
}

}  // namespace martlet::realtime
