// Negotiation as tables: the lines of a field, separated by '\n', the offers, and the one that is chosen.
#include "proto/accept.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/field_views.h"
#include "support/guarded.h"
#include "support/heads.h"

namespace martlet {

namespace {

using proto::Views;

struct Row {
  std::string field;  // "(none)": no line
  std::vector<std::string_view> offers;
  std::string chosen;  // "-": none
};

using Negotiate = std::optional<size_t> (*)(Views, Views) noexcept;

void check(Negotiate negotiate, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    std::vector<std::unique_ptr<test::Guarded>> guarded;
    std::vector<std::string_view> lines;
    for (size_t at = 0; row.field != "(none)" && at <= row.field.size();) {
      const size_t end = std::min(row.field.find('\n', at), row.field.size());
      guarded.push_back(std::make_unique<test::Guarded>(std::string_view(row.field).substr(at, end - at)));
      lines.push_back(base::as_text(guarded.back()->span()));
      at = end + 1;
    }
    const std::optional<size_t> chosen = negotiate(lines, row.offers);
    CAPTURE(row.field);
    REQUIRE(chosen.value_or(0) < std::max<size_t>(row.offers.size(), 1));
    CHECK((chosen ? std::string(row.offers[*chosen]) : "-") == row.chosen);
  }
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += text;
  return all;
}

const std::string kBrowser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

// Which of the types it is, or "-".
std::string is(std::string_view content_type, std::vector<std::string_view> types) {
  const test::Guarded guarded(content_type);
  const auto found = proto::is_media_type(base::as_text(guarded.span()), types);
  return found ? std::string(types[*found]) : "-";
}

}  // namespace

TEST_CASE("accept: media types") {
  check(proto::accept_media_type, {
      {"(none)", {"json", "html"}, "json"},
      {"(none)", {"nonsense"}, "nonsense"},
      {"(none)", {}, "-"},
      {"text/html", {}, "-"},
      {"text/html", {"json", "html"}, "html"},
      {"text/html", {"json", "text/html"}, "text/html"},
      {"text/html", {"json"}, "-"},
      {"TEXT/HTML", {"json", "Html"}, "Html"},
      {"*/*", {"json", "html"}, "json"},
      {"text/*", {"json", "html"}, "html"},
      {"text/*", {"text/*"}, "text/*"},
      {"text", {"text"}, "text"},  // malformed: as no field
      {"*/*", {"nonsense", "html"}, "html"},
      {"*/*", {"nonsense"}, "-"},
      {"*/*", {"", "html"}, "html"},
      {kBrowser, {"json", "html"}, "html"},
      {kBrowser, {"json", "xml"}, "xml"},
      {kBrowser, {"json", "text"}, "json"},
      {"application/json, text/plain, */*", {"html", "json"}, "json"},  // axios
      {"*/*", {"html", "json"}, "html"},                                // curl
      // q
      {"text/html;q=0.5, application/json", {"html", "json"}, "json"},
      {"text/html;q=0.5, application/json;q=0.50", {"html", "json"}, "html"},
      {"text/html;q=0.501, application/json;q=0.502", {"html", "json"}, "json"},
      {"text/html;q=0", {"html"}, "-"},
      {"text/html;q=0.000, */*", {"html", "json"}, "json"},
      {"*/*, text/html;q=0", {"html", "json"}, "json"},
      {"text/*;q=0, text/plain", {"html", "text"}, "text"},
      {"*/*;q=0", {"html", "json"}, "-"},
      {"*/*;q=0, text/html;q=0.001", {"json", "html"}, "html"},
      {"text/html;Q=0.5, application/json", {"html", "json"}, "json"},
      {"text/html ;\tq=0.5 , application/json", {"html", "json"}, "json"},
      // The more specific element decides about an offer, and between offers that are wanted equally.
      {"text/*, text/plain;q=0.2, */*;q=0.5", {"text", "json", "html"}, "html"},
      {"text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5", {"text/html", "text/html;level=1"}, "text/html;level=1"},
      {"text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5", {"text/html;level=2", "image/jpeg"}, "image/jpeg"},
      {"text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5", {"text/html;level=3", "image/jpeg"}, "text/html;level=3"},
      {"*/*, application/json", {"html", "json"}, "json"},
      {"*/*, text/*", {"json", "html"}, "html"},
      {"text/html;q=0.2, text/html;q=0.9, application/json;q=0.5", {"json", "html"}, "html"},
      // The order of the server.
      {"text/html, application/json", {"json", "html"}, "json"},
      {"text/html, application/json", {"html", "json"}, "html"},
      // Several lines.
      {"text/html;q=0.5\napplication/json", {"html", "json"}, "json"},
      {"\n\ntext/html", {"json", "html"}, "html"},
      {"text/html;q=0.\n5", {"json", "html"}, "-"},
  });
}

