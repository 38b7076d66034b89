// See topics.h.
#include "realtime/topics.h"

#include <algorithm>
#include <utility>

#include "net/worker_registry.h"
#include "realtime/commands.h"
#include "realtime/connection_slots.h"
#include "realtime/topic_names.h"
#include "session/ws_session.h"
#include "sys/log_line.h"
#include "sys/process.h"

namespace martlet::realtime {

namespace {

// §1.5.3: what a length of two bytes can say.
constexpr uint32_t kMostNameBytes = 65'535;

Topics* topics_of(RealtimeWorker& w) noexcept { return w.parts.find<Topics>(); }

const PublishedRange* next_range_of(RealtimeWorker& w, const session::WsState& ws, uint64_t position) noexcept {
  const Subscribed* slot = ws.extras->slots.find<Subscribed>();
  TopicSubscriber* subscriber = slot && slot->topics ? slot->topics->index.find(slot->subscriber) : nullptr;
  return subscriber && subscriber->due ? topics_of(w)->next_range(*subscriber, ws, position) : nullptr;
}

// After the first visit there is nothing left for a receiver to take, of whatever set.
void deliver(RealtimeWorker& w, AudienceLog& audience) noexcept {
  TopicIndex& index = topics_of(w)->index;
  for (const TopicReceiver& receiver : static_cast<ReceiverSet&>(audience).receivers()) {
    TopicSubscriber* subscriber = index.find(receiver.subscriber);
    if (!subscriber || !subscriber->due) continue;
    take_published(w, *w.reactor.connections.live(subscriber->connection.slot));
    subscriber->due = nullptr;
  }
}

// Which topics they were is not known: all who have subscribed to something are treated as slow.
void lagged_behind(RealtimeWorker& w, uint64_t messages) noexcept {
  topics_of(w)->index.for_each_subscriber([&](const TopicSubscriber& subscriber) {
    net::Connection& c = *w.reactor.connections.live(subscriber.connection.slot);
    if (subscriber.filters > 0 && !c.closing && is_let_in(c)) session::treat_as_slow(w.sessions, c, messages);
  });
}

void before_close(RealtimeWorker& w, net::Connection& c) noexcept {
  if (Topics* topics = topics_of(w); topics->flush) topics->flush(w, c);
}

constexpr TopicSeam kSeam{next_range_of, deliver, before_close, take_topic, lagged_behind};

uint64_t random_key(worker::Worker& w) noexcept {
  if (w.group) return w.group->directory.hash_key();
  uint64_t key = 0;
  sys::random_bytes(&key, sizeof key);
  return key;
}

}  // namespace

const worker::PartHooks Topics::kHooks{.turn_ended = [](worker::Part& self) { static_cast<Topics&>(self).cache.end_turn(); }};

Topics::Topics(worker::Worker& w) noexcept : Part(w), index(random_key(w)), cache(index) { set({}); }

void Topics::set(const TopicsOptions& to) noexcept {
  options = to;
  if (options.max_name_bytes > kMostNameBytes) options.max_name_bytes = kMostNameBytes;
  cache.most_bytes = options.cache_bytes;
}

// Subscribing ----------------------------------------------------------------------------------------------------------

TopicSubscriber* Topics::subscriber_of(net::Connection& c) noexcept {
  Subscribed* slot = slot_for<Subscribed>(c);
  if (!slot) return nullptr;
  if (slot->topics) return index.find(slot->subscriber);
  TopicSubscriber* one = index.add_subscriber(c.id());
  if (!one) return nullptr;
  slot->topics = this;
  slot->subscriber = one->id();
  if (follow) follow(*this, c);
  return one;
}

// Others are to send us what is published from now on.
bool Topics::share() noexcept {
  owner().topics = &kSeam;
  if (worker.group && !shared) shared = worker.group->directory.enter(worker::AudienceKind::topics, {}, worker.seat);
  return !worker.group || shared;
}

void Topics::unshare_if_empty() noexcept {
  if (index.subscriptions() == 0 && shared) worker.group->directory.leave(*std::exchange(shared, nullptr), worker.seat);
}

SubscribeStatus Topics::subscribe(net::Connection& c, std::string_view filter) noexcept {
  using enum SubscribeStatus;
  if (filter.size() > options.max_name_bytes) return too_long;
  if (!is_filter(filter)) return bad_filter;
  if (levels_of(filter) > options.max_levels) return too_deep;
  TopicSubscriber* subscriber = subscriber_of(c);
  if (!subscriber) return out_of_memory;
  TopicFilter* known = index.find_filter(filter);
  if (known && index.has(*subscriber, *known)) return ok;
  if (subscriber->filters >= options.max_filters_per_socket) return too_many;
  if (!known && index.filters() >= options.max_filters) return worker_full;
  const TopicFilter* added = share() ? index.add(*subscriber, known, filter) : nullptr;
  if (!added) return unshare_if_empty(), out_of_memory;
  cache.changed(*added);
  return ok;
}

void Topics::unsubscribe(net::Connection& c, std::string_view filter) noexcept {
  const Subscribed* slot = find_slot<Subscribed>(c);
  TopicSubscriber* subscriber = slot && slot->topics ? index.find(slot->subscriber) : nullptr;
  TopicFilter* known = subscriber ? index.find_filter(filter) : nullptr;
  if (!known || !index.has(*subscriber, *known)) return;
  cache.changed(*known);
  index.remove(*subscriber, *known);
  unshare_if_empty();
}

void Topics::forget(base::SlotId id) noexcept {
  TopicSubscriber& subscriber = *index.find(id);
  if (subscriber.stalled) stalled--;
  index.remove_subscriber(subscriber, [this](const TopicFilter& filter) { cache.changed(filter); });
  unshare_if_empty();
}

// Publishing -----------------------------------------------------------------------------------------------------------

bool Topics::is_good_topic(std::string_view topic) const noexcept {
  return topic.size() <= options.max_name_bytes && is_topic(topic) && levels_of(topic) <= options.max_levels;
}

TopicResult* Topics::result_of(std::string_view topic) noexcept {
  if (TopicResult* known = cache.look(topic)) return known;
  return is_good_topic(topic) ? cache.make(topic) : nullptr;
}

void Topics::list(ReceiverSet& set) noexcept {
  if (set.listed) return;
  for (TopicReceiver& receiver : set.receivers()) {
    TopicSubscriber* subscriber = index.find(receiver.subscriber);
    if (!subscriber) continue;
    receiver.next_due = subscriber->due;
    subscriber->due = &receiver;
  }
  owner().list(set);
}

// Taking ---------------------------------------------------------------------------------------------------------------

// False when memory is out.
bool Topics::sort_due(const TopicSubscriber& subscriber, uint64_t position) noexcept {
  sorted_.clear();
  sorted_at_ = 0;
  for (const TopicReceiver* due = subscriber.due; due; due = due->next_due) {
    for (const PublishedRange& range : due->set->ranges()) {
      if (range.end > position && !sorted_.push(&range)) return false;
    }
  }
  std::sort(sorted_.begin(), sorted_.end(), [](const auto* a, const auto* b) { return a->begin < b->begin; });
  return true;
}

namespace {

const PublishedRange* first_of(const TopicReceiver* due, uint64_t position) noexcept {
  const PublishedRange* first = nullptr;
  for (; due; due = due->next_due) {
    const PublishedRange* range = due->set->first_after(position);
    if (range && (!first || range->begin < first->begin)) first = range;
  }
  return first;
}

}  // namespace

// Of one set its log says it. Who is a receiver of many, as one that has subscribed to everything, has them put in order once, and
// not looked through for each range.
const PublishedRange* Topics::next_range(TopicSubscriber& subscriber, const session::WsState& ws, uint64_t position) noexcept {
  const TopicReceiver* const due = subscriber.due;
  if (!due->next_due) return due->set->first_after(position);
  const uint64_t end = owner().log.end();
  if (sorted_for_ != &ws || sorted_end_ != end) {
    const bool sorted = sort_due(subscriber, position);
    sorted_for_ = sorted ? &ws : nullptr;
    sorted_end_ = end;
  }
  if (!sorted_for_) return first_of(due, position);
  while (sorted_at_ > 0 && sorted_[sorted_at_ - 1]->end > position) sorted_at_--;  // it begins again
  while (sorted_at_ < sorted_.size() && sorted_[sorted_at_]->end <= position) sorted_at_++;
  return sorted_at_ < sorted_.size() ? sorted_[sorted_at_] : nullptr;
}

}  // namespace martlet::realtime

