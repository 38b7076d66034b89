// See parcel.h. A parcel is one allocation: the parcel, a mail for each worker, items, exceptions.
#include "worker/parcel.h"

#include <cstring>
#include <new>

#include "net/worker_registry.h"
#include "worker/worker.h"

namespace martlet::worker {

namespace {

struct Parcel;

struct ParcelMail : net::Mail {
  Parcel* parcel;
};

struct Parcel {
  std::atomic<uint32_t> references;
  uint32_t item_count;
  ParcelItem* items;
  ParcelExcept* excepts;
  ParcelMail* mails;

  void release() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    for (uint32_t i = 0; i < item_count; i++) {
      items[i].block->release();
      if (items[i].topic) items[i].topic->release();
    }
    base::deallocate(this);
  }
};

void run_parcel(net::Mail* mail, void* context) {
  Parcel& parcel = *static_cast<ParcelMail*>(mail)->parcel;
  auto& w = *static_cast<Worker*>(context);
  for (uint32_t i = 0; i < parcel.item_count; i++) {
    const ParcelItem& item = parcel.items[i];
    w.seam->parcels.take(w, item, {parcel.excepts + item.except_begin, item.except_count});
  }
  parcel.release();
}

void drop_parcel(net::Mail* mail) { static_cast<ParcelMail*>(mail)->parcel->release(); }

Parcel* make_parcel(const base::GrowingArray<ParcelItem>& items, const base::GrowingArray<ParcelExcept>& excepts,
                    uint32_t receivers, size_t bytes) noexcept {
  const size_t size = sizeof(Parcel) + receivers * sizeof(ParcelMail) + items.size() * sizeof(ParcelItem) +
                      excepts.size() * sizeof(ParcelExcept);
  auto* memory = static_cast<unsigned char*>(base::allocate(size));
  if (!memory) return nullptr;
  auto* parcel = new (memory) Parcel{1, items.size(), nullptr, nullptr, nullptr};
  memory += sizeof(Parcel);
  parcel->mails = reinterpret_cast<ParcelMail*>(memory);
  for (uint32_t i = 0; i < receivers; i++) {
    auto* mail = new (memory) ParcelMail;
    mail->run = run_parcel;
    mail->drop = drop_parcel;
    mail->bytes = bytes + size;
    mail->parcel = parcel;
    memory += sizeof(ParcelMail);
  }
  parcel->items = reinterpret_cast<ParcelItem*>(memory);
  std::memcpy(memory, static_cast<const void*>(items.data()), items.size() * sizeof(ParcelItem));
  parcel->excepts = reinterpret_cast<ParcelExcept*>(memory + items.size() * sizeof(ParcelItem));
  if (!excepts.empty()) {
    std::memcpy(static_cast<void*>(parcel->excepts), excepts.data(), excepts.size() * sizeof(ParcelExcept));
  }
  for (uint32_t i = 0; i < items.size(); i++) {
    items[i].block->retain();
    if (items[i].topic) items[i].topic->retain();
  }
  return parcel;
}

}  // namespace

bool Outgoing::open(uint32_t seats) noexcept {
  missed_.reset(new (std::nothrow) MissedThere[seats]);
  return missed_ != nullptr;
}

bool Outgoing::add(const ParcelItem& item, const Seats& where, std::span<const ParcelExcept> except) noexcept {
  where_.add(where);
  bytes_ += item.size;
  if (!items_.empty() && except.empty()) {
    ParcelItem& last = items_.back();
    if (last.entry == item.entry && last.kind == item.kind && last.except_count == 0 && last.block == item.block &&
        last.data + last.size == item.data && last.compress == item.compress && last.topic == item.topic &&
        last.among == item.among && item.among == Among::alone) {
      last.size += item.size;
      last.messages += item.messages;
      return true;
    }
  }
  const uint32_t before = excepts_.size();
  bool good = true;
  for (const ParcelExcept& e : except) good = good && excepts_.push(e);
  ParcelItem added = item;
  added.except_begin = before;
  added.except_count = static_cast<uint32_t>(except.size());
  if (good && items_.push(added)) {
    if (added.topic) added.topic->retain();
    return true;
  }
  excepts_.truncate(before);
  return false;
}

// The frames are the log's until the turn ends; the names of topics may be nobody's by now.
void Outgoing::forget_items() noexcept {
  for (const ParcelItem& item : items_) {
    if (item.topic) item.topic->release();
  }
  items_.clear();
}

void Outgoing::ship(Worker& w) noexcept {
  if (items_.empty()) return;
  net::Lanes& lanes = *w.group->lanes;
  const uint32_t receivers = where_.count();
  Parcel* parcel = make_parcel(items_, excepts_, receivers, bytes_);
  uint32_t n = 0;
  for (uint32_t seat = 0; seat < lanes.seats(); seat++) {
    if (!where_.has(seat)) continue;
    ParcelMail* mail = parcel ? &parcel->mails[n++] : nullptr;
    if (mail) parcel->references.fetch_add(1, std::memory_order_relaxed);
    const net::Posted posted = mail ? lanes.post(w.seat, seat, mail) : net::Posted::full;
    if (posted != net::Posted::yes && mail) parcel->release();
    if (posted == net::Posted::full) note_missed(w, seat);
  }
  if (parcel) parcel->release();
  forget_items();
  excepts_.clear();
  where_ = Seats();
  bytes_ = 0;
}

void Outgoing::MissedThere::add(const ParcelItem& item) noexcept {
  for (uint32_t i = audiences.size(); i-- > 0;) {  // mostly it is one of the last
    Missed& missed = audiences[i];
    if (missed.entry != item.entry || missed.kind != item.kind) continue;
    missed.messages += item.messages;
    return;
  }
  if (audiences.size() >= kMost || !audiences.push({item.kind, item.entry, item.messages})) unnamed += item.messages;
}

// The parcel at hand did not reach this worker. Not all that is in it was for this one.
void Outgoing::note_missed(Worker& w, uint32_t seat) noexcept {
  uint64_t messages = 0;
  for (uint32_t i = 0; i < items_.size(); i++) {
    const ParcelItem& item = items_[i];
    const DirectoryEntry* entry = w.group->directory.find(item.entry);
    if (!entry || !entry->where().has(seat)) continue;
    missed_[seat].add(item);
    messages += item.messages;
  }
  any_missed_ |= messages > 0;
  net::find_inbox(w.group->first + seat)->count_refused(messages);
}

// False when memory is out: what has not been told stays.
bool Outgoing::tell(uint32_t number, MissedThere& missed) noexcept {
  const auto post = [number](const Missed& m) {
    return post_to(number, [m](Worker& other) { other.seam->parcels.lagged(other, m.kind, m.entry, m.messages); }) !=
           SendStatus::dropped;
  };
  for (; !missed.audiences.empty(); missed.audiences.truncate(missed.audiences.size() - 1)) {
    if (!post(missed.audiences.back())) return false;
  }
  if (missed.unnamed && !post({AudienceKind::all, {}, missed.unnamed})) return false;
  missed.unnamed = 0;
  return true;
}

bool Outgoing::tell_missed(Worker& w) noexcept {
  if (!any_missed_) return false;
  any_missed_ = false;
  bool again = false;
  for (uint32_t seat = 0; seat < w.group->workers; seat++) {
    MissedThere& missed = missed_[seat];
    if (missed.empty()) continue;
    any_missed_ = true;
    if (w.group->lanes->lags(w.seat, seat)) continue;  // it will wake us when it has taken some
    again |= !tell(w.group->first + seat, missed);
  }
  return again;
}

}  // namespace martlet::worker
