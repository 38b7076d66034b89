// App::keep_fields: for the few who want it, a list that the library's own answers look at.
#include <martlet/app.h>

#include <string>
#include <vector>

#include "app/app_access.h"
#include "base/check.h"
#include "base/text.h"
#include "worker/parts.h"

namespace martlet {

namespace {

struct FieldList final : worker::Part, session::KeptFields {
  static constexpr worker::PartKey kKey{};
  static constexpr worker::PartHooks kHooks{};

  explicit FieldList(worker::Worker& w) noexcept : Part(w) {
    has = [](const KeptFields& self, std::string_view name) noexcept {
      for (const std::string& kept : static_cast<const FieldList&>(self).names) {
        if (base::same_text(kept, name)) return true;
      }
      return false;
    };
    w.sessions.kept_fields = this;
  }

  std::vector<std::string> names;
};

}  // namespace

App& App::keep_fields(std::initializer_list<std::string_view> names) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "keep_fields() after listen()");
  FieldList* list = w.parts.find_or_add<FieldList>(w);
  MARTLET_CHECK(list && "keep_fields(): out of memory");
  for (const std::string_view name : names) list->names.emplace_back(name);
  return *this;
}

}  // namespace martlet
