// Media types and their parameters, and the types of files by extension.
#include "proto/media_type.h"

#include <doctest/doctest.h>

#include <string>

#include "proto/file_types.h"
#include "support/guarded.h"

using namespace martlet::proto;
using martlet::test::Guarded;

namespace {

// type/subtype|name=value|..., or "no".
std::string read(std::string_view value) {
  const Guarded guarded(value);
  const auto found = parse_media_type(martlet::base::as_text(guarded.span()));
  if (!found) return "no";
  std::string all = std::string(found->type()) + "/" + std::string(found->subtype());
  ParameterScanner scanner(found->parameters);
  for (TypeParameter p; scanner.next(p) == ParameterStep::parameter;) {
    std::string plain(p.value.text.size(), '#');
    plain.resize(p.value.unquote(plain.data()));
    CHECK(p.value.equals(plain));
    CHECK(!p.value.equals(plain + "x"));
    if (!plain.empty()) CHECK(!p.value.equals(plain.substr(1)));
    all += "|" + std::string(p.name) + "=" + plain;
  }
  return all;
}

std::string numbered(int parameters) {
  std::string all = "a/b";
  for (int i = 0; i < parameters; i++) all += ";p" + std::to_string(i) + "=v";
  return all;
}

}  // namespace

TEST_CASE("media_type: type, subtype and parameters") {
  struct Case {
    std::string_view value, read;
  };
  for (const Case& c : {
           Case{"text/html", "text/html"},
           {"Text/HTML;Charset=\"utf-8\"", "Text/HTML|Charset=utf-8"},
           {"text/html; charset=utf-8", "text/html|charset=utf-8"},
           {"text/html \t;\t charset=utf-8;q=1", "text/html|charset=utf-8|q=1"},
           {"text/html;", "text/html"},
           {"text/html ; ;; a=b ;", "text/html|a=b"},
           {"*/*", "*/*"},
           {"a/b;c=\"\"", "a/b|c="},
           {"a/b;c=\"d;e=\\\"f\\\\\\g\"; h=i", "a/b|c=d;e=\"f\\g|h=i"},
           {"a/b;c=\"\t \xE9\"", "a/b|c=\t \xE9"},
           {"application/problem+json;a=1", "application/problem+json|a=1"},
           {"multipart/form-data; boundary=----WebKitFormBoundaryX", "multipart/form-data|boundary=----WebKitFormBoundaryX"},
           {"a/b;filename*=UTF-8''x", "a/b|filename*=UTF-8''x"},
           {"", "no"},
           {"/", "no"},
           {"text", "no"},
           {"text/", "no"},
           {"/html", "no"},
           {"text/html/x", "no"},
           {"text /html", "no"},
           {"text/ html", "no"},
           {" text/html", "no"},
           {"text/html charset=utf-8", "no"},
           {"text/html, text/plain", "no"},
           {"text/html;charset", "no"},
           {"text/html;charset=", "no"},
           {"text/html;=utf-8", "no"},
           {"text/html;charset =utf-8", "no"},
           {"text/html;charset= utf-8", "no"},
           {"text/html;charset=utf-8 x", "no"},
           {"text/html;charset=ut@f", "no"},
           {"text/html;charset=\"utf-8", "no"},
           {"text/html;charset=\"utf-8\\", "no"},
           {"text/html;charset=\"utf-8\\\"", "no"},
           {"text/html;charset=\"utf-8\"x", "no"},
           {"text/html;charset='utf 8'", "no"},
           {"a/b;c=\"d\re\"", "no"},
           {"a/b;c=\"d\\\ne\"", "no"},
           {{"a/b;c=\"\0\"", 9}, "no"},
           {"a/b;boundary=x;BOUNDARY=y", "no"},
           {"a/b;boundary=x;boundary=x", "no"},
       }) {
    CAPTURE(c.value);
    CHECK(read(c.value) == c.read);
  }
}

TEST_CASE("media_type: what is asked of one") {
  const auto type = parse_media_type("Multipart/Form-Data; Charset=\"U\\TF-8\"; boundary=aB");
  REQUIRE(type);
  CHECK(type->is("multipart/form-data"));
  CHECK(!type->is("multipart/form-dat"));
  CHECK(type->find("charset")->equals_lower("utf-8"));
  CHECK(!type->find("charset")->equals_lower("utf-8 "));
  CHECK(!type->find("charset")->equals_lower("utf-"));
  CHECK(type->find("boundary")->equals("aB"));
  CHECK(!type->find("boundary")->equals("ab"));
  CHECK(!type->find("bound"));
  CHECK(parse_media_type("application/vnd.api+JSON")->is_json());
  CHECK(parse_media_type("Application/Json;charset=utf-8")->is_json());
  CHECK(!parse_media_type("application/jsonp")->is_json());
  CHECK(!parse_media_type("application/ld+json+xml")->is_json());
  CHECK(!parse_media_type("a+json/b")->is_json());
  CHECK(parse_media_type("image/svg+xml")->suffix() == "xml");
  CHECK(parse_media_type("a+b/c")->suffix() == "");
}

TEST_CASE("media_type: sixteen parameters, not seventeen") {
  CHECK(read(numbered(16)).ends_with("|p15=v"));
  CHECK(read(numbered(17)) == "no");
  ParameterScanner broken(";a=b;c");
  TypeParameter p;
  CHECK(broken.next(p) == ParameterStep::parameter);
  CHECK(broken.next(p) == ParameterStep::malformed);
  CHECK(broken.next(p) == ParameterStep::malformed);
  CHECK(!find_parameter(";a=b;c", "c"));
}

TEST_CASE("file_types: by extension, in any case, and by path") {
  struct Case {
    std::string_view extension, type;
  };
  for (const Case& c : {
           // Those that Response::type knows by itself
           Case{"html", "text/html; charset=utf-8"}, {"text", "text/plain; charset=utf-8"}, {"json", "application/json"},
           {"css", "text/css; charset=utf-8"}, {"js", "text/javascript; charset=utf-8"}, {"svg", "image/svg+xml"},
           {"png", "image/png"}, {"bin", "application/octet-stream"},
           {"PNG", "image/png"}, {"HtMl", "text/html; charset=utf-8"}, {"3gp", "video/3gpp"}, {"7z", "application/x-7z-compressed"},
           {"zst", "application/zstd"}, {"webmanifest", "application/manifest+json"}, {"woff2", "font/woff2"},
           {"wasm", "application/wasm"}, {"pdf", "application/pdf"},
           {"", ""}, {".png", ""}, {"pn", ""}, {"pngx", ""}, {"0", ""}, {"zzz", ""}, {"webmanifestx", ""}, {"\xC3\xA9", ""},
           {{"png\0", 4}, ""},
       }) {
    CAPTURE(c.extension);
    CHECK(type_of_extension(c.extension) == c.type);
  }
  CHECK(type_of_file("report.PDF") == "application/pdf");
  CHECK(type_of_file("/a.b/site.tar.gz") == "application/gzip");
  CHECK(type_of_file(".json") == "application/json");
  CHECK(type_of_file("/a.txt/json") == "");
  CHECK(type_of_file("json") == "");
  CHECK(type_of_file("a.") == "");
  CHECK(type_of_file("") == "");
  CHECK(type_of_file("a.json/") == "");
}
