// Short names of media types, beside the types of files where both have one.
#include "proto/short_types.h"

#include <doctest/doctest.h>

#include <string_view>

#include "proto/file_types.h"

namespace martlet::proto {

TEST_CASE("short_types: names stand for whole types in any case of letters, whole types and others for nothing") {
  for (const char* name : {"json", "html", "text", "xml", "css", "js", "png", "svg", "bin", "urlencoded", "form", "csv", "sse", "JSON"}) {
    CHECK(media_type_of(name).find('/') != std::string_view::npos);
    CHECK(content_type_of(name).starts_with(media_type_of(name)));
  }
  CHECK(media_type_of("json") == "application/json");
  CHECK(media_type_of("Html") == "text/html");
  CHECK(content_type_of("Html") == "text/html; charset=utf-8");
  for (const char* name : {"", "application/json", "jso", "jsons", "multipart", "+json", "*", "/"}) {
    CHECK(media_type_of(name).empty());
    CHECK(content_type_of(name).empty());
  }
}

TEST_CASE("short_types: what is an extension of files, too, has their type") {
  for (const char* name : {"html", "json", "text", "css", "js", "svg", "png", "bin", "atom", "avif", "csv", "gif", "gz", "htm", "ico", "ics", "jpeg", "jpg",
                           "jsonld", "md", "mjs", "mp3", "mp4", "ndjson", "pdf", "rss", "txt", "wasm", "webp", "xhtml", "xml", "yaml", "yml", "zip"}) {
    CHECK_MESSAGE(content_type_of(name) == type_of_extension(name), name);
    CHECK_MESSAGE(!content_type_of(name).empty(), name);
  }
}

}  // namespace martlet::proto
