// Objects of the user's own that all workers have in common (martlet/common.h): a list in their group, in the order in which the
// first worker has made them.
#include <martlet/common.h>

#include "worker/group.h"

namespace martlet {

namespace {

struct Kept {
  Kept(const void* type_, detail::CommonBox* box_, uint32_t seat_) noexcept : type(type_), box(box_), seat(seat_) {}
  const void* type;
  detail::CommonBox* box;
  uint32_t seat;  // the last that has taken it: they are set up one after the other
  Kept* next = nullptr;
};

struct UserObjects final : worker::CommonObject {
  static constexpr worker::PartKey kKey{};
  UserObjects() noexcept = default;
  UserObjects(const UserObjects&) = delete;
  UserObjects& operator=(const UserObjects&) = delete;
  ~UserObjects() override {
    while (Kept* kept = first) {
      first = kept->next;
      detail::release_common(kept->box);
      base::destroy(kept);
    }
  }

  Kept* first = nullptr;
  Kept** end = &first;
};

worker::Group* group_in_set_up() noexcept { return worker::place_.setting_up ? worker::place_.group : nullptr; }

}  // namespace

namespace detail {

CommonBox* find_common(const void* type) noexcept {
  worker::Group* group = group_in_set_up();
  UserObjects* objects = group ? group->common.find<UserObjects>() : nullptr;
  for (Kept* kept = objects ? objects->first : nullptr; kept; kept = kept->next) {
    if (kept->type != type || kept->seat == worker::place_.seat) continue;
    kept->seat = worker::place_.seat;
    kept->box->references.fetch_add(1, std::memory_order_relaxed);
    return kept->box;
  }
  return nullptr;
}

bool keep_common(const void* type, CommonBox* box) noexcept {
  worker::Group* group = group_in_set_up();
  if (!group) return true;
  UserObjects* objects = group->common.find_or_add<UserObjects>();
  Kept* kept = objects ? base::create<Kept>(type, box, worker::place_.seat) : nullptr;
  if (!kept) return false;
  box->references.fetch_add(1, std::memory_order_relaxed);
  *objects->end = kept;
  objects->end = &kept->next;
  return true;
}

void release_common(CommonBox* box) noexcept {
  if (box->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete box;
}

}  // namespace detail

}  // namespace martlet
