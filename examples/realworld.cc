// realworld.cc: Conduit, the blog that many servers are compared by: the backend of https://github.com/gothinkster/realworld,
// by its specification. People register, write articles, comment on them, mark them as favourites and follow each other.
//
//   realworld [PORT]     on http://127.0.0.1:3000/api; 0: any port. JWT_SECRET (32 bytes or more) signs the tokens: without, they end with the process
//
// Everything is in memory (realworld_store.h) and runs on the thread of App::run; all that somebody can make grow has a limit.
// What a service has to do for passwords beyond this is told in realworld_passwords.h.
#include <martlet/martlet.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "realworld_store.h"

using namespace martlet;
using namespace martlet::literals;
using namespace conduit;
namespace {

constexpr size_t kNameBytes = 64, kLineBytes = 256, kTextBytes = 1'024, kCommentBytes = 2'048, kBodyBytes = 32'768;
constexpr size_t kMostTags = 10, kTagBytes = 64, kMostPerPage = 100;
constexpr auto kTokenLife = 24h * 60;

// What is sent -----------------------------------------------------------------------------------------------------------

struct UserInput {
  std::optional<std::string> username, email, password, bio, image;
};
MARTLET_JSON(UserInput, username, email, password, bio, image)
struct UserBody {
  UserInput user;
};
MARTLET_JSON(UserBody, user)

struct ArticleInput {
  std::optional<std::string> title, description, body;
  std::optional<std::vector<std::string>> tagList;
};
MARTLET_JSON(ArticleInput, title, description, body, tagList)
struct ArticleBody {
  ArticleInput article;
};
MARTLET_JSON(ArticleBody, article)

struct CommentInput {
  std::optional<std::string> body;
};
MARTLET_JSON(CommentInput, body)
struct CommentBody {
  CommentInput comment;
};
MARTLET_JSON(CommentBody, comment)

struct Account {
  std::string_view email;
  std::string token;
  std::string_view username, bio;
  Json image;  // a text or null: an empty std::optional would be left out
};
MARTLET_JSON(Account, email, token, username, bio, image)

struct Profile {
  std::string_view username, bio;
  Json image;
  bool following = false;
};
MARTLET_JSON(Profile, username, bio, image, following)

struct ArticleView {
  std::string_view slug, title, description;
  std::optional<std::string_view> body;  // not in lists
  std::span<const std::string> tagList;
  Instant createdAt, updatedAt;
  bool favorited = false;
  size_t favoritesCount = 0;
  Profile author;
};
MARTLET_JSON(ArticleView, slug, title, description, body, tagList, createdAt, updatedAt, favorited, favoritesCount, author)

struct ArticleList {
  std::vector<ArticleView> articles;
  size_t articlesCount = 0;  // without limit and offset
};
MARTLET_JSON(ArticleList, articles, articlesCount)

struct CommentView {
  Id id = 0;
  Instant createdAt, updatedAt;
  std::string_view body;
  Profile author;
};
MARTLET_JSON(CommentView, id, createdAt, updatedAt, body, author)

struct CommentList {
  std::vector<CommentView> comments;
};
MARTLET_JSON(CommentList, comments)

Json image_of(const User& user) { return user.image.empty() ? Json() : Json(user.image); }

Profile view(const User& user, const User* viewer) {
  return {user.username, user.bio, image_of(user), viewer && viewer->follows.contains(user.id)};
}

ArticleView view(const Article& article, const User* viewer, bool whole = true) {
  const bool favorited = viewer && article.favorited_by.contains(viewer->id);
  return {article.slug, article.title, article.description, whole ? std::optional<std::string_view>(article.body) : std::nullopt,
          article.tags, article.created, article.updated, favorited, article.favorited_by.size(), view(*article.author, viewer)};
}

CommentView view(const Comment& comment, const User* viewer) {
  return {comment.id, comment.created, comment.created, comment.body, view(*comment.author, viewer)};
}

// All errors look like this.
void send_errors(Response& res, int status, const Json& texts) { res.status(status).json({{"errors", {{"body", texts}}}}); }

// What is wrong with a body: all of it, not only what comes first.
class Faults {
 public:
  void add(std::string text) { texts_.push_back(std::move(text)); }
  void check(std::string name, const std::optional<std::string>& value, size_t most, bool required = false) {
    if (value ? value->find_first_not_of(" \t\r\n") == value->npos : required) add(name + " can't be blank");
    check_size(name, value, most);
  }
  void check_size(const std::string& name, const std::optional<std::string>& value, size_t most) {
    if (value && value->size() > most) add(name + " is too long (at most " + std::to_string(most) + " bytes)");
  }
  bool send(Response& res) const {
    if (!texts_.empty()) send_errors(res, 422, texts_);
    return !texts_.empty();
  }

