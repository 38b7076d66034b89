// Four documents for json_bench, made up in the shape of those that JSON libraries are compared by: twitter.json (long
// objects, ids, much text that is not ASCII, indented by two), canada.json (pairs of doubles of 15 to 17 digits, without a
// blank), citm_catalog.json (many small objects by number, integers, nulls, indented by four), and an answer of an API of 1 KiB.
// Always the same.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace martlet::bench {

struct JsonDocument {
  std::string name;
  std::string text;
};

// xorshift64*
class Dice {
 public:
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }
  uint64_t below(uint64_t limit) { return next() % limit; }

 private:
  uint64_t state_ = 0x9E3779B97F4A7C15u;
};

// Writes lines indented by `step` blanks, or none; deliberately no JSON library.
class Lines {
 public:
  explicit Lines(int step) : step_(step) {}
  void open(char bracket) {
    lead();
    out_ += bracket;
    depth_++;
    first_ = true;
  }
  void close(char bracket) {
    depth_--;
    if (!first_) line();
    out_ += bracket;
    first_ = false;
  }
  void key(const std::string& name) {
    lead();
    out_ += '"' + name + "\":";
    if (step_) out_ += ' ';
    keyed_ = true;
  }
  void raw(const std::string& text) {
    lead();
    out_ += text;
  }
  void text(const std::string& text) { raw('"' + text + '"'); }
  void member(const std::string& name, const std::string& raw_value) {
    key(name);
    raw(raw_value);
  }
  void member_text(const std::string& name, const std::string& value) { member(name, '"' + value + '"'); }
  std::string take() { return std::move(out_); }

 private:
  void lead() {
    if (keyed_) {
      keyed_ = false;
      return;
    }
    if (depth_ == 0) return;
    if (!first_) out_ += ',';
    line();
    first_ = false;
  }
  void line() {
    if (step_) out_ += '\n' + std::string(static_cast<size_t>(step_ * depth_), ' ');
  }

  int step_;
  int depth_ = 0;
  bool first_ = true;
  bool keyed_ = false;
  std::string out_;
};

inline std::string made_up_text(Dice& dice, size_t characters) {
  static const char* const kWords[] = {"\xe6\x97\xa5\xe6\x9c\xac", "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf", "\xe5\x86\x99\xe7\x9c\x9f", "the ", "RT @", "http:\\/\\/t.co\\/", "\xe3\x80\x82", "\\n", "love ", "\xe3\x81\xa7\xe3\x81\x99", "\xe4\xbb\x8a\xe6\x97\xa5", "2014 "};
  std::string text;
  while (text.size() < characters) text += kWords[dice.below(std::size(kWords))];
  return text;
}

inline void add_user(Lines& out, Dice& dice) {
  const std::string id = std::to_string(1000000000 + dice.below(2000000000));
  out.key("user");
  out.open('{');
  out.member("id", id);
  out.member_text("id_str", id);
  out.member_text("name", made_up_text(dice, 12));
  out.member_text("screen_name", "user_" + std::to_string(dice.below(1000000)));
  out.member_text("location", made_up_text(dice, 9));
  out.member_text("description", made_up_text(dice, 150));
  out.member("url", "null");
  out.key("entities");
  out.open('{');
  out.key("description");
  out.open('{');
  out.key("urls");
  out.open('[');
  out.close(']');
  out.close('}');
  out.close('}');
  out.member("protected", "false");
  for (const char* name : {"followers_count", "friends_count", "listed_count", "favourites_count", "statuses_count"}) out.member(name, std::to_string(dice.below(5000)));
  out.member_text("created_at", "Sun Aug 31 00:29:15 +0000 2014");
  out.member("utc_offset", "null");
  out.member("time_zone", "null");
  for (const char* name : {"geo_enabled", "verified", "contributors_enabled", "is_translator", "is_translation_enabled"}) out.member(name, "false");
  out.member_text("lang", "ja");
  for (const char* name : {"profile_background_color", "profile_link_color", "profile_sidebar_border_color", "profile_sidebar_fill_color", "profile_text_color"}) out.member_text(name, "C0DEED");
  for (const char* name : {"profile_background_image_url", "profile_background_image_url_https", "profile_image_url", "profile_image_url_https", "profile_banner_url"})
    out.member_text(name, "http:\\/\\/abs.twimg.com\\/images\\/themes\\/theme" + std::to_string(dice.below(20)) + "\\/bg_normal.png");
  for (const char* name : {"profile_background_tile", "default_profile_image", "following", "follow_request_sent", "notifications"}) out.member(name, "false");
  for (const char* name : {"profile_use_background_image", "default_profile"}) out.member(name, "true");
  out.close('}');
}

inline void add_status(Lines& out, Dice& dice) {
  const std::string id = std::to_string(505874000000000000 + dice.below(1000000000));
  out.open('{');
  out.key("metadata");
  out.open('{');
  out.member_text("result_type", "recent");
  out.member_text("iso_language_code", "ja");
  out.close('}');
  out.member_text("created_at", "Sun Aug 31 00:29:15 +0000 2014");
  out.member("id", id);
  out.member_text("id_str", id);
  out.member_text("text", made_up_text(dice, 200));
  out.member_text("source", "<a href=\\\"http:\\/\\/twitter.com\\/download\\/iphone\\\" rel=\\\"nofollow\\\">Twitter for iPhone<\\/a>");
  out.member("truncated", "false");
  for (const char* name : {"in_reply_to_status_id", "in_reply_to_status_id_str", "in_reply_to_user_id", "in_reply_to_user_id_str", "in_reply_to_screen_name"}) out.member(name, "null");
  add_user(out, dice);
  for (const char* name : {"geo", "coordinates", "place", "contributors"}) out.member(name, "null");
  out.member("retweet_count", std::to_string(dice.below(1000)));
  out.member("favorite_count", std::to_string(dice.below(1000)));
  out.key("entities");
  out.open('{');
  for (const char* name : {"hashtags", "symbols", "urls"}) {
    out.key(name);
    out.open('[');
    out.close(']');
  }
  out.key("user_mentions");
  out.open('[');
  out.open('{');
  out.member_text("screen_name", "aym0566x");
  out.member_text("name", made_up_text(dice, 12));
  out.member("id", id);
  out.key("indices");
  out.open('[');
  out.raw("0");
  out.raw("9");
  out.close(']');
  out.close('}');
  out.close(']');
  out.close('}');
  out.member("favorited", "false");
  out.member("retweeted", "false");
  out.member_text("lang", "ja");
  out.close('}');
}

