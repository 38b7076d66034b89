// What the compressor is measured with: JSON messages as chat and telemetry servers send them, an HTML page, and source
// text. All but the last is made here, the same bytes on any machine; messages of one kind are all different.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::bench {

struct Corpus {
  std::string name;
  std::vector<std::string> messages;
  size_t bytes() const {
    size_t sum = 0;
    for (const std::string& message : messages) sum += message.size();
    return sum;
  }
};

// xorshift64*: the standard's distributions are not the same everywhere.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du >> 20;
  }
  size_t below(size_t bound) { return static_cast<size_t>(next() % bound); }
  // Small numbers more often than large ones, as words come in a language.
  size_t skewed_below(size_t bound) { return below(below(bound) + 1); }

 private:
  uint64_t state_;
};

inline std::string number(uint64_t value, int digits = 1) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llu", digits, static_cast<unsigned long long>(value));
  return text;
}
inline std::string hex(uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

// A language of some two thousand words: the common ones short, the rare ones made of syllables.
class Language {
 public:
  Language() {
    static constexpr const char* kCommon[] = {
        "the", "to", "and", "a", "of", "in", "is", "it", "that", "for", "you", "on", "we", "with", "be", "this", "are", "not",
        "have", "at", "I", "can", "was", "or", "if", "just", "but", "from", "so", "will", "there", "when", "what", "all", "do",
        "me", "has", "they", "your", "one", "like", "up", "time", "how", "no", "then", "now", "some", "about", "out", "get",
        "would", "more", "think", "could", "know", "see", "its", "should", "here", "please", "thanks", "people", "yes", "today",
        "maybe", "server", "update", "again", "meeting", "tomorrow", "works", "message", "build", "sorry", "check", "good", "new"};
    static constexpr const char* kSyllables[] = {
        "an", "er", "in", "re", "ti", "on", "con", "ter", "al", "de", "com", "ex", "pro", "en", "un", "per", "st", "ment", "tion",
        "ble", "ing", "ly", "ous", "ver", "tra", "men", "dis", "por", "gen", "mis", "sub", "lo", "ra", "ca", "mo", "vi", "ju", "qu"};
    Dice dice(1);
    for (const char* word : kCommon) words_.emplace_back(word);
    while (words_.size() < 2000) {
      std::string word;
      for (size_t n = 2 + dice.below(3); n > 0; n--) word += kSyllables[dice.below(std::size(kSyllables))];
      words_.push_back(word);
    }
  }
  const std::string& word(Dice& dice) const {
    return dice.below(2) ? words_[dice.skewed_below(80)] : words_[dice.skewed_below(words_.size())];
  }
  std::string sentence(Dice& dice, size_t words) const {
    std::string text = word(dice);
    text[0] = static_cast<char>(text[0] >= 'a' ? text[0] - 32 : text[0]);
    for (size_t n = 1; n < words; n++) text += (dice.below(12) ? " " : ", ") + word(dice);
    return text + (dice.below(5) ? "." : "?");
  }
  std::string name(Dice& dice) const {
    const size_t n = dice.skewed_below(300);
    return words_[80 + n * 6] + (n % 3 ? "." : "_") + words_[90 + n * 5].substr(0, 1 + n % 5);
  }

 private:
  std::vector<std::string> words_;
};

inline std::string chat_object(const Language& language, Dice& dice, size_t words) {
  static constexpr const char* kRooms[] = {"general", "random", "support", "dev", "ops", "music"};
  const uint64_t id = 7'300'000'000 + dice.below(900'000'000);
  std::string text = "{\"type\":\"message\",\"id\":\"" + number(id) + "\",\"room\":\"" + kRooms[dice.skewed_below(6)] +
                     "\",\"user\":{\"id\":" + number(10000 + dice.below(9000)) + ",\"name\":\"" + language.name(dice) +
                     "\",\"avatar\":\"https://cdn.example.com/avatars/" + hex(dice.next(), 11) + ".png\"},\"text\":\"";
  text += language.sentence(dice, words) + "\",\"ts\":" + number(1'764'230'400'000 + dice.below(86'400'000));
  if (dice.below(6) == 0) text += ",\"reply_to\":\"" + number(id - dice.below(9999)) + "\"";
  if (dice.below(5) == 0) text += ",\"reactions\":[{\"emoji\":\"\xF0\x9F\x91\x8D\",\"count\":" + number(1 + dice.below(9)) + "}]";
  return text + "}";
}

inline std::string telemetry_object(Dice& dice) {
  static constexpr const char* kStates[] = {"ok", "ok", "ok", "idle", "warning", "fault"};
  return "{\"device\":\"sensor-" + number(dice.below(800), 4) + "\",\"time\":" + number(1'764'230'400 + dice.below(86'400)) + "." +
         number(dice.below(1000), 3) + ",\"temperature\":" + number(18 + dice.below(12)) + "." + number(dice.below(100), 2) +
         ",\"humidity\":" + number(35 + dice.below(40)) + "." + number(dice.below(10)) + ",\"pressure\":" +
         number(990 + dice.below(40)) + "." + number(dice.below(100), 2) + ",\"voltage\":3." + number(dice.below(1000), 3) +
         ",\"rssi\":-" + number(40 + dice.below(50)) + ",\"state\":\"" + kStates[dice.below(6)] + "\",\"location\":{\"lat\":52." +
         number(dice.below(1'000'000), 6) + ",\"lon\":13." + number(dice.below(1'000'000), 6) + "}}";
}

