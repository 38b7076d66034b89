// Topics as a part of a worker: there when somebody subscribes, publishes to who may have subscribed, or sets the options.
//
// Delivery is that of rooms (publish.h): a publish puts its frame into the worker's log once, and a range of it into the log of
// the set of receivers that its topic has (topic_cache.h). So what one turn publishes to the same receivers leaves with each of
// them in one piece, and the order with rooms and direct sends, compression and the policies for slow receivers are those of
// rooms without a line of their own. The other way, queueing to each receiver at once, would cost each of them a visit per message.
//
// Over workers: the directory has one entry for all topics, with the workers that have any subscription. What is published goes
// to all of these in the turn's parcel, with the topic's name, and each matches it for itself, which mostly is a look into its
// cache: subscriptions stay on their worker, and cost the others nothing. The worker's thread.
#pragma once

#include <martlet/topics.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/growing_array.h"
#include "realtime/realtime.h"
#include "realtime/topic_cache.h"
#include "realtime/topic_index.h"
#include "realtime/topic_seam.h"
#include "worker/parts.h"

namespace martlet::realtime {

struct Topics final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit Topics(worker::Worker& w) noexcept;

  void set(const TopicsOptions& to) noexcept;
  RealtimeWorker& owner() const noexcept { return realtime_of(worker); }
  SubscribeStatus subscribe(net::Connection& c, std::string_view filter) noexcept;
  void unsubscribe(net::Connection& c, std::string_view filter) noexcept;
  // The connection ends.
  void forget(base::SlotId subscriber) noexcept;
  // What is known of a topic, matched if it must be. Null when it is none, or memory is out.
  TopicResult* result_of(std::string_view topic) noexcept;
  // They are about to be sent something: each is told that there will be something to take.
  void list(ReceiverSet& set) noexcept;
  const PublishedRange* next_range(TopicSubscriber& subscriber, const session::WsState& ws, uint64_t position) noexcept;
  bool is_good_topic(std::string_view topic) const noexcept;

  TopicsOptions options;
  TopicIndex index;
  TopicCache cache;
  worker::DirectoryEntry* shared = nullptr;  // of a worker of a group: while it has subscriptions

  // Of conflation (topic_conflation.h); null until something is published with a key.
  void (*follow)(Topics& topics, net::Connection& c) noexcept = nullptr;  // a new subscriber's
  void (*flush)(RealtimeWorker& w, net::Connection& c) noexcept = nullptr;
  uint32_t stalled = 0;  // subscribers

 private:
  TopicSubscriber* subscriber_of(net::Connection& c) noexcept;
  bool share() noexcept;
  void unshare_if_empty() noexcept;
  bool sort_due(const TopicSubscriber& subscriber, uint64_t position) noexcept;

  // What a receiver of several sets was sent, in order; for the one that is taking it.
  base::GrowingArray<const PublishedRange*> sorted_;
  uint32_t sorted_at_ = 0;
  const session::WsState* sorted_for_ = nullptr;
  uint64_t sorted_end_ = 0;
};

// A slot of a connection that has subscribed.
struct Subscribed {
  static constexpr worker::PartKey kKey{};
  Subscribed() noexcept = default;
  Subscribed(const Subscribed&) = delete;
  Subscribed& operator=(const Subscribed&) = delete;
  ~Subscribed() {
    if (topics) topics->forget(subscriber);
  }
  Topics* topics = nullptr;
  base::SlotId subscriber;
};

// Whom a publish goes to.
struct TopicAddress {
  uint32_t first;  // the worker, or the first of its group
  std::string_view topic;
  WebSocket except = {};
  Compress compress = Compress::automatic;
  std::string_view key = {};  // of conflation
};

// On a worker of the group at once, else by mail to all of them (topic_publish.cc).
SendStatus publish_to(const TopicAddress& to, std::string_view text) noexcept;
SendStatus publish_to(const TopicAddress& to, std::span<const std::byte> bytes) noexcept;
SendStatus publish_to(const TopicAddress& to, const SharedFrame& frame) noexcept;
// Frames of a topic that came from another worker.
void take_topic(RealtimeWorker& w, const worker::ParcelItem& item, std::span<net::Connection* const> except) noexcept;

}  // namespace martlet::realtime