namespace martlet {

namespace {

using realtime::RealtimeWorker;
using realtime::Topics;

// What its thread publishes next must reach it: the directory knows of it already.
SubscribeStatus post_subscribe(const WebSocket& ws, std::string_view filter) noexcept {
  const uint32_t number = MessageAccess::worker(ws);
  base::KeptText name(filter);
  if (!name.ok()) return SubscribeStatus::out_of_memory;
  worker::Expected expected;
  worker::Group* group = worker::place_.group;
  if (group && number - group->first < group->workers) {
    expected = worker::Expected(group->directory, {}, number - group->first, worker::AudienceKind::topics);
  }
  auto run = [ws, name = std::move(name), expected = std::move(expected)](RealtimeWorker&) { ws.subscribe(name.text()); };
  const SendStatus posted = realtime::post_to(number, std::move(run), filter.size() + 1);
  return posted == SendStatus::posted   ? SubscribeStatus::posted
         : posted == SendStatus::closed ? SubscribeStatus::closed
                                        : SubscribeStatus::out_of_memory;
}

}  // namespace

SubscribeStatus WebSocket::subscribe(std::string_view filter) const noexcept {
  RealtimeWorker* w = realtime::here(worker_);
  if (!w) return post_subscribe(*this, filter);
  net::Connection* c = w->websocket({slot_, generation_});
  if (!c || c->closing || c->state<session::WsState>().ready == ReadyState::closed) return SubscribeStatus::closed;
  Topics* topics = w->parts.find_or_add<Topics>(*w);
  if (!topics) return SubscribeStatus::out_of_memory;
  const SubscribeStatus answer = topics->subscribe(*c, filter);
  if (answer == SubscribeStatus::ok) sys::log_limited(LogLevel::debug, "Socket subscribed to", filter);
  return answer;
}

void WebSocket::unsubscribe(std::string_view filter) const noexcept {
  if (RealtimeWorker* w = realtime::here(worker_)) {
    net::Connection* c = w->websocket({slot_, generation_});
    Topics* topics = c ? w->parts.find<Topics>() : nullptr;
    if (topics) topics->unsubscribe(*c, filter);
    return;
  }
  base::KeptText name(filter);
  if (name.ok()) realtime::post_to(worker_, [self = *this, name = std::move(name)](RealtimeWorker&) { self.unsubscribe(name.text()); });
}

}  // namespace martlet
