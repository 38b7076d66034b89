// What own types of JSON refuse when they are compiled.
#include <martlet/json.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;

struct Known {
  int a = 0;
};
MARTLET_JSON(Known, a)

// Each is complained about once.
template <int>
struct Stranger {
  int a = 0;
};
using Unknown = Stranger<0>;

struct View {
  std::string_view text;
};
MARTLET_JSON(View, text)

void values(std::string_view text, JsonWriter& out) {
  static_cast<void>(Json::to<Known>(text));
  static_cast<void>(Json::to<std::vector<Known>>(text));
  static_cast<void>(Json::to<Unknown>(text));                             // FAILS IN ANOTHER FILE
  static_cast<void>(Json::to<std::vector<Stranger<1>>>(text));            // FAILS IN ANOTHER FILE
  static_cast<void>(Json::to<std::map<std::string, Stranger<2>>>(text));  // FAILS IN ANOTHER FILE
  static_cast<void>(Json::to<View>(text));                                // FAILS IN ANOTHER FILE
  out.value(Known());
  out.value(View{text});
  out.value(Unknown());                                                   // FAILS
  out.value(std::vector<Stranger<3>>());                                  // FAILS IN ANOTHER FILE
  const Json tree = Known();
  const Json wrong = Unknown();                                           // FAILS
}
