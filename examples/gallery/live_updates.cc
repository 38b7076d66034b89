// live_updates.cc: an API of posts, and a WebSocket that tells of changes to those who have subscribed to a channel:
//
//   {"type": "subscribe", "channel": "posts"}      {"type": "unsubscribe", "channel": "post-1"}
//
// "posts" tells of all posts, "post-1" of that one. Both ask for the token of private_chat.cc:
//
//   curl -H "Authorization: Bearer $(curl -s localhost:3000/token/ann@example.com)" --json '{"title": "Hello"}' localhost:3000/api/posts
#include "demo_token.h"
#include "gallery.h"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxPosts = 1000;    // the oldest goes
constexpr size_t kMaxChannels = 100;  // of one client

struct Draft {
  std::string title, text;
};
MARTLET_JSON(Draft, title, text)

struct Post {
  int id = 0;
  std::string title, text;
};
MARTLET_JSON(Post, id, title, text)

class Posts {
 public:
  const Post& add(Draft draft) {
    if (posts_.size() == kMaxPosts) posts_.erase(posts_.begin());
    const int id = ++last_;
    return posts_[id] = {id, std::move(draft.title), std::move(draft.text)};
  }
  // Null when there is none.
  const Post* update(int id, Draft draft) {
    const auto found = posts_.find(id);
    if (found == posts_.end()) return nullptr;
    found->second = {id, std::move(draft.title), std::move(draft.text)};
    return &found->second;
  }

 private:
  std::map<int, Post> posts_;
  int last_ = 0;
};

void refuse(WebSocket from, std::string_view why) { from.send({{"type", "error"}, {"message", why}}); }

void subscribe(WebSocket from, std::string_view channel, const Channels& channels) {
  if (from.rooms().size() >= kMaxChannels || !channels.subscribe(channel, from)) return refuse(from, "Cannot subscribe");
  from.send({{"type", "subscribed"}, {"channel", channel}});
}

void receive(WebSocket from, const Message& message, const Channels& channels) {
  const JsonResult<Json> said = message.json();
  if (message.is_binary() || !said || !said->is_object()) return refuse(from, "Invalid message format");
  const std::string_view type = (*said)["type"].text_or("");
  if (type != "subscribe" && type != "unsubscribe") return refuse(from, "Unknown message type");
  const std::string_view channel = (*said)["channel"].text_or("");
  if (channel.empty()) return refuse(from, "Invalid message format");
  if (type == "subscribe") return subscribe(from, channel, channels);
  channels.unsubscribe(channel, from);
  from.send({{"type", "unsubscribed"}, {"channel", channel}});
}

}  // namespace

void gallery::live_updates(App& app, Router& routes) {
  const Channels channels(app, "live_updates/");
  const auto posts = std::make_shared<Posts>();
  const AuthGuard authenticate = jwt_auth({.error_first = true, .from = TokenFrom::header_or_query, .secret = token_secret()});

  // A client's subscriptions end with it, and a channel with its last subscriber.
  routes.ws("/live", {.max_message_bytes = 4_KiB}, authenticate, [channels](WebSocket ws) {
    ws.on_message([channels](WebSocket from, const Message& message) { receive(from, message, channels); });
  });

  routes.post("/api/posts", {.max_body_bytes = 16_KiB}, authenticate, [channels, posts](Request& req, Response& res) {
    auto draft = req.json<Draft>(res);  // else it has answered
    if (!draft) return;
    const Post& post = posts->add(std::move(*draft));
    channels.publish("posts", {{"type", "new-post"}, {"post", post}});
    res.json({{"success", true}, {"post", post}});
  });

  routes.put("/api/posts/:id<int>", {.max_body_bytes = 16_KiB}, authenticate, [channels, posts](Request& req, Response& res) {
    auto draft = req.json<Draft>(res);
    if (!draft) return;
    const Post* post = posts->update(*req.param<int>("id"), std::move(*draft));
    if (!post) return res.fail(404, "No such post");
    channels.publish("posts", {{"type", "post-updated"}, {"post", *post}});
    channels.publish("post-" + std::to_string(post->id), {{"type", "updated"}, {"post", *post}});
    res.json({{"success", true}, {"post", *post}});
  });
  add_tokens(routes);
}