inline std::string chat_100(const Language& language, Dice& dice) {
  return "{\"t\":\"msg\",\"r\":" + number(dice.below(64)) + ",\"u\":\"" + language.name(dice) + "\",\"id\":" + number(dice.below(9'000'000)) +
         ",\"m\":\"" + language.sentence(dice, 4 + dice.below(7)) + "\"}";
}
inline std::string telemetry_100(Dice& dice) {
  return "{\"id\":\"sensor-" + number(dice.below(800), 4) + "\",\"ts\":" + number(1'764'230'400'000 + dice.below(86'400'000)) +
         ",\"temp\":" + number(18 + dice.below(12)) + "." + number(dice.below(100), 2) + ",\"hum\":" + number(35 + dice.below(40)) +
         "." + number(dice.below(10)) + ",\"ok\":" + (dice.below(9) ? "true" : "false") + ",\"battery\":" + number(20 + dice.below(80)) + ",\"rssi\":-" + number(40 + dice.below(50)) + "}";
}

// Objects in an array, until the message has about so many bytes.
template <typename Object>
std::string array_of(std::string head, size_t size, Object object) {
  std::string item = object();
  for (; head.size() + 3 * item.size() / 2 < size; item = object()) head += item + ",";
  return head + item + "]}";
}

inline Corpus json_corpus(const Language& language, bool chat, size_t size, const char* size_name, size_t count) {
  Corpus corpus{std::string(chat ? "chat" : "telemetry") + ", " + size_name, {}};
  Dice dice(size * 2 + chat);
  for (size_t n = 0; n < count; n++) {
    if (size <= 100) {
      corpus.messages.push_back(chat ? chat_100(language, dice) : telemetry_100(dice));
    } else if (chat) {
      const std::string head = "{\"type\":\"history\",\"cursor\":\"" + hex(dice.next(), 11) + "\",\"messages\":[";
      corpus.messages.push_back(array_of(head, size, [&] { return chat_object(language, dice, 3 + dice.skewed_below(30)); }));
    } else {
      const std::string head = "{\"type\":\"readings\",\"seq\":" + number(dice.below(1'000'000)) + ",\"readings\":[";
      corpus.messages.push_back(array_of(head, size, [&] { return telemetry_object(dice); }));
    }
  }
  return corpus;
}

