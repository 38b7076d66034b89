// Texts of events taken apart: what the quick look takes is what the whole reading takes, at the end of a page and cut at every
// byte; what is none; names, acks and their limits.
#include "json/event_text.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "support/guarded.h"

using namespace martlet;
using namespace martlet::json;
using namespace std::string_literals;

namespace {

// What it is, in a line: kind, name, arguments, ack.
std::string told(const EventText& e) {
  if (e.kind == EventKind::none) return "none";
  std::string line = e.kind == EventKind::event ? "event " : "answer ";
  line.append(e.name).append("|").append(e.args).append("|");
  return e.ack == EventText::kNoAck ? line : line.append(std::to_string(e.ack));
}

std::string parsed(std::string_view text, EventForm form = EventForm::event_args) {
  EventText e;
  parse_event(text, form, e);
  return told(e);
}

std::string glanced(std::string_view text, EventForm form = EventForm::event_args) {
  EventText e;
  return glance_at_event(text, form, e) ? told(e) : "no";
}

struct Row {
  std::string text;
  std::string told;
  bool quick = false;  // the quick look takes it, too
};

const Row kRows[] = {
    {R"({"event":"save","args":[1,"a"]})", R"(event save|[1,"a"]|)", true},
    {R"({"event":"save","args":[],"ack":7})", "event save|[]|7", true},
    {R"({"event":"save","args":[{"ack":7}]})", R"(event save|[{"ack":7}]|)", true},
    {R"({"event":"a","args":["],\"ack\":7"]})", R"(event a|["],\"ack\":7"]|)", true},
    {R"({"event":"a","args":[],"ack":0})", "event a|[]|0", true},
    {R"({"event":"a","args":[],"ack":999999999999999})", "event a|[]|999999999999999", true},
    {R"({"event":"a","args":[],"ack":9007199254740991})", "event a|[]|9007199254740991"},
    {R"({"event":"a","args":[],"ack":9007199254740992})", "none"},
    {R"({"event":"a","args":[],"ack":-1})", "none"},
    {R"({"event":"a","args":[],"ack":1.5})", "none"},
    {R"({"event":"a","args":[],"ack":"7"})", "none"},
    {R"({"event":"a","args":[],"ack":1e2})", "event a|[]|100"},
    {R"({"event":"a"})", "event a||"},
    {R"({"event":"a","ack":7})", "event a||7"},
    {R"({"ack":7,"args":[1],"event":"a"})", "event a|[1]|7"},
    {R"( { "event" : "a" , "args" : [ 1 ] , "room" : "x", "offset": 5 } )", "event a|[ 1 ] |"},
    {R"({"\u0065vent":"\u0061"})", "event a||"},
    {R"({"event":"a\n\"","args":[]})", "event a\n\"|[]|"},
    {"{\"event\":\"z\xc3\xa9\",\"args\":[]}", "event z\xc3\xa9|[]|", true},
    {R"({"ack":7,"args":[1]})", "answer |[1]|7"},
    {R"({"ack":7})", "answer ||7"},
    {R"({"event":"a","event":"b","args":[1],"args":[2]})", "event b|[2]|"},
    {R"({"event":"","args":[]})", "none"},
    {R"({"event":7,"args":[]})", "none"},
    {R"({"event":null})", "none"},
    {R"({"event":"a","args":{}})", "none"},
    {R"({"event":"a","args":null})", "none"},
    {R"({"args":[]})", "none"},
    {R"({})", "none"},
    {R"(["event"])", "none"},
    {R"("event")", "none"},
    {"", "none"},
    {" ", "none"},
    {"hello", "none"},
    {R"({"event":"a","args":[]}x)", "none"},
    {R"({"event":"a","args":[})", "none"},
    {R"({"event":"a","args":[)", "none"},
    {R"({"event":"a","args":[1}})", "none"},
    {R"({"event":"a","args":[],})", "none"},
};

}  // namespace

TEST_CASE("event text: what a text is") {
  for (const Row& row : kRows) {
    CAPTURE(row.text);
    CHECK(parsed(row.text) == row.told);
    if (row.quick) CHECK(glanced(row.text) == row.told);
  }
}

TEST_CASE("event text: what the quick look takes and is no good JSON, or not what it seems, the whole reading knows") {
  CHECK(glanced(R"({"event":"a","args":[1,]})") == "event a|[1,]|");
  CHECK(parsed(R"({"event":"a","args":[1,]})") == "none");
  CHECK(glanced(R"({"event":"a","args":[1],"event":"b","args":[2]})") == R"(event a|[1],"event":"b","args":[2]|)");
  CHECK(glanced("{\"event\":\"a\",\"args\":[\"\\x\"]}") == "event a|[\"\\x\"]|");
}

