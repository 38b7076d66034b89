// Content-Disposition: names of files written so that nothing can be put behind them, and names of parts read as browsers
// and others send them.
#include "proto/content_disposition.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

using namespace martlet::proto;
using martlet::test::Guarded;

namespace {

std::string written(std::string_view file_name, Disposition disposition = Disposition::attachment) {
  const Guarded name(file_name);
  const Guarded room(std::string(kContentDispositionBytes, '#'));
  auto* out = reinterpret_cast<char*>(room.data());
  const size_t size = encode_content_disposition(disposition, martlet::base::as_text(name.span()), out);
  REQUIRE(size <= kContentDispositionBytes);
  const std::string text(out, size);
  CHECK(text.find_first_not_of(" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") ==
        text.npos);
  return text;
}

template <typename Decode>
std::string decoded(const ContentDisposition& from, size_t bytes, Decode decode) {
  const Guarded room(std::string(bytes, '#'));
  auto* out = reinterpret_cast<char*>(room.data());
  const size_t size = decode(from, out);
  REQUIRE(size <= bytes);
  return {out, size};
}

// type|name|file name, with "-" for what is not there, or "no".
std::string read(std::string_view value) {
  const Guarded guarded(value);
  const auto found = parse_content_disposition(martlet::base::as_text(guarded.span()));
  if (!found) return "no";
  return std::string(found->type) + "|" +
         (found->name ? decoded(*found, found->name_room(), decode_field_name) : "-") + "|" +
         (found->is_file() ? decoded(*found, found->file_name_room(), decode_file_name) : "-");
}

std::string read_back(std::string_view file_name) {
  const std::string all = read(written(file_name));
  return all.starts_with("attachment|-|") ? all.substr(13) : "no";
}

std::string repeated(size_t times, std::string_view text) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += text;
  return all;
}

}  // namespace

TEST_CASE("content_disposition: written") {
  CHECK(written("report.pdf") == "attachment; filename=\"report.pdf\"");
  CHECK(written("report.pdf", Disposition::inline_content) == "inline; filename=\"report.pdf\"");
  CHECK(written("") == "attachment");
  CHECK(written("", Disposition::inline_content) == "inline");
  CHECK(written("a b;c=d,'e'.txt") == "attachment; filename=\"a b;c=d,'e'.txt\"");
  CHECK(written("na\xC3\xAFve \xE2\x82\xAC plan.pdf") ==
        "attachment; filename=\"na_ve _ plan.pdf\"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC%20plan.pdf");
  CHECK(written("\xF0\x9D\x84\x9E.mid") == "attachment; filename=\"_.mid\"; filename*=UTF-8''%F0%9D%84%9E.mid");
  CHECK(written("the \"plans\".pdf") ==
        "attachment; filename=\"the \\\"plans\\\".pdf\"; filename*=UTF-8''the%20%22plans%22.pdf");
  CHECK(written("100%25.txt") == "attachment; filename=\"100%25.txt\"; filename*=UTF-8''100%2525.txt");
  CHECK(written("100%.txt") == "attachment; filename=\"100%.txt\"");
  CHECK(written("(*'%)\xC3\xA9") == "attachment; filename=\"(*'%)_\"; filename*=UTF-8''%28%2A%27%25%29%C3%A9");
}

TEST_CASE("content_disposition: no path parts") {
  struct Case {
    std::string_view path, base;
  };
  for (const Case& c : {
           Case{"/var/files/a.txt", "a.txt"}, {"../../etc/passwd", "passwd"}, {"C:\\dir\\a.txt", "a.txt"}, {"a/b\\c", "c"},
           {"a\\b/c", "c"}, {"dir/", "dir"}, {"dir\\//", "dir"}, {"/", ""}, {"\\", ""}, {"//\\", ""}, {"", ""}, {".", ""},
           {"..", ""}, {"a/..", ""}, {"a/../", ""}, {"...", "..."}, {".a", ".a"}, {"a", "a"}, {"./a", "a"},
       }) {
    CAPTURE(c.path);
    CHECK(file_base_name(c.path) == c.base);
    CHECK(written(c.path) == (c.base.empty() ? "attachment" : "attachment; filename=\"" + std::string(c.base) + "\""));
  }
}

