// See event_table.h.
#include "realtime/event_table.h"

#include <cstring>

#include "base/alloc.h"

namespace martlet::realtime {

EventTable::~EventTable() {
  for (uint32_t i = 0; buckets_ && i <= mask_; i++) {
    while (NamedEvent* event = buckets_[i]) {
      buckets_[i] = event->next;
      while (EventNode* listener = event->first) {
        event->first = listener->following;
        base::destroy(listener);
      }
      base::destroy(event);
    }
  }
  base::deallocate(buckets_);
}

namespace {

// Short names by two words that may overlap.
bool is_same(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  if (a.size() < 4 || a.size() > 8) return a == b;
  uint32_t words[4];
  std::memcpy(&words[0], a.data(), 4);
  std::memcpy(&words[1], a.data() + a.size() - 4, 4);
  std::memcpy(&words[2], b.data(), 4);
  std::memcpy(&words[3], b.data() + b.size() - 4, 4);
  return words[0] == words[2] && words[1] == words[3];
}

}  // namespace

NamedEvent* EventTable::find_event(std::string_view name, uint64_t hash) const noexcept {
  NamedEvent* event = buckets_ ? buckets_[hash & mask_] : nullptr;
  while (event && (event->hash != hash || !is_same(event->name.text(), name))) event = event->next;
  return event;
}

bool EventTable::grow() noexcept {
  const uint32_t size = buckets_ ? (mask_ + 1) * 2 : 4;
  auto** buckets = static_cast<NamedEvent**>(base::allocate(size * sizeof(NamedEvent*)));
  if (!buckets) return false;
  for (uint32_t i = 0; i < size; i++) buckets[i] = nullptr;
  for (uint32_t i = 0; buckets_ && i <= mask_; i++) {
    while (NamedEvent* event = buckets_[i]) {
      buckets_[i] = event->next;
      NamedEvent*& bucket = buckets[event->hash & (size - 1)];
      event->next = bucket;
      bucket = event;
    }
  }
  base::deallocate(buckets_);
  buckets_ = buckets;
  mask_ = size - 1;
  return true;
}

NamedEvent* EventTable::add_event(std::string_view name, uint64_t hash) noexcept {
  if ((!buckets_ || count_ > mask_) && !grow()) return nullptr;
  auto* event = base::create<NamedEvent>(name, hash);
  if (!event || !event->name.ok()) return base::destroy(event), nullptr;
  event->next = buckets_[hash & mask_];
  buckets_[hash & mask_] = event;
  count_++;
  return event;
}

bool EventTable::add(std::string_view name, uint64_t hash, EventNode* listener) noexcept {
  NamedEvent* event = find_event(name, hash);
  if (!event) event = add_event(name, hash);
  if (!event) return false;
  listener->event = event;
  listener->order = ++newest_;
  (event->last ? event->last->following : event->first) = listener;
  event->last = listener;
  return true;
}

void EventTable::forget(NamedEvent& event) noexcept {
  NamedEvent** link = &buckets_[event.hash & mask_];
  while (*link != &event) link = &(*link)->next;
  *link = event.next;
  count_--;
  base::destroy(&event);
}

// It still says who follows it, for who stands on it now.
void EventTable::remove(worker::Worker& w, EventNode& listener) noexcept {
  if (listener.gone) return;
  NamedEvent& event = *listener.event;
  EventNode* before = nullptr;
  for (EventNode* l = event.first; l != &listener; l = l->following) before = l;
  (before ? before->following : event.first) = listener.following;
  if (event.last == &listener) event.last = before;
  listener.gone = true;
  listener.event = nullptr;
  w.retire(&listener);
  if (!event.first) forget(event);
}

void EventTable::remove(worker::Worker& w, uint64_t number) noexcept {
  for (uint32_t i = 0; buckets_ && i <= mask_; i++) {
    for (const NamedEvent* event = buckets_[i]; event; event = event->next) {
      for (EventNode* l = event->first; l; l = l->following) {
        if (l->number == number) return remove(w, *l);
      }
    }
  }
}

void EventTable::remove(worker::Worker& w, std::string_view name, uint64_t hash) noexcept {
  for (;;) {
    NamedEvent* event = find_event(name, hash);
    if (!event) return;
    remove(w, *event->first);
  }
}

}  // namespace martlet::realtime