TEST_CASE("event text: what the quick look does not take") {
  for (const char* text : {"", "{", R"({"event":")", R"({"event":"a)", R"({"event":"a")", R"({"event":"a","args":)", R"({"event":"a","args":})", R"({"event":"a","args":[)",
                           R"({"event":"","args":[]})", R"({"event":"\u0061","args":[]})", R"({"event":"a","args":[1] })", R"({"event":"a","args":[],"ack":07})", R"({"event":"a","args":[],"ack":})"}) {
    CAPTURE(text);
    CHECK(glanced(text) == "no");
  }
  CHECK(glanced("{\"event\":\"a\x01\",\"args\":[]}") == "no");
}

TEST_CASE("event text: cut at every byte, at the end of a page") {
  const std::string text = R"({"event":"save","args":[1,{"a":"\u00e9"}],"ack":70})";
  for (size_t size = 0; size <= text.size(); size++) {
    const test::Guarded cut(std::string_view(text).substr(0, size));
    CHECK((parsed(base::as_text(cut.span())) == "none") == (size < text.size()));
    CHECK((glanced(base::as_text(cut.span())) == "no") == (size < text.size()));
    parsed(base::as_text(cut.span()), EventForm::type_data);
    glanced(base::as_text(cut.span()), EventForm::type_data);
  }
}

TEST_CASE("event text: names of 128 bytes, and of 129") {
  for (const size_t size : {size_t{1}, size_t{128}}) {
    const std::string name(size, 'n');
    std::string text = R"({"event":")";
    text.append(name).append(R"(","args":[]})");
    std::string wanted = "event ";
    wanted.append(name).append("|[]|");
    CHECK(glanced(text) == wanted);
    CHECK(parsed(text) == wanted);
  }
  std::string text = R"({"event":")";
  text.append(129, 'n').append(R"(","args":[]})");
  CHECK(glanced(text) == "no");
  CHECK(parsed(text) == "none");
}

TEST_CASE("event text: type and data") {
  const auto both = [](std::string_view text, std::string_view wanted) {
    CAPTURE(text);
    CHECK(parsed(text, EventForm::type_data) == wanted);
    CHECK(glanced(text, EventForm::type_data) == wanted);
  };
  both(R"({"type":"save","data":1})", "event save|1|");
  both(R"({"type":"save","data":{"ack":7}})", R"(event save|{"ack":7}|)");
  both(R"({"type":"save","data":{"ack":7},"ack":8})", R"(event save|{"ack":7}|8)");
  both(R"({"type":"save","data":[1,2],"ack":8})", "event save|[1,2]|8");
  CHECK(parsed(R"({"type":"save"})", EventForm::type_data) == "event save||");
  CHECK(parsed(R"({"ack":7,"data":"x"})", EventForm::type_data) == R"(answer |"x"|7)");
  CHECK(parsed(R"({"event":"a","args":[]})", EventForm::type_data) == "none");
  CHECK(parsed(R"({"type":"a","data":1})") == "none");
}

TEST_CASE("event text: data with a space before it is for the whole reading, which takes it without") {
  for (const char* text : {R"({"type":"a","data": 7})", "{\"type\":\"a\",\"data\":\t7}", "{\"type\":\"a\",\"data\":\n 7}"}) {
    CAPTURE(text);
    CHECK(glanced(text, EventForm::type_data) == "no");
    CHECK(parsed(text, EventForm::type_data) == "event a|7|");
  }
}

TEST_CASE("event text: as deep as JSON may be, and deeper") {
  for (const size_t depth : {size_t{62}, size_t{63}}) {
    std::string text = R"({"event":"a","args":[)";
    text.append(depth, '[').append(depth, ']').append("]}");
    CHECK((parsed(text) == "none") == (depth == 63));
  }
}

TEST_CASE("event text: arguments by number") {
  CHECK(argument_at("[1, \"a\" ,{\"b\":[2]}]", 0) == "1");
  CHECK(argument_at("[1,{\"b\":[2]}]", 1) == "{\"b\":[2]}");
  CHECK(argument_at("[1,{\"b\":[2]}]", 2) == "");
  CHECK(argument_at("[]", 0) == "");
  CHECK(argument_at("7", 0) == "");
  CHECK(count_arguments("[]") == 0);
  CHECK(count_arguments("[1,[2,3],\"x\"]") == 3);
}
