// Objects of the user's own that all workers have in common (martlet/common.h): a list in their group, in the order in which the
// first worker has made them.
#include <martlet/common.h>

#include "worker/group.h"

namespace martlet {

namespace {

struct Kept {
  Kept(const void* type_, const detail::CountedPointer& object_, uint32_t seat_) noexcept : type(type_), object(object_), seat(seat_) {}
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  const void* type;
  detail::CountedPointer object;
  uint32_t seat;  // the last that has taken it: they are set up one after the other
  Kept* next = nullptr;
};

struct UserObjects final : worker::CommonObject {
  static constexpr worker::PartKey kKey{};
  UserObjects() noexcept = default;
  UserObjects(const UserObjects&) = delete;
  UserObjects& operator=(const UserObjects&) = delete;
  ~UserObjects() {
    while (Kept* kept = first) {
      first = kept->next;
      base::destroy(kept);
    }
  }

  Kept* first = nullptr;
  Kept** end = &first;
};

worker::Group* group_in_set_up() noexcept { return worker::place_.setting_up ? worker::place_.group : nullptr; }

}  // namespace

namespace detail {

CountedPointer find_common(const void* type) noexcept {
  worker::Group* group = group_in_set_up();
  UserObjects* objects = group ? group->common.find<UserObjects>() : nullptr;
  for (Kept* kept = objects ? objects->first : nullptr; kept; kept = kept->next) {
    if (kept->type != type || kept->seat == worker::place_.seat) continue;
    kept->seat = worker::place_.seat;
    return kept->object;
  }
  return {};
}

bool keep_common(const void* type, const CountedPointer& made) noexcept {
  worker::Group* group = group_in_set_up();
  if (!group) return true;
  UserObjects* objects = group->common.find_or_add<UserObjects>();
  Kept* kept = objects ? base::create<Kept>(type, made, worker::place_.seat) : nullptr;
  if (!kept) return false;
  *objects->end = kept;
  objects->end = &kept->next;
  return true;
}

}  // namespace detail

}  // namespace martlet
