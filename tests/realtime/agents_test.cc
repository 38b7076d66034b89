// Which User-Agents are served uncompressed: texts as such clients send them.
#include <doctest/doctest.h>
#include <martlet/compression.h>

#include <string_view>

#include "realtime/agents.h"

namespace martlet {

namespace {

bool is_broken(std::string_view user_agent) {
  for (const std::string& entry : broken_deflate_agents()) {
    if (realtime::contains_agent(user_agent, entry)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("agents: clients on iOS 15.0 to 15.3 and macOS 12.0 to 12.2 are served plain") {
  constexpr std::string_view kBroken[] = {
      // Safari, and what bears its name
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.0 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.3 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPad; CPU OS 15_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.1 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPod touch; CPU iPhone OS 15_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.2 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.0 Safari/605.1.15",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.3 Safari/605.1.15",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.1 Safari/605.1.15",
      // other browsers there
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/97.0.4692.72 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPad; CPU OS 15_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/98.0.4758.85 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/40.0 Mobile/15E148 Safari/605.1.15",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) EdgiOS/94.0.992.50 Version/14.0 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/187.0.409021345 Mobile/15E148 Safari/604.1",
      // web views
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
      "Mozilla/5.0 (iPad; CPU OS 15_2_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/19C63",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/19A348 [FBAN/FBIOS;FBDV/iPhone12,1;FBMD/iPhone;FBSN/iOS;FBSV/15.0.1;FBSS/2]",
      // applications
      "Trader/412 CFNetwork/1312 Darwin/21.0.0",
      "Trader/412 CFNetwork/1325.0.1 Darwin/21.1.0",
      "Wetter%20Pro/5.1 CFNetwork/1327.0.4 Darwin/21.2.0",
      "MyApp/1 CFNetwork/1329 Darwin/21.3.0",
      "Notes/2.0 (iPhone; iOS 15.3.1; Scale/3.00)",
      "Notes/2.0 (com.example.notes; build:7; iOS 15.1.0) Alamofire/5.4.4",
      "Notes/2.0 (iPad; iPadOS 15.2; Scale/2.00)",
  };
  for (const std::string_view agent : kBroken) {
    CAPTURE(agent);
    CHECK(is_broken(agent));
  }
}

TEST_CASE("agents: others are served compressed") {
  constexpr std::string_view kGood[] = {
      "",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 15_8_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6.6 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 14_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/14.1.2 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPad; CPU OS 15_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/103.0.5060.54 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPad; CPU OS 12_5_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 16_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/115.0 Mobile/15E148 Safari/605.1.15",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/14.1.2 Safari/605.1.15",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
      // macOS 15 by name, which is not iOS 15
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
      "Notes/2.0 (com.example.notes; build:7; macOS 15.1.0) Alamofire/5.9.1",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0.4664.110 Safari/537.36",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:95.0) Gecko/20100101 Firefox/95.0",
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/115.0.0.0 Safari/537.36 Edg/115.0.1901.183",
      "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
      "Mozilla/5.0 (Linux; Android 4.4.2; GT-I9505) AppleWebKit/537.36 (KHTML, like Gecko) Version/1.5 Chrome/28.0.1500.94 Mobile Safari/537.36",
      "Mozilla/5.0 (X11; CrOS x86_64 15.1.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/115.0.0.0 Safari/537.36",
      "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
      "Mozilla/5.0 (compatible; Version/115.0)",
      "MyApp/1 CFNetwork/1331.0.7 Darwin/21.4.0",
      "MyApp/1 CFNetwork/1335.0.3 Darwin/21.6.0",
      "MyApp/1 CFNetwork/1240.0.4 Darwin/20.6.0",
      "MyApp/1 CFNetwork/1404.0.5 Darwin/22.3.0",
      // the same kernel, another library
      "aws-cli/2.4.6 Python/3.8.8 Darwin/21.2.0 exe/x86_64 prompt/off",
      "Notes/2.0 (iPhone; iOS 15.4.1; Scale/3.00)",
      "Notes/2.0 (iPhone; iOS 16.3; Scale/3.00)",
      "Python/3.11 websockets/15.0",
      "okhttp/4.12.0",
  };
  for (const std::string_view agent : kGood) {
    CAPTURE(agent);
    CHECK(!is_broken(agent));
  }
}

TEST_CASE("agents: an entry is in a text with what its stars stand for") {
  const auto in = [](std::string_view entry, std::string_view text) { return realtime::contains_agent(text, entry); };
  CHECK(in("b", "abc"));
  CHECK(!in("B", "abc"));
  CHECK(!in("abcd", "abc"));
  CHECK(!in("", "abc"));
  CHECK(!in("", ""));
  CHECK(in("*", ""));
  CHECK(in("*", "abc"));
  CHECK(in("a*c", "abc"));
  CHECK(in("a*c", "xacx"));
  CHECK(!in("a*c", "ca"));
  CHECK(!in("ab*bc", "abc"));
  CHECK(in("ab*bc", "abbc"));
  CHECK(in("a*b*c", "a1b2c3"));
  CHECK(!in("a*c*b", "a1b2c3"));
  CHECK(in("*a", "a"));
  CHECK(in("a*", "a"));
  CHECK(in("a**b", "ab"));
}

}  // namespace martlet