TEST_CASE("content_disposition: ends of lines and what is no UTF-8 cannot be written") {
  CHECK(written("a\r\nSet-Cookie: b=c") == "attachment; filename=\"a__Set-Cookie: b=c\"");
  CHECK(written(std::string_view("a\0b\x7F\x1F", 5)) == "attachment; filename=\"a_b__\"");
  CHECK(written("a\xC2\x85z") == "attachment; filename=\"a_z\"");
  CHECK(written("a\xC2\xA0z") == "attachment; filename=\"a_z\"; filename*=UTF-8''a%C2%A0z");
  for (const std::string_view bad : {"\xFF", "\x80", "\xC0", "\xC1\x81", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5"}) {
    CAPTURE(bad);
    std::string value = written("a" + std::string(bad));
    CHECK(value.starts_with("attachment; filename=\"a_"));
    CHECK(value.find("filename*=UTF-8''a%EF%BF%BD") != value.npos);
  }
  for (int c = 0; c < 256; c++) {
    const std::string one(1, static_cast<char>(c));
    const bool separates = c == '/' || c == '\\';
    const std::string wanted = c < 0x20 || c == 0x7F ? "a_z" : c >= 0x80 ? "a\xEF\xBF\xBDz" : separates ? "z" : "a" + one + "z";
    CHECK(read_back("a" + one + "z") == wanted);
  }
}

TEST_CASE("content_disposition: 255 bytes, cut before the extension and between characters") {
  const std::string letters(251, 'x');
  CHECK(read_back(letters + ".pdf") == letters + ".pdf");
  CHECK(read_back(letters + "y.pdf") == letters + ".pdf");
  CHECK(read_back(letters + "yyyy") == letters + "yyyy");
  CHECK(read_back(letters + "yyyyy") == letters + "yyyy");
  CHECK(read_back(repeated(85, "\xE2\x82\xAC")) == repeated(85, "\xE2\x82\xAC"));
  CHECK(read_back(repeated(86, "\xE2\x82\xAC")) == repeated(85, "\xE2\x82\xAC"));
  CHECK(read_back(repeated(86, "\xE2\x82\xAC") + ".txt") == repeated(83, "\xE2\x82\xAC") + ".txt");
  CHECK(read_back(std::string(300, '\xFF')) == repeated(85, "\xEF\xBF\xBD"));
  CHECK(written(std::string(255, '"')).size() == 42 + 5 * 255);  // the longest there is
  CHECK(written(std::string(100000, '"')).size() == kContentDispositionBytes);
  CHECK(read_back(letters + ".abcdefghijklmno") == std::string(239, 'x') + ".abcdefghijklmno");
  CHECK(read_back(letters + ".abcdefghijklmnop") == letters + ".abc");  // that is no extension
  CHECK(read_back("." + letters + "yyyyy") == "." + letters + "yyy");
}

TEST_CASE("content_disposition: names of parts as browsers and others send them") {
  struct Case {
    std::string_view value, read;
  };
  for (const Case& c : {
           Case{"form-data; name=\"field\"", "form-data|field|-"},
           {"form-data; name=\"file\"; filename=\"a b.txt\"", "form-data|file|a b.txt"},
           {"Form-Data;name=f;FileName=a.txt", "Form-Data|f|a.txt"},
           {"form-data; name=\"file\"; filename=\"\"", "form-data|file|"},
           {"form-data; name=\"\"", "form-data||-"},
           {"form-data", "form-data|-|-"},
           {"form-data; name=\"a%22b%0D%0Ac%41\"; filename=\"x%22y.txt\"", "form-data|a\"b%0D%0Ac%41|x\"y.txt"},
           {"form-data; name=\"a\\\"b\\\\c\\d\"", "form-data|a\"b\\c\\d|-"},
           {"form-data; name=\"f\"; filename=\"C:\\fakepath\\a.txt\"", "form-data|f|a.txt"},
           {"form-data; name=\"f\"; filename=\"../../a.txt\"", "form-data|f|a.txt"},
           {"form-data; name=\"f\"; filename=\"..\"", "form-data|f|"},
           {"form-data; name=\"f\"; filename=\"a\tb.txt\"", "form-data|f|a_b.txt"},
           {"form-data; name=\"caf\xC3\xA9\"; filename=\"\xE9.txt\"", "form-data|caf\xC3\xA9|\xE9.txt"},
           {"form-data; name=\"f\"; filename=\"a.txt\"; filename*=UTF-8''%E2%82%AC.txt", "form-data|f|\xE2\x82\xAC.txt"},
           {"form-data; name=\"f\"; filename*=utf-8'en-GB'b.txt; filename=\"a.txt\"", "form-data|f|b.txt"},
           {"attachment; filename=\"a%22b\"", "attachment|-|a%22b"},
           {"attachment; filename*=iso-8859-1''%A3%20rates%FF", "attachment|-|\xC2\xA3 rates\xC3\xBF"},
           {"attachment; filename*=UTF-8''a%2Fb%5Cc%00d%0D", "attachment|-|c_d_"},
           {"attachment; filename*=UTF-8''it's*", "attachment|-|it's*"},
           {"attachment; filename*=UTF-8''; filename=a", "attachment|-|"},
           // filename* is not good: filename counts
           {"attachment; filename*=UTF-8''%FF; filename=a", "attachment|-|a"},
           {"attachment; filename*=UTF-8''%E2%82; filename=a", "attachment|-|a"},
           {"attachment; filename*=UTF-8''%4; filename=a", "attachment|-|a"},
           {"attachment; filename*=UTF-8''%; filename=a", "attachment|-|a"},
           {"attachment; filename*=UTF-8'x; filename=a", "attachment|-|a"},
           {"attachment; filename*=x; filename=a", "attachment|-|a"},
           {"attachment; filename*=UTF-16''x; filename=a", "attachment|-|a"},
           {"attachment; filename*=\"UTF-8''x\"; filename=a", "attachment|-|a"},
           {"attachment; filename*=x", "attachment|-|"},
           {"inline;", "inline|-|-"},
           {"", "no"},
           {"; name=a", "no"},
           {"name=a", "no"},
           {"form-data name=a", "no"},
           {"form-data; name", "no"},
           {"form-data; name=", "no"},
           {"form-data; name=a b", "no"},
           {"form-data; name=\"a", "no"},
           {"form-data; name=\"a\\\"", "no"},
           {"form-data; name=\"a\"b", "no"},
           {"form-data; name=\"a\"; name=\"b\"", "no"},
           {"form-data; name=\"a\"; filename=\"x.txt\"; FILENAME=\"x.php\"", "no"},
           {"form-data; name=\"a\rb\"", "no"},
           {"form-data; name=\"a\nb\"", "no"},
           {{"form-data; name=\"a\0b\"", 21}, "no"},
       }) {
    CAPTURE(c.value);
    CHECK(read(c.value) == c.read);
  }
}