 private:
  std::vector<std::string> texts_;
};

// The API ----------------------------------------------------------------------------------------------------------------

// Who asks. Steps run as soon as the head of a request is there, its handler when the body is: what a step finds must still be
// there then. Users are, articles need not be, so the handlers look those up.
struct Viewer {
  User* user = nullptr;
};
User* viewer_of(const Request& req) { return req.data<Viewer>().user; }

void allow_other_origins(Request& req, Response& res, Next next) {
  res.set("Access-Control-Allow-Origin", "*");
  if (req.method() != "OPTIONS" || !req.header("Access-Control-Request-Method")) return next();
  res.set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE").set("Access-Control-Allow-Headers", "Authorization, Content-Type");
  res.set("Access-Control-Max-Age", "7200").status(204).end();
}

void members_only(Request& req, Response& res, Next next) {
  if (viewer_of(req)) return next();
  res.set("WWW-Authenticate", "Token").fail(401, "a token is wanted");
}

class Conduit {
  // One of the functions below as a handler.
  auto on(void (Conduit::*handler)(Request&, Response&)) {
    return [this, handler](Request& req, Response& res) { (this->*handler)(req, res); };
  }

 public:
  Conduit(std::string secret, const jwt::Key& key) : secret_(std::move(secret)), verifier_(key, {.required = {"exp"}}) {}

  void serve(App& app) {
    app.use(allow_other_origins);
    app.on_error([](const Failure& failure, Request&, Response& res) {
      const int status = failure.status == 400 ? 422 : failure.status;  // the specification's word for all that is wrong with a request
      send_errors(res, status, Json::array({failure.text}));
    });
    app.not_found([] { return fail(404, "there is nothing here"); });
    app.group("/api", [this](Router& api) {
      api.post("/users", on(&Conduit::register_user)).post("/users/login", on(&Conduit::log_in));  // an old token does no harm there
      api.use([this](Request& req, Response& res, Next next) { identify(req, res, next); });
      api.get("/user", members_only, on(&Conduit::current_user)).put("/user", members_only, on(&Conduit::update_user));
      api.get("/profiles/:username", on(&Conduit::profile));
      api.post("/profiles/:username/follow", members_only, on(&Conduit::follow)).del("/profiles/:username/follow", members_only, on(&Conduit::unfollow));
      api.get("/tags", [this] { return Json{{"tags", store_.favourite_tags()}}; });
      api.group("/articles", [this](Router& articles) { serve_articles(articles); });
    });
  }

 private:
  void serve_articles(Router& articles) {
    articles.get("/", on(&Conduit::list)).post("/", members_only, on(&Conduit::write));
    articles.get("/feed", members_only, on(&Conduit::feed));
    articles.get("/:slug", on(&Conduit::read)).put("/:slug", members_only, on(&Conduit::rewrite)).del("/:slug", members_only, on(&Conduit::remove));
    articles.post("/:slug/favorite", members_only, on(&Conduit::favorite)).del("/:slug/favorite", members_only, on(&Conduit::unfavorite));
    articles.get("/:slug/comments", on(&Conduit::comments)).post("/:slug/comments", members_only, on(&Conduit::comment));
    articles.del("/:slug/comments/:id<int>", members_only, on(&Conduit::remove_comment));
  }

  // Authorization: Token jwt.token.here. Without it somebody is nobody; with one that is not good, wrong here.
  void identify(Request& req, Response& res, const Next& next) {
    const std::string_view sent = req.header("Authorization").value_or("");
    if (sent.empty()) return next();
    const size_t scheme = sent.starts_with("Token ") ? 6 : sent.starts_with("Bearer ") ? 7 : sent.size();
    const auto claims = verifier_.verify(sent.substr(scheme));
    const auto id = claims ? (*claims)["id"].as<uint64_t>() : std::nullopt;
    User* user = id ? store_.user(*id) : nullptr;
    if (!user) return res.set("WWW-Authenticate", "Token").fail(401, "the token is not good, or not any more");
    req.data<Viewer>().user = user;
    next();
  }

  static void full(Response& res) { res.fail(507, "this server is full"); }

  // Users.

  void send_account(Response& res, const User& user) const {
    const auto token = jwt::sign({{"id", user.id}}, secret_, kTokenLife);
    if (!token) return res.fail(500, token.error().what());
    res.json({{"user", Account{user.email, *token, user.username, user.bio, image_of(user)}}});
  }