inline std::string tweets() {
  Dice dice;
  Lines out(2);
  out.open('{');
  out.key("statuses");
  out.open('[');
  for (int i = 0; i < 150; i++) add_status(out, dice);
  out.close(']');
  out.close('}');
  return out.take();
}

inline std::string borders() {
  Dice dice;
  Lines out(0);
  out.open('{');
  out.member_text("type", "FeatureCollection");
  out.key("coordinates");
  out.open('[');
  for (int ring = 0; ring < 480; ring++) {
    out.open('[');
    for (uint64_t i = 0, points = 10 + dice.below(220); i < points; i++) {
      char pair[80];
      const double x = -50 - static_cast<double>(dice.below(90000000)) / 1e6, y = 42 + static_cast<double>(dice.below(40000000)) / 1e6;
      std::snprintf(pair, sizeof pair, dice.below(4) == 0 ? "[%.6f,%.6f]" : "[%.17g,%.17g]", x + 1e-14, y + 1e-14);
      out.raw(pair);
    }
    out.close(']');
  }
  out.close(']');
  out.close('}');
  return out.take();
}

inline void add_performance(Lines& out, Dice& dice) {
  out.open('{');
  out.member("eventId", std::to_string(138586341 + dice.below(100)));
  out.member("id", std::to_string(339887544 + dice.below(100000)));
  out.member("logo", "null");
  out.member("name", "null");
  out.key("prices");
  out.open('[');
  for (int i = 0; i < 3; i++) {
    out.open('{');
    out.member("amount", std::to_string(90250 - 2500 * i));
    out.member("audienceSubCategoryId", "337100890");
    out.member("seatCategoryId", std::to_string(338937235 + dice.below(99)));
    out.close('}');
  }
  out.close(']');
  out.key("seatCategories");
  out.open('[');
  for (int i = 0; i < 3; i++) {
    out.open('{');
    out.key("areas");
    out.open('[');
    for (int k = 0; k < 5; k++) {
      out.open('{');
      out.member("areaId", std::to_string(205705994 + dice.below(16)));
      out.key("blockIds");
      out.open('[');
      out.close(']');
      out.close('}');
    }
    out.close(']');
    out.member("seatCategoryId", std::to_string(338937235 + dice.below(99)));
    out.close('}');
  }
  out.close(']');
  out.member("seatMapImage", "null");
  out.member("start", std::to_string(1372701600000 + dice.below(1000000)));
  out.member_text("venueCode", "PLEYEL_PLEYEL");
  out.close('}');
}

inline std::string catalogue() {
  Dice dice;
  Lines out(4);
  out.open('{');
  out.key("events");
  out.open('{');
  for (int i = 0; i < 184; i++) {
    const std::string id = std::to_string(138586341 + i);
    out.key(id);
    out.open('{');
    out.member("description", "null");
    out.member("id", id);
    out.member("logo", "null");
    out.member_text("name", "30th Anniversary Tour " + std::to_string(i));
    out.key("subTopicIds");
    out.open('[');
    for (int k = 0; k < 3; k++) out.raw(std::to_string(337184262 + dice.below(40)));
    out.close(']');
    out.member("subjectCode", "null");
    out.key("topicIds");
    out.open('[');
    out.raw("324846099");
    out.raw("107888604");
    out.close(']');
    out.close('}');
  }
  out.close('}');
  out.key("performances");
  out.open('[');
  for (int i = 0; i < 400; i++) add_performance(out, dice);
  out.close(']');
  out.close('}');
  return out.take();
}

inline std::string api_message() {
  Dice dice;
  Lines out(0);
  out.open('{');
  out.member("id", "48213377");
  out.member_text("type", "order.updated");
  out.member_text("created_at", "2026-11-28T21:50:32Z");
  out.key("customer");
  out.open('{');
  out.member_text("id", "cus_9s6XKzkNRiz8i3");
  out.member_text("name", "Ann Example");
  out.member_text("email", "ann@example.org");
  out.member("verified", "true");
  out.close('}');
  out.key("items");
  out.open('[');
  for (int i = 0; i < 6; i++) {
    out.open('{');
    out.member_text("sku", "SKU-" + std::to_string(10000 + dice.below(90000)));
    out.member("quantity", std::to_string(1 + dice.below(9)));
    out.member("price", std::to_string(dice.below(200)) + ".95");
    out.member_text("title", "A thing that somebody has bought");
    out.close('}');
  }
  out.close(']');
  out.member("total", "412.35");
  out.member_text("currency", "EUR");
  out.member("note", "null");
  out.close('}');
  return out.take();
}

inline std::vector<JsonDocument> json_corpus() { return {{"tweets", tweets()}, {"borders", borders()}, {"catalogue", catalogue()}, {"api-message", api_message()}}; }

}  // namespace martlet::bench