TEST_CASE("accept: parameters of media types") {
  check(proto::accept_media_type, {
      {"application/json;charset=utf-8", {"html", "json"}, "json"},
      {"application/json;charset=utf-8", {"application/json;charset=UTF-8"}, "application/json;charset=UTF-8"},
      {"application/json;charset=latin1", {"application/json; charset=utf-8"}, "-"},
      {"application/json;version=2", {"json"}, "-"},
      {"application/json;version=2", {"application/json;version=1", "application/json;version=2"}, "application/json;version=2"},
      {"application/json;version=\"2\"", {"application/json;version=2"}, "application/json;version=2"},
      {"application/json;version=2", {"application/json;version=\"\\2\""}, "application/json;version=\"\\2\""},
      {"application/json;version=\"2\\\"\"", {"application/json;version=2"}, "-"},
      {"application/json;version=22", {"application/json;version=2"}, "-"},
      {"a/b;x=\",\";q=0.5, a/c;q=0.4", {"a/c", "a/b;x=\",\""}, "a/b;x=\",\""},
      {"a/b;x=\"a/c\\\", a/c\", a/d", {"a/c", "a/d"}, "a/d"},
      {"a/b;;;q=0.5;, a/c", {"a/b", "a/c"}, "a/c"},
      {"a/b;q=0.5;ext=1, a/c;q=0.6", {"a/b;ext=1", "a/c"}, "a/c"},
      {"text/*;level=1", {"text/html", "text/plain;level=1"}, "text/plain;level=1"},
  });
}

TEST_CASE("accept: malformed elements are passed over") {
  for (const std::string bad : {"text", "text/", "/html", "/", "text/html/x", "te xt/html", "*/html", "text/html;q", "text/html;q=", "text/html;q=x", "text/html;q=2",
                                "text/html;q=1.001", "text/html;q=00", "text/html;q=-0", "text/html;q=.", "text/html;q=0.5.5", "text/html;q=0x",
                                "text/html;q=\"0.5\"", "text/html;q=1;q=1", "text/html;level", "text/html;level=", "text/html;=1", "text/html;level =1", "text/html;level= 1",
                                "text/html;x=\"1\"2", "\"text/html\"", "text/html q=1", "text\\/html", ";q=1", "=", "\xFF/\xFF"}) {
    CAPTURE(bad);
    check(proto::accept_media_type, {
        {bad + ", application/json;q=0.1", {"html", "json"}, "json"},
        {"application/json;q=0.1, " + bad, {"html", "json"}, "json"},
        {bad, {"html", "json"}, "html"},  // as no field
    });
  }
  check(proto::accept_media_type, {
      {"", {"html", "json"}, "html"},
      {" , ,\t,", {"html", "json"}, "html"},
      {",,application/json,,", {"html", "json"}, "json"},
      // A string that does not end takes the line, not the next one.
      {"a/b;x=\", application/json\ntext/plain", {"json", "text"}, "text"},
  });
}