  Faults faults_of(const UserInput& input, const User* user) {
    Faults faults;
    const auto is_taken = [user](const User* other) { return other && other != user; };
    faults.check("username", input.username, kNameBytes, !user);
    faults.check("email", input.email, kLineBytes, !user);
    faults.check("password", input.password, kLineBytes, !user);
    faults.check_size("bio", input.bio, kTextBytes);
    faults.check_size("image", input.image, kTextBytes);
    if (input.email && input.email->find('@') == std::string::npos) faults.add("email is invalid");
    if (input.username && is_taken(store_.user_named(*input.username))) faults.add("username has already been taken");
    if (input.email && is_taken(store_.user_of_email(*input.email))) faults.add("email has already been taken");
    return faults;
  }

  void change(User& user, UserInput input) {
    if (input.username) store_.rename(user, std::move(*input.username));
    if (input.email) store_.set_email(user, std::move(*input.email));
    if (input.password) user.password = passwords::hash_password(user.salt, *input.password);
    if (input.bio) user.bio = std::move(*input.bio);
    if (input.image) user.image = std::move(*input.image);
  }

  void register_user(Request& req, Response& res) {
    auto body = req.json<UserBody>(res);
    if (!body || faults_of(body->user, nullptr).send(res)) return;
    User* user = store_.add_user();
    if (!user) return full(res);
    change(*user, std::move(body->user));
    send_account(res.status(201), *user);
  }

  void log_in(Request& req, Response& res) {
    auto body = req.json<UserBody>(res);
    if (!body) return;
    const User* user = store_.user_of_email(body->user.email.value_or(""));
    // Nobody learns by the time it takes which addresses are known.
    const auto digest = passwords::hash_password(user ? user->salt : "nobody's salt...", body->user.password.value_or(""));
    if (!user || !passwords::same(passwords::bytes_of(digest), passwords::bytes_of(user->password))) return res.fail(401, "email or password is invalid");
    send_account(res, *user);
  }

  void current_user(Request& req, Response& res) { send_account(res, *viewer_of(req)); }

  void update_user(Request& req, Response& res) {
    auto body = req.json<UserBody>(res);
    if (!body || faults_of(body->user, viewer_of(req)).send(res)) return;
    change(*viewer_of(req), std::move(body->user));
    send_account(res, *viewer_of(req));
  }

  // Profiles.

  User* find_user(Request& req, Response& res) {
    User* user = store_.user_named(req.param("username"));
    if (!user) res.fail(404, "there is nobody of this name");
    return user;
  }

  void profile(Request& req, Response& res) {
    if (const User* user = find_user(req, res)) res.json({{"profile", view(*user, viewer_of(req))}});
  }

  void follow(Request& req, Response& res) {
    const User* user = find_user(req, res);
    if (user && !store_.link(viewer_of(req)->follows, user->id)) return full(res);
    if (user) res.json({{"profile", view(*user, viewer_of(req))}});
  }

  void unfollow(Request& req, Response& res) {
    const User* user = find_user(req, res);
    if (!user) return;
    store_.unlink(viewer_of(req)->follows, user->id);
    res.json({{"profile", view(*user, viewer_of(req))}});
  }

  // Articles.

  Article* find_article(Request& req, Response& res) {
    Article* article = store_.article(req.param("slug"));
    if (!article) res.fail(404, "there is no such article");
    return article;
  }
  Article* find_own_article(Request& req, Response& res) {
    Article* article = find_article(req, res);
    if (!article || article->author == viewer_of(req)) return article;
    return res.fail(403, "this is somebody else's article"), nullptr;
  }
  static void send_article(Request& req, Response& res, const Article& article) { res.json({{"article", view(article, viewer_of(req))}}); }

  template <typename Wanted>
  void send_page(Request& req, Response& res, Wanted&& is_wanted) {
    const auto limit = req.query<size_t>("limit", 20), offset = req.query<size_t>("offset", 0);
    if (limit < 1) return res.fail(422, "limit must be at least 1");
    ArticleList page;
    for (const Article& article : store_.articles()) {
      if (!is_wanted(article)) continue;
      const bool is_shown = page.articlesCount++ >= offset && page.articles.size() < std::min(limit, kMostPerPage);
      if (is_shown) page.articles.push_back(view(article, viewer_of(req), false));
    }
    res.json(page);
  }

  void list(Request& req, Response& res) {
    const auto tag = req.query("tag"), author = req.query("author"), favorited = req.query("favorited");
    const User* fan = favorited ? store_.user_named(*favorited) : nullptr;
    send_page(req, res, [&](const Article& article) {
      if (tag && std::find(article.tags.begin(), article.tags.end(), *tag) == article.tags.end()) return false;
      if (author && article.author->username != *author) return false;
      return !favorited || (fan && article.favorited_by.contains(fan->id));
    });
  }