inline std::string html_page(const Language& language, Dice& dice, size_t size) {
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>" + language.sentence(dice, 4) +
      "</title>\n  <link rel=\"stylesheet\" href=\"/assets/site-" + hex(dice.next(), 8) + ".css\">\n</head>\n<body>\n<nav class=\"menu\"><ul>\n";
  for (int n = 0; n < 20; n++) text += "  <li class=\"menu-item\"><a href=\"/" + language.word(dice) + "/\">" + language.word(dice) + "</a></li>\n";
  text += "</ul></nav>\n<main>\n";
  while (text.size() < size) {
    const std::string title = language.sentence(dice, 3 + dice.below(6));
    text += "<article class=\"post\" id=\"post-" + number(dice.below(100000)) + "\">\n  <h2 class=\"title\"><a href=\"/posts/" +
            language.word(dice) + "-" + language.word(dice) + "\">" + title + "</a></h2>\n  <p class=\"meta\">by <a class=\"author\" href=\"/u/" +
            language.name(dice) + "\">" + language.name(dice) + "</a> on <time datetime=\"2026-" + number(1 + dice.below(12), 2) + "-" +
            number(1 + dice.below(28), 2) + "\"></time></p>\n";
    for (size_t n = 1 + dice.below(3); n > 0; n--) {
      text += "  <p>";
      for (size_t sentences = 1 + dice.below(5); sentences > 0; sentences--) text += language.sentence(dice, 5 + dice.below(16)) + " ";
      text += "</p>\n";
    }
    if (dice.below(3) == 0) {
      text += "  <table class=\"data\">\n";
      for (size_t n = 2 + dice.below(8); n > 0; n--) {
        text += "    <tr><td>" + language.word(dice) + "</td><td class=\"num\">" + number(dice.below(10000)) + "</td><td class=\"num\">" +
                number(dice.below(100)) + "." + number(dice.below(100), 2) + "</td></tr>\n";
      }
      text += "  </table>\n";
    }
    text += "  <img src=\"/media/" + hex(dice.next(), 11) + ".jpg\" alt=\"" + language.word(dice) + "\" width=\"640\" height=\"360\">\n</article>\n";
  }
  return text + "</main>\n</body>\n</html>\n";
}

// The C++ files below `folder`, by name, as messages of about 100 KiB.
inline Corpus source_corpus(const std::string& folder) {
  Corpus corpus{"source text, 100 KiB", {}};
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() == ".cc" || entry.path().extension() == ".h") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(in), {});
    if (text.size() < 102'400) continue;
    corpus.messages.push_back(std::move(text));
    text.clear();
  }
  return corpus;
}

inline std::vector<Corpus> make_corpora(const std::string& source_folder) {
  const Language language;
  std::vector<Corpus> corpora;
  for (const bool chat : {true, false}) {
    corpora.push_back(json_corpus(language, chat, 100, "100 B", 2000));
    corpora.push_back(json_corpus(language, chat, 1024, "1 KiB", 500));
    corpora.push_back(json_corpus(language, chat, 16384, "16 KiB", 60));
    corpora.push_back(json_corpus(language, chat, 1 << 20, "1 MiB", 2));
  }
  Corpus pages{"HTML, 100 KiB", {}};
  Dice dice(7);
  for (int n = 0; n < 10; n++) pages.messages.push_back(html_page(language, dice, 102'400));
  corpora.push_back(std::move(pages));
  Corpus source = source_corpus(source_folder);
  if (!source.messages.empty()) corpora.push_back(std::move(source));
  return corpora;
}

// Texts that make a compressor do the most that it can, 1 MiB each.
inline std::vector<Corpus> make_hostile_corpora() {
  constexpr size_t kSize = 1 << 20;
  Dice dice(9);
  std::string noise, bits, colliding, growing, base;
  while (noise.size() < 2 * kSize) noise += static_cast<char>(dice.next());
  while (bits.size() < kSize) bits += static_cast<char>('a' + dice.below(2));
  // Words of one hash in codec/deflate: the inverse of its multiplier takes them back.
  uint32_t inverse = 1;
  for (int n = 0; n < 5; n++) inverse *= 2 - 0x9E3779B1u * inverse;
  while (colliding.size() < kSize) {
    const uint32_t word = inverse * (0x12340000u + static_cast<uint32_t>(dice.below(1 << 16)));
    for (int i = 0; i < 4; i++) colliding += static_cast<char>(word >> 8 * i);
  }
  // What is further back agrees in more bytes, one or two more at a time, and the next place has a longer match.
  while (base.size() < 64) base += static_cast<char>(dice.next());
  while (growing.size() < kSize) {
    for (size_t length = 62; length > 4; length--) growing += base.substr(62 - length, length) + noise.substr(growing.size(), 2);
  }
  return {{"zeros", {std::string(kSize, '\0')}},
          {"period of 37", {[&] {
             std::string text;
             while (text.size() < kSize) text += noise.substr(0, 37);
             return text;
           }()}},
          {"noise", {noise.substr(0, kSize)}},
          {"two letters", {bits}},
          {"one hash", {colliding}},
          {"longer and longer", {growing}}};
}

}  // namespace martlet::bench
