// Short texts and what the parser says of each: those that RFC 8259 has us accept, those that it has us refuse, and those that
// it leaves to us. A refused text has the place of the fault and its words. Texts are our own.
//
// A position after which the text is cut is the size of the text; it is written as kAtEnd.
#pragma once

#include <cstddef>
#include <string_view>

namespace martlet::test {

using namespace std::string_view_literals;

inline constexpr size_t kAtEnd = static_cast<size_t>(-1);

inline constexpr auto kNoValue = "a value is wanted here"sv;
inline constexpr auto kNoFirst = "a value or ']' is wanted here"sv;
inline constexpr auto kNoName = "a name in quotes is wanted here"sv;
inline constexpr auto kNoFirstName = "a name in quotes or '}' is wanted here"sv;
inline constexpr auto kNoColon = "a colon is wanted here"sv;
inline constexpr auto kNoComma = "a comma or ']' is wanted here"sv;
inline constexpr auto kNoMember = "a comma or '}' is wanted here"sv;
inline constexpr auto kCut = "the text ends too early"sv;
inline constexpr auto kNotUtf8 = "this is not UTF-8"sv;
inline constexpr auto kNoNumber = "this is no number"sv;
inline constexpr auto kTooLarge = "the number is too large for a double"sv;
inline constexpr auto kNoEscape = "there is no such escape"sv;
inline constexpr auto kNoDigits = "four hexadecimal digits are wanted here"sv;
inline constexpr auto kLoneHigh = "the first half of a surrogate pair stands alone"sv;
inline constexpr auto kLoneLow = "the second half of a surrogate pair stands alone"sv;
inline constexpr auto kControl = "a control character must be escaped in a string"sv;
inline constexpr auto kMore = "something follows the value"sv;
inline constexpr auto kTooDeep = "arrays and objects are nested too deep"sv;
inline constexpr auto kTwice = "the object has this name already"sv;
inline constexpr auto kTooLong = "the text is longer than allowed"sv;

struct GoodText {
  std::string_view text;
  std::string_view dump;
};
struct BadText {
  std::string_view text;
  size_t position;
  std::string_view what;
};

// What must be accepted -------------------------------------------------------------------------------------------------

inline constexpr GoodText kMustAccept[] = {
    // structure
    {"[]", "[]"}, {"{}", "{}"}, {"[[]]", "[[]]"}, {"[{}]", "[{}]"}, {"{\"\":{}}", "{\"\":{}}"}, {"[[],[]]", "[[],[]]"},
    {"[[[[[[[[]]]]]]]]", "[[[[[[[[]]]]]]]]"}, {"{\"a\":{\"b\":{\"c\":[{}]}}}", "{\"a\":{\"b\":{\"c\":[{}]}}}"},
    {"[1,2,3]", "[1,2,3]"}, {"[null,true,false]", "[null,true,false]"}, {"{\"a\":1}", "{\"a\":1}"},
    {"{\"a\":1,\"b\":[2],\"c\":{\"d\":3}}", "{\"a\":1,\"b\":[2],\"c\":{\"d\":3}}"}, {"[1,[2,[3,[4]],5],6]", "[1,[2,[3,[4]],5],6]"},
    {"[\"\",\"\",\"\"]", "[\"\",\"\",\"\"]"}, {"{\"z\":1,\"a\":2}", "{\"z\":1,\"a\":2}"}, {"[{\"a\":[]},{\"a\":[]}]", "[{\"a\":[]},{\"a\":[]}]"},
    {"{\"a\":{\"a\":1}}", "{\"a\":{\"a\":1}}"}, {"{\"a\":\"a\"}", "{\"a\":\"a\"}"}, {"[\"a\",{\"a\":\"a\"},\"a\"]", "[\"a\",{\"a\":\"a\"},\"a\"]"},
    // alone
    {"null", "null"}, {"true", "true"}, {"false", "false"}, {"0", "0"}, {"-1", "-1"}, {"1.5", "1.5"}, {"\"\"", "\"\""}, {"\"a\"", "\"a\""},
    // white space
    {" []", "[]"}, {"[] ", "[]"}, {"\t\n\r []", "[]"}, {"[]\r\n\t ", "[]"}, {"[ ]", "[]"}, {"{ }", "{}"}, {"[\n1\r,\t2 ]", "[1,2]"},
    {"{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1,\"b\":2}"}, {" 1 ", "1"}, {"\n\"a b\"\n", "\"a b\""}, {"[ [ ] , { } ]", "[[],{}]"}, {" true\n", "true"},
    {"[1 ]", "[1]"}, {"[1\n]", "[1]"}, {"[1\r]", "[1]"}, {"[1\t]", "[1]"}, {"                                                                      1", "1"},
    // strings
    {"\"/\"", "\"/\""}, {"\"'\"", "\"'\""}, {"\"\x7f\"", "\"\x7f\""}, {"\"[]{}:,\"", "\"[]{}:,\""}, {"\" \"", "\" \""}, {"\"null\"", "\"null\""},
    {"\"fourteen bytes\"", "\"fourteen bytes\""}, {"\"fifteen bytes..\"", "\"fifteen bytes..\""}, {"\"thirteen.....\"", "\"thirteen.....\""},
    {"\"eight...\"", "\"eight...\""}, {"\"seven..\"", "\"seven..\""}, {"\"// no comment\"", "\"// no comment\""}, {"\"/* nor this */\"", "\"/* nor this */\""},
    {"\"a text of sixty-four bytes or more goes by way of the vectors here\"", "\"a text of sixty-four bytes or more goes by way of the vectors here\""},
    // escapes
    {"\"\\\"\"", "\"\\\"\""}, {"\"\\\\\"", "\"\\\\\""}, {"\"\\/\"", "\"/\""}, {"\"\\b\"", "\"\\b\""}, {"\"\\f\"", "\"\\f\""}, {"\"\\n\"", "\"\\n\""},
    {"\"\\r\"", "\"\\r\""}, {"\"\\t\"", "\"\\t\""}, {"\"\\u0041\"", "\"A\""}, {"\"\\u00e9\"", "\"\xc3\xa9\""}, {"\"\\u00E9\"", "\"\xc3\xa9\""},
    {"\"\\u20aC\"", "\"\xe2\x82\xac\""}, {"\"\\u0000\"", "\"\\u0000\""}, {"\"\\u001f\"", "\"\\u001f\""}, {"\"\\u000a\"", "\"\\n\""}, {"\"\\u0022\"", "\"\\\"\""},
    {"\"\\u005c\"", "\"\\\\\""}, {"\"\\u005Cu0041\"", "\"\\\\u0041\""}, {"\"\\u007f\"", "\"\x7f\""}, {"\"\\u0080\"", "\"\xc2\x80\""}, {"\"\\u07ff\"", "\"\xdf\xbf\""},
    {"\"\\u0800\"", "\"\xe0\xa0\x80\""}, {"\"\\uffff\"", "\"\xef\xbf\xbf\""}, {"\"\\ufffe\"", "\"\xef\xbf\xbe\""}, {"\"\\uFEFF\"", "\"\xef\xbb\xbf\""},
    {"\"\\ud7ff\"", "\"\xed\x9f\xbf\""}, {"\"\\ue000\"", "\"\xee\x80\x80\""}, {"\"\\u2028\\u2029\"", "\"\xe2\x80\xa8\xe2\x80\xa9\""},
    {"\"\\\\n\"", "\"\\\\n\""}, {"\"\\\\\\n\"", "\"\\\\\\n\""}, {"\"\\\\u0041\"", "\"\\\\u0041\""}, {"\"a\\\"b\\\"c\"", "\"a\\\"b\\\"c\""}, {"\"\\\"\\\\\\\"\"", "\"\\\"\\\\\\\"\""},
    {"\"\\u0061\\u0062\\u0063\"", "\"abc\""}, {"{\"\\u0061\":1}", "{\"a\":1}"}, {"{\"\\\"\":1}", "{\"\\\"\":1}"}, {"[\"\\\\\",\"\\\\\"]", "[\"\\\\\",\"\\\\\"]"},
    {"\"\\u00fFg\"", "\"\xc3\xbfg\""}, {"\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\"", "\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\""},
    // surrogate pairs
    {"\"\\ud834\\udd1e\"", "\"\xf0\x9d\x84\x9e\""}, {"\"\\uD834\\uDD1E\"", "\"\xf0\x9d\x84\x9e\""}, {"\"\\ud800\\udc00\"", "\"\xf0\x90\x80\x80\""},
    {"\"\\udbff\\udfff\"", "\"\xf4\x8f\xbf\xbf\""}, {"\"\\ud83d\\ude00\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\""},
    {"\"a\\ud83d\\ude00b\"", "\"a\xf0\x9f\x98\x80" "b\""}, {"{\"\\ud83d\\ude00\":1}", "{\"\xf0\x9f\x98\x80\":1}"},
    // UTF-8
    {"\"\xc2\x80\"", "\"\xc2\x80\""}, {"\"\xdf\xbf\"", "\"\xdf\xbf\""}, {"\"\xe0\xa0\x80\"", "\"\xe0\xa0\x80\""}, {"\"\xed\x9f\xbf\"", "\"\xed\x9f\xbf\""},
    {"\"\xee\x80\x80\"", "\"\xee\x80\x80\""}, {"\"\xef\xbf\xbf\"", "\"\xef\xbf\xbf\""}, {"\"\xf0\x90\x80\x80\"", "\"\xf0\x90\x80\x80\""}, {"\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9d\x84\x9e\"", "\"za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9d\x84\x9e\""},
    {"{\"\xc3\xa9\":\"\xc3\xa9\"}", "{\"\xc3\xa9\":\"\xc3\xa9\"}"}, {"\"\xe2\x80\xa8\"", "\"\xe2\x80\xa8\""}, {"\"\xef\xbb\xbf\"", "\"\xef\xbb\xbf\""}, {"\"\xf0\xbf\xbf\xbe\"", "\"\xf0\xbf\xbf\xbe\""},
    // numbers
    {"[0]", "[0]"}, {"[-0.0]", "[-0.0]"}, {"[0.0]", "[0.0]"}, {"[1]", "[1]"}, {"[10]", "[10]"}, {"[-9]", "[-9]"}, {"[1.0]", "[1.0]"}, {"[1.25]", "[1.25]"}, {"[-0.5]", "[-0.5]"},
    {"[9223372036854775807]", "[9223372036854775807]"}, {"[-9223372036854775808]", "[-9223372036854775808]"}, {"[9223372036854775808]", "[9223372036854775808]"},
    {"[18446744073709551615]", "[18446744073709551615]"}, {"[12345678901234567]", "[12345678901234567]"}, {"[123456789012345678]", "[123456789012345678]"},
    {"[-123456789012345678]", "[-123456789012345678]"}, {"[1234567890123456789]", "[1234567890123456789]"}, {"[9007199254740993]", "[9007199254740993]"},
    {"[0.1]", "[0.1]"}, {"[123.456]", "[123.456]"}, {"[4.9E-324]", "[5e-324]"}, {"[1.7976931348623157e308]", "[1.7976931348623157e308]"}, {"[0.30000000000000004]", "[0.30000000000000004]"},
    {"[2.2250738585072014e-308]", "[2.2250738585072014e-308]"}, {"[1,-1,1.5,-1.5]", "[1,-1,1.5,-1.5]"},
};

// What must be refused --------------------------------------------------------------------------------------------------

inline constexpr BadText kMustRefuse[] = {
    // nothing, and cut
    {"", kAtEnd, kCut}, {" ", kAtEnd, kCut}, {"\n\n", kAtEnd, kCut}, {"[", kAtEnd, kCut}, {"{", kAtEnd, kCut}, {"[1", kAtEnd, kCut}, {"[1,", kAtEnd, kCut}, {"[[", kAtEnd, kCut},
    {"[[]", kAtEnd, kCut}, {"{\"a\"", kAtEnd, kCut}, {"{\"a\":", kAtEnd, kCut}, {"{\"a\":1", kAtEnd, kCut}, {"{\"a\":1,", kAtEnd, kCut}, {"{\"", kAtEnd, kCut}, {"{\"a", kAtEnd, kCut},
    {"\"", kAtEnd, kCut}, {"\"a", kAtEnd, kCut}, {"\"a\\", kAtEnd, kCut}, {"\"a\\\"", kAtEnd, kCut}, {"\"\\u", kAtEnd, kCut}, {"\"\\u0", kAtEnd, kCut}, {"\"\\u00", kAtEnd, kCut},
    {"\"\\u004", kAtEnd, kCut}, {"\"\\u0041", kAtEnd, kCut}, {"\"\\\\", kAtEnd, kCut}, {"t", kAtEnd, kCut}, {"tru", kAtEnd, kCut}, {"f", kAtEnd, kCut}, {"fals", kAtEnd, kCut},
    {"n", kAtEnd, kCut}, {"nul", kAtEnd, kCut}, {"[tr", kAtEnd, kCut}, {"[1,n", kAtEnd, kCut}, {"{\"a\":fa", kAtEnd, kCut}, {"-", kAtEnd, kCut}, {"[-", kAtEnd, kCut},
    {"1.", kAtEnd, kCut}, {"1e", kAtEnd, kCut}, {"1e+", kAtEnd, kCut}, {"1.5E-", kAtEnd, kCut}, {"[true", kAtEnd, kCut}, {"[1 ", kAtEnd, kCut}, {"[\"a\" ", kAtEnd, kCut},
    // brackets, commas, colons
    {"]", 0, kNoValue}, {"}", 0, kNoValue}, {",", 0, kNoValue}, {":", 0, kNoValue}, {"[,", 1, kNoFirst}, {"[,1]", 1, kNoFirst}, {"[1,]", 3, kNoValue}, {"[1,,2]", 3, kNoValue},
    {"[1 2]", 3, kNoComma}, {"[1:2]", 2, kNoComma}, {"[:1]", 1, kNoFirst}, {"[}", 1, kNoFirst}, {"[1}", 2, kNoComma}, {"[[1}", 3, kNoComma}, {"[\"a\" \"b\"]", 5, kNoComma},
    {"[\"a\"\"b\"]", 4, kNoComma}, {"[1\"a\"]", 2, kNoNumber}, {"[\"a\"1]", 4, kNoComma}, {"[true\"a\"]", 1, kNoFirst}, {"[[]1]", 3, kNoComma}, {"[][", 2, kMore}, {"[]]", 2, kMore}, {"{}}", 2, kMore},
    {"{]", 1, kNoFirstName}, {"{,", 1, kNoFirstName}, {"{:", 1, kNoFirstName}, {"{1:1}", 1, kNoFirstName}, {"{a:1}", 1, kNoFirstName}, {"{null:1}", 1, kNoFirstName}, {"{'a':1}", 1, kNoFirstName},
    {"{[]:1}", 1, kNoFirstName}, {"{{}:1}", 1, kNoFirstName}, {"{\"a\"}", 4, kNoColon}, {"{\"a\",1}", 4, kNoColon}, {"{\"a\" 1}", 5, kNoColon}, {"{\"a\"1}", 4, kNoColon}, {"{\"a\"::1}", 5, kNoValue},
    {"{\"a\":}", 5, kNoValue}, {"{\"a\":,}", 5, kNoValue}, {"{\"a\":1,}", 7, kNoName}, {"{\"a\":1,,}", 7, kNoName}, {"{\"a\":1 \"b\":2}", 7, kNoMember}, {"{\"a\":1;", 6, kNoNumber}, {"{\"a\":1]", 6, kNoMember},
    {"{\"a\":1,b:2}", 7, kNoName}, {"{\"a\":1,1}", 7, kNoName}, {"{\"a\":[1}}", 7, kNoComma}, {"{\"a\":]", 5, kNoValue}, {"[{]}", 2, kNoFirstName}, {"{\"a\":{\"b\"}}", 9, kNoColon}, {"[\"a\":1]", 4, kNoComma},
    {"{\"a\":\"b\":\"c\"}", 8, kNoMember}, {"{\"a\"=1}", 4, kNoColon}, {"[1;2]", 2, kNoNumber}, {"(1)", 0, kNoValue}, {"[(1)]", 1, kNoFirst}, {"<1>", 0, kNoValue}, {"[*]", 1, kNoFirst}, {"[1,*]", 3, kNoValue},
    // behind the value
    {"1 1", 2, kMore}, {"null null", 5, kMore}, {"[] []", 3, kMore}, {"{}{}", 2, kMore}, {"\"a\"\"b\"", 3, kMore}, {"\"a\"b", 3, kMore}, {"[]x", 2, kMore}, {"1,", 1, kMore}, {"1]", 1, kMore}, {"1:", 1, kMore},
    {"[],", 2, kMore}, {"{\"a\":1}#", 7, kMore}, {"[]//", 2, kMore}, {"[]\\", 2, kMore}, {"true,", 4, kMore}, {"\"a\" ,", 4, kMore}, {"1 \"", 2, kMore}, {"[]\x00"sv, 2, kMore}, {"1 \x00"sv, 2, kMore},
    // literals
    {"True", 0, kNoValue}, {"TRUE", 0, kNoValue}, {"trux", 0, kNoValue}, {"truee", 0, kNoValue}, {"nulll", 0, kNoValue}, {"nuLl", 0, kNoValue}, {"falsey", 0, kNoValue}, {"tru ", 0, kNoValue}, {"[tru]", 1, kNoFirst},
    {"[1,nul]", 3, kNoValue}, {"true1", 0, kNoValue}, {"true\"a\"", 0, kNoValue}, {"nullnull", 0, kNoValue}, {"undefined", 0, kNoValue}, {"None", 0, kNoValue}, {"nan", 0, kNoValue}, {"NaN", 0, kNoValue},
    {"Infinity", 0, kNoValue}, {"inf", 0, kNoValue}, {"yes", 0, kNoValue}, {"x", 0, kNoValue}, {"[a]", 1, kNoFirst}, {"t r u e", 0, kNoValue}, {"null\x00"sv, 0, kNoValue}, {"{\"a\":nil}", 5, kNoValue}, {"true\x0c", 0, kNoValue},
    // numbers
    {"01", 1, kNoNumber}, {"-01", 2, kNoNumber}, {"00", 1, kNoNumber}, {"[012]", 2, kNoNumber}, {"+1", 0, kNoValue}, {"[+1]", 1, kNoFirst}, {"--1", 1, kNoNumber}, {"-+1", 1, kNoNumber}, {".5", 0, kNoValue},
    {"-.5", 1, kNoNumber}, {"[1.]", 3, kNoNumber}, {"[1.e1]", 3, kNoNumber}, {"[0.e1]", 3, kNoNumber}, {"[1e]", 3, kNoNumber}, {"[1e+]", 4, kNoNumber}, {"[1E-]", 4, kNoNumber}, {"[1e1.5]", 4, kNoNumber}, {"[1.2.3]", 4, kNoNumber},
    {"[1e1e1]", 4, kNoNumber}, {"[1e++1]", 4, kNoNumber}, {"0x10", 1, kNoNumber}, {"[0x]", 2, kNoNumber}, {"[1_000]", 2, kNoNumber}, {"[1a]", 2, kNoNumber}, {"[1-]", 2, kNoNumber}, {"[1-2]", 2, kNoNumber}, {"[1+2]", 2, kNoNumber},
    {"[- 1]", 2, kNoNumber}, {"[-]", 2, kNoNumber}, {"[-a]", 2, kNoNumber}, {"[-Infinity]", 2, kNoNumber}, {"[-NaN]", 2, kNoNumber}, {"[1 .5]", 3, kNoComma}, {"[1. 5]", 3, kNoNumber}, {"[1e 5]", 3, kNoNumber},
    {"[1,5 6]", 5, kNoComma}, {"[0b1]", 2, kNoNumber}, {"[0o7]", 2, kNoNumber}, {"[1n]", 2, kNoNumber}, {"[1f]", 2, kNoNumber}, {"[12345678901234567x]", 18, kNoNumber}, {"[1.5x]", 4, kNoNumber}, {"[\xef\xbc\x91]", 1, kNoFirst},
    {"[1/2]", 2, kNoNumber}, {"[1%]", 2, kNoNumber}, {"1\x00"sv, 1, kNoNumber}, {"[1\x00]"sv, 2, kNoNumber}, {"-\"a\"", 1, kNoNumber}, {"[1\x0b]", 2, kNoNumber}, {"[0\\]", 2, kNoNumber},
    // strings
    {"'a'", 0, kNoValue}, {"['a']", 1, kNoFirst}, {"`a`", 0, kNoValue}, {"a", 0, kNoValue}, {"[\"a]", kAtEnd, kCut}, {"[\"a\\\"]", kAtEnd, kCut}, {"\\\"a\"", 0, kNoValue}, {"[\\u0020]", 1, kNoFirst}, {"[\\n]", 1, kNoFirst},
    // escapes
    {"\"\\x\"", 2, kNoEscape}, {"\"\\a\"", 2, kNoEscape}, {"\"\\0\"", 2, kNoEscape}, {"\"\\'\"", 2, kNoEscape}, {"\"\\U0041\"", 2, kNoEscape}, {"\"\\v\"", 2, kNoEscape}, {"\"\\N\"", 2, kNoEscape}, {"\"\\ \"", 2, kNoEscape},
    {"\"\\\n\"", 2, kNoEscape}, {"\"\\\x00\""sv, 2, kNoEscape}, {"\"\\\xc3\xa9\"", 2, kNoEscape}, {"\"\\u\"", 3, kNoDigits}, {"\"\\u0\"", 4, kNoDigits}, {"\"\\u00\"", 5, kNoDigits}, {"\"\\u004\"", 6, kNoDigits},
    {"\"\\u00g0\"", 5, kNoDigits}, {"\"\\uG000\"", 3, kNoDigits}, {"\"\\u 041\"", 3, kNoDigits}, {"\"\\u-041\"", 3, kNoDigits}, {"\"\\u+041\"", 3, kNoDigits}, {"\"\\u{41}\"", 3, kNoDigits}, {"\"\\u004\xc3\xa9\"", 6, kNoDigits},
    {"\"ab\\q\"", 4, kNoEscape}, {"{\"\\q\":1}", 3, kNoEscape}, {"\"\\\\\\q\"", 4, kNoEscape}, {"\"\\u00:0\"", 5, kNoDigits}, {"\"\\u00@0\"", 5, kNoDigits}, {"\"\\u00`0\"", 5, kNoDigits}, {"\"\\u\x00\x00\x00\x00\""sv, 3, kNoDigits},
    // control characters
    {"\"\x00\""sv, 1, kControl}, {"\"\x01\"", 1, kControl}, {"\"\x1f\"", 1, kControl}, {"\"\n\"", 1, kControl}, {"\"\r\"", 1, kControl}, {"\"\t\"", 1, kControl}, {"\"a\x08\"", 2, kControl}, {"\"\\n\n\"", 3, kControl},
    {"{\"a\nb\":1}", 3, kControl}, {"\"abcdefghijklmnopqrstuvwxyz\x1b\"", 27, kControl}, {"\"\n", 1, kControl}, {"\"a\x00"sv, 2, kControl},
    // white space that is none, and NUL
    {"\x0c[]", 0, kNoValue}, {"\x0b[]", 0, kNoValue}, {"[\x0c]", 1, kNoFirst}, {"\xc2\xa0[]", 0, kNoValue}, {"[]\xc2\xa0", 2, kMore}, {"\xe2\x80\xa8[]", 0, kNoValue}, {"\xe3\x80\x80[]", 0, kNoValue}, {"[\xe2\x81\xa0]", 1, kNoFirst},
    {"\x00"sv, 0, kNoValue}, {"[\x00]"sv, 1, kNoFirst}, {"[1,\x00]"sv, 3, kNoValue}, {"{\x00}"sv, 1, kNoFirstName}, {"\x00[]"sv, 0, kNoValue}, {"{\"a\"\x00:1}"sv, 4, kNoColon}, {"[\x1a]", 1, kNoFirst}, {"\x7f", 0, kNoValue},
    {"[\"a\"\x00]"sv, 4, kNoComma}, {"{\"a\":\"b\"\x00}"sv, 8, kNoMember}, {"[] \x1c", 3, kMore}, {"\x85", 0, kNotUtf8},
    // byte order marks and other encodings
    {"\xef\xbb\xbf[]", 0, kNoValue}, {"\xef\xbb\xbf", 0, kNoValue}, {"\xff\xfe[\x00]\x00"sv, 0, kNotUtf8}, {"\xfe\xff\x00[\x00]"sv, 0, kNotUtf8}, {"[\x00]\x00"sv, 1, kNoFirst}, {"\x00[\x00]"sv, 0, kNoValue},
    // comments
    {"/**/[]", 0, kNoValue}, {"// a\n[]", 0, kNoValue}, {"# a\n[]", 0, kNoValue}, {"[1,/*2*/3]", 3, kNoValue}, {"[1/*2*/]", 2, kNoNumber}, {"[1 //\n]", 3, kNoComma}, {"{/**/}", 1, kNoFirstName}, {"{\"a\"/**/:1}", 4, kNoColon},
    // UTF-8
    {"\"\x80\"", 1, kNotUtf8}, {"\"\xbf\"", 1, kNotUtf8}, {"\"\xc0\x80\"", 1, kNotUtf8}, {"\"\xc1\xbf\"", 1, kNotUtf8}, {"\"\xe0\x80\x80\"", 2, kNotUtf8}, {"\"\xe0\x9f\xbf\"", 2, kNotUtf8}, {"\"\xf0\x80\x80\x80\"", 2, kNotUtf8},
    {"\"\xf0\x8f\xbf\xbf\"", 2, kNotUtf8}, {"\"\xed\xa0\x80\"", 2, kNotUtf8}, {"\"\xed\xbf\xbf\"", 2, kNotUtf8}, {"\"\xed\xa0\xb4\xed\xb4\x9e\"", 2, kNotUtf8}, {"\"\xf4\x90\x80\x80\"", 2, kNotUtf8}, {"\"\xf5\x80\x80\x80\"", 1, kNotUtf8},
    {"\"\xf8\x88\x80\x80\x80\"", 1, kNotUtf8}, {"\"\xfc\x84\x80\x80\x80\x80\"", 1, kNotUtf8}, {"\"\xfe\"", 1, kNotUtf8}, {"\"\xff\"", 1, kNotUtf8}, {"\"\xc3\"", 2, kNotUtf8}, {"\"\xe2\x82\"", 3, kNotUtf8}, {"\"\xe2\"", 2, kNotUtf8},
    {"\"\xf0\"", 2, kNotUtf8}, {"\"\xf0\x9d\"", 3, kNotUtf8}, {"\"\xf0\x9d\x84\"", 4, kNotUtf8}, {"\"\xc3", kAtEnd, kNotUtf8}, {"\"\xe2\x82", kAtEnd, kNotUtf8}, {"\"\xf0\x9d\x84", kAtEnd, kNotUtf8}, {"\"\xc3(\"", 2, kNotUtf8},
    {"\"\xe2(\xa1\"", 2, kNotUtf8}, {"\"\xe2\x82(\"", 3, kNotUtf8}, {"\"\xf0\x9d\x84(\"", 4, kNotUtf8}, {"\"\xc3\xa9\xa9\"", 3, kNotUtf8}, {"{\"\xff\":1}", 2, kNotUtf8}, {"[\"\\n\xff\"]", 4, kNotUtf8}, {"[\"a\",\xff]", 5, kNotUtf8},
    {"\xff", 0, kNotUtf8}, {"[\xff]", 1, kNotUtf8}, {"[1\xff]", 2, kNotUtf8}, {"[1,\xff]", 3, kNotUtf8}, {"[true\xff]", 5, kNotUtf8}, {"true\xc3", 0, kNoValue}, {"nul\xff", 0, kNoValue}, {"[]\xff", 2, kNotUtf8}, {"1\xff", 1, kNotUtf8}, {"{\"a\"\xff", 4, kNotUtf8}, {"\"\\\xff\"", 2, kNotUtf8},
    {"\"\\u00\xff\"", 5, kNotUtf8}, {"1 2 \xff", 2, kMore}, {"[} \xff", 1, kNoFirst}, {"\"a\"\xe2\x82", 3, kMore}, {"1.\xff", 2, kNotUtf8}, {"1e\xff", 2, kNotUtf8}, {"-\xff", 1, kNotUtf8}, {"1\xc3", 1, kNoNumber},
};

// What RFC 8259 leaves to the parser ------------------------------------------------------------------------------------

// A zero below zero is a double, as no integer is one. What no double tells from zero is zero. Integers beyond 64 bits are the
// nearest doubles. Of names that come twice the last counts, at the place of the first. Characters that Unicode has not
// assigned, or keeps for itself, are characters.
inline constexpr GoodText kDecidedToAccept[] = {
    {"-0", "-0.0"}, {"[-0]", "[-0.0]"}, {"-0e0", "-0.0"}, {"0e0", "0.0"}, {"0E+99999", "0.0"}, {"1e-400", "0.0"}, {"-1e-400", "-0.0"}, {"1e-99999999999", "0.0"}, {"0e99999999999", "0.0"}, {"0.0000000000000000000000000000000001e34", "1.0"},
    {"18446744073709551616", "18446744073709552000.0"}, {"-9223372036854775809", "-9223372036854776000.0"}, {"12345678901234567890", "12345678901234567890"}, {"123456789012345678901", "123456789012345680000.0"}, {"1e0", "1.0"}, {"1E+2", "100.0"},
    {"1.7976931348623158e308", "1.7976931348623157e308"}, {"2.4703282292062328e-324", "5e-324"}, {"2.4703282292062327e-324", "0.0"}, {"1e22", "1e22"},
    {"{\"a\":1,\"a\":2}", "{\"a\":2}"}, {"{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":2,\"b\":0}"}, {"{\"a\":1,\"\\u0061\":2}", "{\"a\":2}"}, {"{\"\":1,\"\":2}", "{\"\":2}"}, {"{\"a\":{\"a\":1,\"a\":2},\"a\":3}", "{\"a\":3}"},
    {"\"\\uFDD0\\uFFFF\"", "\"\xef\xb7\x90\xef\xbf\xbf\""}, {"\"\\uDBFF\\uDFFE\"", "\"\xf4\x8f\xbf\xbe\""}, {"\"\xef\xbf\xbe\"", "\"\xef\xbf\xbe\""}, {"\"\\u0000a\\u0000\"", "\"\\u0000a\\u0000\""},
};

// Halves of surrogate pairs are no Unicode, also as escapes. A number too large for a double is refused, not made infinite.
inline constexpr BadText kDecidedToRefuse[] = {
    {"1e400", 0, kTooLarge}, {"-1e400", 0, kTooLarge}, {"[1e309]", 1, kTooLarge}, {"1.7976931348623159e308", 0, kTooLarge}, {"[1,-1e99999999999]", 3, kTooLarge}, {"1e400 x", 0, kTooLarge}, {"1e400x", 0, kTooLarge},
    {"\"\\ud800\"", 1, kLoneHigh}, {"\"\\udbff\"", 1, kLoneHigh}, {"\"\\ud800a\"", 1, kLoneHigh}, {"\"\\ud800\\n\"", 1, kLoneHigh}, {"\"\\ud800\\ud800\"", 1, kLoneHigh}, {"\"\\ud800\\ud800\\udc00\"", 1, kLoneHigh},
    {"\"\\ud800\\u0041\"", 1, kLoneHigh}, {"\"\\ud800\\udbff\"", 1, kLoneHigh}, {"\"\\ud800\\ue000\"", 1, kLoneHigh}, {"\"\\ud800\\udc0\"", 1, kLoneHigh}, {"\"\\ud800\\u\"", 1, kLoneHigh}, {"\"\\ud800\\\"", 1, kLoneHigh},
    {"\"\\ud800\\udcxx\"", 1, kLoneHigh}, {"\"\\udc00\"", 1, kLoneLow}, {"\"\\udfff\"", 1, kLoneLow}, {"\"\\udc00\\ud800\"", 1, kLoneLow}, {"\"a\\udc00\"", 2, kLoneLow}, {"\"\\ud834\\udd1e\\udd1e\"", 13, kLoneLow},
    {"\"\\ud834\xed\xb4\x9e\"", 1, kLoneHigh}, {"{\"\\ud800\":1}", 2, kLoneHigh}, {"\"\\ud800", kAtEnd, kCut}, {"\"\\ud800\\", kAtEnd, kCut}, {"\"\\ud800\\u", kAtEnd, kCut}, {"\"\\ud800\\ud", kAtEnd, kCut}, {"\"\\ud800\\uDf", kAtEnd, kCut},
    {"\"\\ud800\\udc0", kAtEnd, kCut}, {"\"\\ud800\\u0", 1, kLoneHigh}, {"\"\\ud800\\ud8", 1, kLoneHigh}, {"\"\\ud8", kAtEnd, kCut}, {"\"\\udc", kAtEnd, kCut}, {"\"\\ud800\xff", 1, kLoneHigh},
};

}  // namespace martlet::test