TEST_CASE("accept: weights of clients that do not read the grammar") {
  check(proto::accept_media_type, {
      {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", {"json", "html"}, "html"},  // Java
      {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", {"json", "text"}, "json"},
      {"text/html;q=0.8999999762, application/json;q=0.9", {"html", "json"}, "json"},
      {"text/html;q=0.00000001, application/json;q=0", {"json", "html"}, "html"},
      {"text/html;q=0.0000000000, application/json;q=0.1", {"html", "json"}, "json"},
      {"text/html;q=1., application/json;q=1.0000", {"html", "json"}, "html"},
      {"text/html;q=0., application/json;q=1.0000", {"html", "json"}, "json"},
  });
}

TEST_CASE("accept: as many elements as are looked at") {
  const std::string others = repeated("a/b,", proto::kMaxAcceptElements - 1);
  check(proto::accept_media_type, {
      {others + "text/html", {"json", "html"}, "html"},
      {others + "a/b,text/html", {"json", "html"}, "-"},
      {repeated("?,", proto::kMaxAcceptElements - 1) + "text/html", {"json", "html"}, "html"},
      {repeated("?,", proto::kMaxAcceptElements) + "text/html", {"json", "html"}, "json"},
      {repeated("a/b\n", proto::kMaxAcceptElements - 1) + "text/html", {"json", "html"}, "html"},
      {repeated(",", 10000) + "text/html", {"json", "html"}, "html"},  // empty ones are none
  });
}

TEST_CASE("accept: languages") {
  check(proto::accept_language, {
      {"(none)", {"en", "de"}, "en"},
      {"de", {"en", "de"}, "de"},
      {"DE", {"en", "de"}, "de"},
      {"fr", {"en", "de"}, "-"},
      {"*", {"en", "de"}, "en"},
      {"fr, *;q=0.1", {"en", "de"}, "en"},
      {"da, en-gb;q=0.8, en;q=0.7", {"en", "en-GB"}, "en-GB"},
      {"de-AT,de;q=0.9,en;q=0.8", {"en", "de"}, "de"},
      {"en", {"de", "en-US"}, "en-US"},          // begins with it
      {"en", {"eng", "english-x"}, "-"},         // and a '-'
      {"de-AT", {"en", "de"}, "de"},             // or is the beginning
      {"de-AT", {"de-CH", "d", "de-"}, "-"},
      {"zh-Hant-TW", {"zh", "zh-Hant"}, "zh-Hant"},
      {"zh;q=0.5, zh-Hant;q=0.8", {"zh-Hans", "zh-Hant-HK"}, "zh-Hant-HK"},
      {"en-US;q=0, *;q=0.5", {"en-US", "en"}, "en"},  // no word about "en"
      {"en;q=0, *", {"en-US", "de"}, "de"},           // one about all that begin with it
      {"en;q=0, en-US", {"en", "en-US"}, "en-US"},
      {"en-US, en;q=0.2, de;q=0.5", {"en", "de"}, "de"},  // what is named itself
      {"de-AT;q=0.3, de-CH;q=0.7, en;q=0.5", {"en", "de"}, "de"},
      {"en_US, de;q=0.5", {"en", "de"}, "de"},
      {"e n, de;q=0.5", {"en", "de"}, "de"},
      {"en;q=2, de;q=0.5", {"en", "de"}, "de"},
      {"", {"en", "de"}, "en"},
  });
}

TEST_CASE("accept: content codings") {
  check(proto::accept_encoding, {
      {"(none)", {"gzip", "identity"}, "identity"},
      {"(none)", {"gzip"}, "-"},
      {"", {"gzip", "identity"}, "identity"},
      {"", {"gzip"}, "-"},
      {"gzip", {}, "-"},
      {"gzip, deflate, br", {"br", "gzip", "identity"}, "br"},
      {"gzip, deflate, br", {"gzip", "br", "identity"}, "gzip"},
      {"gzip, deflate", {"br", "gzip"}, "gzip"},
      {"GZIP", {"gzip"}, "gzip"},
      {"x-gzip", {"gzip"}, "gzip"},
      {"x-compress;q=0.5", {"identity", "compress"}, "compress"},
      {"gzip", {"x-gzip"}, "x-gzip"},
      {"x-br", {"br"}, "-"},
      {"gzip;q=0.001", {"identity", "gzip"}, "gzip"},  // identity only when nothing that is asked for is there
      {"gzip;q=0", {"gzip", "identity"}, "identity"},
      {"gzip;q=0", {"gzip"}, "-"},
      {"br", {"gzip", "identity"}, "identity"},
      {"identity;q=0", {"identity"}, "-"},
      {"identity;q=0, *", {"identity", "gzip"}, "gzip"},
      {"*;q=0", {"identity", "gzip"}, "-"},
      {"*;q=0, identity;q=0.1", {"identity", "gzip"}, "identity"},
      {"*", {"gzip", "identity"}, "gzip"},
      {"*;q=0.5, gzip;q=0", {"gzip", "br"}, "br"},
      {"identity, gzip;q=0.5", {"gzip", "identity"}, "identity"},
      {"gz ip, deflate;q=3", {"gzip", "deflate", "identity"}, "identity"},
      {"gzip;level=9", {"gzip"}, "gzip"},
  });
}

TEST_CASE("accept: charsets") {
  check(proto::accept_charset, {
      {"(none)", {"utf-8", "iso-8859-1"}, "utf-8"},
      {"iso-8859-5, unicode-1-1;q=0.8", {"utf-8"}, "-"},
      {"iso-8859-1;q=0.5, UTF-8", {"iso-8859-1", "utf-8"}, "utf-8"},
      {"*;q=0.1, utf-8;q=0", {"utf-8", "utf-16"}, "utf-16"},
      {"*", {"utf-8"}, "utf-8"},
  });
}

TEST_CASE("accept: what a Content-Type is") {
  CHECK(is("application/json", {"json"}) == "json");
  CHECK(is("application/json; charset=utf-8", {"html", "json"}) == "json");
  CHECK(is("Application/JSON ;charset=utf-8", {"json"}) == "json");
  CHECK(is("application/json;;;what=\"ever", {"json"}) == "json");
  CHECK(is("application/json", {"application/json", "json"}) == "application/json");
  CHECK(is("application/json", {"html", "text/*"}) == "-");
  CHECK(is("application/vnd.api+json", {"json"}) == "json");
  CHECK(is("application/vnd.api+json", {"application/json"}) == "-");
  CHECK(is("application/vnd.api+json", {"+json"}) == "+json");
  CHECK(is("application/vnd.api+json", {"+JSON"}) == "+JSON");
  CHECK(is("application/vnd.api+json", {"application/*+json"}) == "application/*+json");
  CHECK(is("application/vnd.api+json", {"*/*+json"}) == "*/*+json");
  CHECK(is("image/vnd.api+json", {"application/*+json"}) == "-");
  CHECK(is("application/vnd.api+jsonx", {"+json", "json"}) == "-");
  CHECK(is("application/+json", {"+json", "json"}) == "-");
  CHECK(is("application/json", {"+json"}) == "-");
  CHECK(is("application/xml", {"xml"}) == "xml");
  CHECK(is("text/xml", {"xml"}) == "xml");
  CHECK(is("image/svg+xml", {"xml"}) == "xml");
  CHECK(is("text/html", {"xml"}) == "-");
  CHECK(is("text/html", {"json", "text/*"}) == "text/*");
  CHECK(is("text/html", {"*/*"}) == "*/*");
  CHECK(is("text/html", {"*/html"}) == "*/html");
  CHECK(is("text/html", {"*"}) == "-");
  CHECK(is("application/x-www-form-urlencoded", {"urlencoded"}) == "urlencoded");
  CHECK(is("application/x-www-form-urlencoded", {"form"}) == "form");
  CHECK(is("multipart/form-data; boundary=x", {"urlencoded", "multipart"}) == "multipart");
  CHECK(is("multipart/form-data; boundary=x", {"multipart/form-data"}) == "multipart/form-data");
  CHECK(is("multipart/form-data; boundary=x", {"multipart/*"}) == "multipart/*");
  CHECK(is("text/html", {}) == "-");
  CHECK(is("text/html", {"", "nonsense", "a/b/c", "/", "+"}) == "-");
  for (const char* bad : {"", "json", "text/", "/html", "text/html/x", "text /html", "text/html, text/plain", "te\"xt/html", ";text/html"}) {
    CAPTURE(std::string(bad));
    CHECK(is(bad, {"*/*", "json", "html", "text/*"}) == "-");
  }
}

TEST_CASE("field_views: the lines of one field, the first or the last of many") {
  std::string fields;
  for (int i = 0; i < 20; i++) fields += (i % 2 ? "X-Own: o" : "ACCEPT: a") + std::to_string(i) + "\r\n";
  for (int i = 20; i < 40; i++) fields += "accept: a" + std::to_string(i) + "\r\n";
  const test::ParsedHead p = test::parse_head("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "X-Owm: 1\r\nX-OWN:\r\n\r\n");
  REQUIRE(p.done());
  const auto text = [](const proto::FieldViews& views) {
    std::string all;
    for (const std::string_view line : views.lines()) all += std::string(line) + " ";
    return all;
  };
  CHECK(text(proto::FieldViews::first(p.head, p.base(), "x-own")) == "o1 o3 o5 o7 o9 o11 o13 o15 o17 o19  ");
  CHECK(text(proto::FieldViews::last(p.head, p.base(), "x-own")) == "o1 o3 o5 o7 o9 o11 o13 o15 o17 o19  ");
  CHECK(text(proto::FieldViews::first(p.head, p.base(), "accept")) == "a0 a2 a4 a6 a8 a10 a12 a14 a16 a18 a20 a21 a22 a23 a24 a25 ");
  CHECK(text(proto::FieldViews::last(p.head, p.base(), "accept")) == "a24 a25 a26 a27 a28 a29 a30 a31 a32 a33 a34 a35 a36 a37 a38 a39 ");
  CHECK(text(proto::FieldViews::first(p.head, p.base(), "accept-language")).empty());
  CHECK(text(proto::FieldViews::last(p.head, p.base(), "x-none")).empty());
}

}  // namespace martlet
