// rest_api.cc: a JSON API as people write it: posts that can be listed, read, made, changed and taken away.
//
//   rest_api [PORT]      on http://127.0.0.1:3000; 0: any port. API_TOKEN is the token of those who may write ("secret")
//   curl -H 'Authorization: Bearer secret' -H 'Content-Type: application/json' -d '{"title":"Hello","tags":[]}' http://127.0.0.1:3000/posts
//
// Everything is in memory and runs on the thread of App::run. Errors are problems (RFC 9457) for those who prefer JSON.
#include <martlet/martlet.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using namespace martlet::literals;
namespace {

constexpr size_t kMostPosts = 10'000, kTitleBytes = 200;

struct NewPost {
  std::string title;
  std::optional<std::string> text;
  std::vector<std::string> tags;
};
MARTLET_JSON(NewPost, title, text, tags)

struct Post {
  int id = 0;
  std::string title, text;
  std::vector<std::string> tags;
};
MARTLET_JSON(Post, id, title, text, tags)

struct Page {
  size_t page = 1, per_page = 0, total = 0;
  std::vector<Post> posts;
};
MARTLET_JSON(Page, page, per_page, total, posts)

class Store {
 public:
  Page list(size_t page, size_t per_page) const {
    Page answer{page, per_page, posts_.size(), {}};
    size_t at = 0;
    for (const auto& [id, post] : posts_) {
      if (at++ / per_page == page - 1) answer.posts.push_back(post);
    }
    return answer;
  }
  const Post* find(int id) const { return posts_.contains(id) ? &posts_.at(id) : nullptr; }
  const Post& put(int id, NewPost made) { return posts_[id] = Post{id, std::move(made.title), made.text.value_or(""), std::move(made.tags)}; }
  const Post& add(NewPost made) { return put(next_++, std::move(made)); }
  bool remove(int id) { return posts_.erase(id) > 0; }
  bool is_full() const { return posts_.size() >= kMostPosts; }

 private:
  std::map<int, Post> posts_;
  int next_ = 1;
};

std::string_view fault_of(const NewPost& post) {
  if (post.title.empty()) return "title: something must stand there";
  if (post.title.size() > kTitleBytes) return "title: longer than 200 bytes";
  return post.tags.size() > 10 ? "tags: more than 10" : "";
}

void serve(App& app, Store& store, const std::string& token) {
  app.use([](Request&, Response& res, Next next) { res.set("Access-Control-Allow-Origin", "*"), next(); });
  const auto writers = [token](Request& req, Response& res, Next next) {
    if (req.header("authorization") == "Bearer " + token) return next();
    res.set("WWW-Authenticate", "Bearer").fail(401, "a token is wanted");
  };

  app.group("/posts", [&](Router& posts) {
    posts.get("/", [&store](Request& req, Response& res) {
      const auto page = req.query<size_t>("page", 1), per_page = req.query<size_t>("per_page", 20);
      if (page < 1 || page > kMostPosts || per_page < 1 || per_page > 100) return res.fail(400, "page from 1, per_page from 1 to 100");
      res.json(store.list(page, per_page));
    });
    posts.get("/:id<int>", [&store](Request& req, Response& res) {
      const Post* post = store.find(*req.param<int>("id"));
      post ? res.json(*post) : res.fail(404, "no such post");
    });
    posts.post("/", {.max_body_bytes = 64_KiB}, writers, [&store](Request& req, Response& res) {
      auto made = req.json<NewPost>(res);  // else it has answered
      if (!made) return;
      if (const auto fault = fault_of(*made); !fault.empty()) return res.fail(422, fault);
      if (store.is_full()) return res.fail(507, "there are enough posts");
      const Post& post = store.add(std::move(*made));
      res.status(201).set("Location", "/posts/" + std::to_string(post.id)).json(post);
    });
    posts.put("/:id<int>", {.max_body_bytes = 64_KiB}, writers, [&store](Request& req, Response& res) {
      const int id = *req.param<int>("id");
      if (!store.find(id)) return res.fail(404, "no such post");
      auto changed = req.json<NewPost>(res);
      if (!changed) return;
      if (const auto fault = fault_of(*changed); !fault.empty()) return res.fail(422, fault);
      res.json(store.put(id, std::move(*changed)));
    });
    posts.del("/:id<int>", writers, [&store](Request& req, Response& res) {
      store.remove(*req.param<int>("id")) ? res.status(204).end() : res.fail(404, "no such post");
    });
  });
}

}  // namespace

int main(int argc, char** argv) {
  const char* token = std::getenv("API_TOKEN");
  Store store;
  App app({.trailing_slash = TrailingSlash::ignore});
  serve(app, store, token ? token : "secret");
  const auto port = app.listen("127.0.0.1", static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 3000));
  if (!port) return report(port.error());
  std::printf("listening on http://127.0.0.1:%d\n", *port), std::fflush(stdout);
  return app.run();
}
