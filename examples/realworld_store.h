// realworld_store.h: what Conduit keeps, in memory: its users, articles and comments, and how they are found.
//
// All of it has limits, some 100 MB in all, as anybody may register; a service would have a database in this place, and limits
// on what one address can do. One thread.
#pragma once

#include <martlet/json.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "realworld_passwords.h"

namespace conduit {

inline constexpr size_t kMostUsers = 10'000, kMostArticles = 2'000, kMostComments = 20'000, kMostLinks = 200'000, kTagsShown = 20;

// In JSON as "2016-02-18T03:22:56.637Z".
struct Instant {
  std::chrono::sys_time<std::chrono::milliseconds> at = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());

  std::string text() const {
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(at - day);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int{date.year()}, unsigned{date.month()}, unsigned{date.day()},
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return text;
  }
};

}  // namespace conduit

template <>
struct martlet::JsonOf<conduit::Instant> {
  static void write(JsonWriter& out, const conduit::Instant& value) { out.value(value.text()); }
};

namespace conduit {

using Id = uint64_t;

struct User {
  Id id = 0;
  std::string username, email, bio, image;
  std::string salt = passwords::random_bytes(16);
  passwords::Digest password = {};
  std::set<Id> follows;
};

struct Comment {
  Id id = 0;
  const User* author = nullptr;
  std::string body;
  Instant created;
};

struct Article {
  const User* author = nullptr;
  std::string slug, title, description, body;
  std::vector<std::string> tags;
  Instant created, updated = created;
  std::set<Id> favorited_by;
  std::list<Comment> comments;
};

// "How to train your dragon?" is how-to-train-your-dragon. Letters beyond ASCII stay as they are.
inline std::string slug_of(std::string_view title) {
  std::string slug;
  for (const char c : title) {
    const bool is_upper = c >= 'A' && c <= 'Z', is_other = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80);
    if (is_upper || is_other) slug += static_cast<char>(is_upper ? c + ('a' - 'A') : c);
    else if (!slug.empty() && slug.back() != '-') slug += '-';
  }
  if (slug.ends_with('-')) slug.pop_back();
  return slug.empty() ? "article" : slug;
}

// Users stay for ever, so that pointers to them do, too; articles come and go. False is "full".
class Store {
 public:
  User* user(Id id) { return id >= 1 && id <= users_.size() ? &users_[id - 1] : nullptr; }
  User* user_named(std::string_view name) { return find(by_name_, name); }
  User* user_of_email(std::string_view email) { return find(by_email_, email); }
  User* add_user() {
    if (users_.size() >= kMostUsers) return nullptr;
    User& made = users_.emplace_back();
    made.id = users_.size();
    return &made;
  }
  void rename(User& user, std::string username) { move_key(by_name_, user, user.username, std::move(username)); }
  void set_email(User& user, std::string email) { move_key(by_email_, user, user.email, std::move(email)); }

  const std::list<Article>& articles() const { return articles_; }  // the newest first
  Article* article(std::string_view slug) {
    const auto found = by_slug_.find(slug);
    return found == by_slug_.end() ? nullptr : &*found->second;
  }
  Article* add_article(const User& author, std::string title) {
    if (articles_.size() >= kMostArticles) return nullptr;
    Article& made = articles_.emplace_front();
    made.author = &author;
    by_slug_[made.slug = free_slug(title)] = articles_.begin();
    made.title = std::move(title);
    return &made;
  }
  void retitle(Article& article, std::string title) {
    if (slug_of(title) != slug_of(article.title)) {
      auto node = by_slug_.extract(article.slug);
      article.slug = node.key() = free_slug(title);
      by_slug_.insert(std::move(node));
    }
    article.title = std::move(title);
  }
  // In order, and each once.
  void set_tags(Article& article, std::vector<std::string> tags) {
    std::sort(tags.begin(), tags.end());
    tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
    for (const std::string& tag : article.tags) {
      if (--tags_[tag] == 0) tags_.erase(tag);
    }
    for (const std::string& tag : tags) tags_[tag]++;
    article.tags = std::move(tags);
  }
  void remove(Article& article) {
    set_tags(article, {});
    links_ -= article.favorited_by.size();
    comments_ -= article.comments.size();
    auto node = by_slug_.extract(article.slug);
    articles_.erase(node.mapped());
  }

  Comment* add_comment(Article& article, const User& author, std::string body) {
    if (comments_ >= kMostComments) return nullptr;
    comments_++;
    article.comments.push_back({++last_comment_, &author, std::move(body), {}});
    return &article.comments.back();
  }
  void remove(Article& article, std::list<Comment>::iterator comment) {
    article.comments.erase(comment);
    comments_--;
  }

  // Of follows and favourites.
  bool link(std::set<Id>& from, Id to) {
    if (from.contains(to)) return true;
    if (links_ >= kMostLinks) return false;
    links_++;
    return from.insert(to).second;
  }
  void unlink(std::set<Id>& from, Id to) { links_ -= from.erase(to); }

  std::vector<std::string_view> favourite_tags() const {
    std::vector<std::pair<size_t, std::string_view>> all;
    for (const auto& [tag, count] : tags_) all.emplace_back(count, tag);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    std::vector<std::string_view> tags;
    for (size_t i = 0; i < all.size() && i < kTagsShown; i++) tags.push_back(all[i].second);
    return tags;
  }

 private:
  using Users = std::map<std::string, User*, std::less<>>;

  static User* find(const Users& users, std::string_view key) {
    const auto found = users.find(key);
    return found == users.end() ? nullptr : found->second;
  }
  static void move_key(Users& users, User& user, std::string& from, std::string to) {
    users.erase(from);
    users[from = std::move(to)] = &user;
  }
  std::string free_slug(std::string_view title) const {
    const std::string wanted = slug_of(title);
    std::string free = wanted;
    for (int n = 2; free == "feed" || by_slug_.contains(free); n++) free = wanted + "-" + std::to_string(n);  // articles/feed is a route
    return free;
  }

  std::deque<User> users_;
  Users by_name_, by_email_;
  std::list<Article> articles_;
  std::map<std::string, std::list<Article>::iterator, std::less<>> by_slug_;
  std::map<std::string, size_t> tags_;  // by how many articles they have
  size_t comments_ = 0, links_ = 0;
  Id last_comment_ = 0;
};

}  // namespace conduit
