// martlet/json_forward.h: the names of JSON, for headers that only pass it on. json.h has the rest.
#pragma once

#include <martlet/config.h>

#include <cstdint>

namespace martlet {

class Json;
class JsonReader;
class JsonText;
class JsonWriter;
struct JsonError;
struct JsonMember;
struct JsonOptions;

enum class JsonKind : uint8_t { null, boolean, number, string, array, object };

template <typename T = Json>
class JsonResult;

}  // namespace martlet
