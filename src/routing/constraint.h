// What a parameter of a route may be asked to be: ":id<int>", ":id<uuid>", ":name<slug>", ":name<alnum>", or ":n<even>" with
// a predicate of the user's.
//
// A constraint is asked while the route is looked for, so its answer decides between routes: it must not change anything, and
// it may be asked more than once for a request. Patterns keep the addresses of constraints: a table outlives the trees that
// its patterns went to, and may be moved.
#pragma once

#include <martlet/function.h>

#include <list>
#include <string>
#include <string_view>
#include <utility>

namespace martlet::routing {

// Sees the segment decoded, and says yes by setting `holds`, which is false before. One that throws has said no.
using Predicate = martlet::Function<void(std::string_view segment, bool& holds)>;

// The longest segment with escapes in it, as it was sent, that a predicate is asked about: for longer ones it is no. (They
// are decoded on the stack: looking a route up allocates nothing.)
inline constexpr size_t kMaxDecodedSegment = 1024;

struct Constraint {
  std::string_view name;
  bool (*builtin)(std::string_view segment) noexcept = nullptr;
  Predicate* predicate = nullptr;  // where it is not built in

  // Of a segment of a judged path (path.h).
  bool holds(std::string_view segment) const noexcept;
};

// Those of one App or Router.
class Constraints {
 public:
  // Wraps what answers bool into a Predicate.
  template <typename F>
  static Predicate predicate_of(F&& answers) {
    return Predicate([answers = std::forward<F>(answers)](std::string_view segment, bool& holds) mutable {
      holds = static_cast<bool>(answers(segment));
    });
  }

  // Null when good, else what is wrong with it (a static sentence).
  const char* add(std::string_view name, Predicate predicate);
  // Added, of the table around it, or built in; null when there is none.
  const Constraint* find(std::string_view name) const noexcept;
  // Of a Router that is mounted: the table of what it is mounted on, for names that it has not.
  void set_outer(const Constraints* outer) noexcept { outer_ = outer; }
  // Keeps those of a table that goes away, so that patterns made with it stay good. They have no names here.
  void adopt(Constraints&& other) noexcept {
    adopted_.splice(adopted_.end(), other.own_);
    adopted_.splice(adopted_.end(), other.adopted_);
  }

  static const Constraint* find_builtin(std::string_view name) noexcept;

 private:
  struct Own {
    Own(std::string_view own_name, Predicate own_predicate) : name(own_name), predicate(std::move(own_predicate)) {}
    std::string name;
    Predicate predicate;
    Constraint constraint;
  };
  std::list<Own> own_;
  std::list<Own> adopted_;
  const Constraints* outer_ = nullptr;
};

// Letters, digits, '_', and what is not ASCII: of parameters and of constraints.
bool is_name(std::string_view name) noexcept;

}  // namespace martlet::routing