  void feed(Request& req, Response& res) {
    send_page(req, res, [&](const Article& article) { return viewer_of(req)->follows.contains(article.author->id); });
  }

  static Faults faults_of(const ArticleInput& input, bool is_new) {
    Faults faults;
    faults.check("title", input.title, kLineBytes, is_new);
    faults.check("description", input.description, kTextBytes, is_new);
    faults.check("body", input.body, kBodyBytes, is_new);
    if (input.tagList && input.tagList->size() > kMostTags) faults.add("tagList is too long (at most 10 tags)");
    for (const std::string& tag : input.tagList.value_or(std::vector<std::string>())) faults.check("tag", tag, kTagBytes);
    return faults;
  }

  void change(Article& article, ArticleInput input) {
    if (input.title) store_.retitle(article, std::move(*input.title));
    if (input.description) article.description = std::move(*input.description);
    if (input.body) article.body = std::move(*input.body);
    if (input.tagList) store_.set_tags(article, std::move(*input.tagList));
  }

  void write(Request& req, Response& res) {
    auto sent = req.json<ArticleBody>(res);
    if (!sent || faults_of(sent->article, true).send(res)) return;
    Article* article = store_.add_article(*viewer_of(req), *sent->article.title);
    if (!article) return full(res);
    change(*article, std::move(sent->article));
    send_article(req, res.status(201), *article);
  }

  void read(Request& req, Response& res) {
    if (const Article* article = find_article(req, res)) send_article(req, res, *article);
  }

  void rewrite(Request& req, Response& res) {
    Article* article = find_own_article(req, res);
    if (!article) return;
    auto sent = req.json<ArticleBody>(res);
    if (!sent || faults_of(sent->article, false).send(res)) return;
    change(*article, std::move(sent->article));
    article->updated = Instant();
    send_article(req, res, *article);
  }

  void remove(Request& req, Response& res) {
    Article* article = find_own_article(req, res);
    if (!article) return;
    store_.remove(*article);
    res.status(204).end();
  }

  void favorite(Request& req, Response& res) {
    Article* article = find_article(req, res);
    if (article && !store_.link(article->favorited_by, viewer_of(req)->id)) return full(res);
    if (article) send_article(req, res, *article);
  }

  void unfavorite(Request& req, Response& res) {
    Article* article = find_article(req, res);
    if (!article) return;
    store_.unlink(article->favorited_by, viewer_of(req)->id);
    send_article(req, res, *article);
  }

  // Comments.

  void comments(Request& req, Response& res) {
    const Article* article = find_article(req, res);
    if (!article) return;
    CommentList list;
    for (const Comment& comment : article->comments) list.comments.push_back(view(comment, viewer_of(req)));
    res.json(list);
  }

  void comment(Request& req, Response& res) {
    Article* article = find_article(req, res);
    if (!article) return;
    auto sent = req.json<CommentBody>(res);
    if (!sent) return;
    Faults faults;
    faults.check("body", sent->comment.body, kCommentBytes, true);
    if (faults.send(res)) return;
    const Comment* comment = store_.add_comment(*article, *viewer_of(req), std::move(*sent->comment.body));
    if (!comment) return full(res);
    res.json({{"comment", view(*comment, viewer_of(req))}});
  }

  void remove_comment(Request& req, Response& res) {
    Article* article = find_article(req, res);
    if (!article) return;
    const auto id = req.param<Id>("id");
    const auto is_it = [&](const Comment& comment) { return comment.id == *id; };
    const auto comment = std::find_if(article->comments.begin(), article->comments.end(), is_it);
    if (comment == article->comments.end()) return res.fail(404, "there is no such comment");
    if (comment->author != viewer_of(req)) return res.fail(403, "this is somebody else's comment");
    store_.remove(*article, comment);
    res.status(204).end();
  }

  std::string secret_;
  jwt::Verifier verifier_;
  Store store_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* secret = std::getenv("JWT_SECRET");
  const std::string signs = secret ? secret : passwords::random_bytes();
  const auto key = jwt::Key::secret(signs);
  if (!key) return report(key.error());
  Conduit conduit(signs, *key);
  App app({.max_body_bytes = 64_KiB, .trailing_slash = TrailingSlash::ignore});
  conduit.serve(app);
  const auto port = app.listen("127.0.0.1", static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 3000));
  if (!port) return report(port.error());
  std::printf("listening on http://127.0.0.1:%d\n", *port), std::fflush(stdout);
  return app.run();
}
