// browser_page.cc: a page that talks to its own socket, and a chat that puts up with every kind of message.
#include "gallery.h"

#include <string_view>

using namespace martlet;

namespace {

constexpr std::string_view kChatPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WebSocket client</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 1rem auto; padding: 0 1rem; }
  form { display: flex; gap: .5rem; }
  input { flex: 1; min-width: 0; }
  input, button { font: inherit; padding: .4rem .6rem; }
  li { overflow-wrap: anywhere; }
</style>
<h1>WebSocket client</h1>
<p id="state" role="status">Connecting…</p>
<form id="form">
  <input id="text" aria-label="Message" autocomplete="off">
  <button>Send</button>
</form>
<ol id="received" role="log" aria-label="Received"></ol>
<script>
  // Beside this page, wherever that is.
  const ws = new WebSocket(new URL('ws/chat', location.href.replace(/^http/, 'ws')));
  const state = (text) => { document.getElementById('state').textContent = text; };

  ws.onopen = () => {
    state('Connected');
    ws.send(JSON.stringify({ type: 'hello' }));
  };

  ws.onmessage = (event) => {
    const item = document.createElement('li');
    item.textContent = event.data;
    document.getElementById('received').append(item);
  };

  ws.onerror = (error) => {
    console.warn('WebSocket error:', error);
  };

  ws.onclose = () => {
    state('Disconnected');
  };

  function sendMessage(text) {
    if (ws.readyState === WebSocket.OPEN) {
      ws.send(JSON.stringify({
        type: 'message',
        text: text
      }));
    }
  }

  document.getElementById('form').onsubmit = (event) => {
    event.preventDefault();
    const input = document.getElementById('text');
    sendMessage(input.value);
    input.value = '';
  };
</script>
</html>
)html";

// Everybody hears a {type: "message", text}. A hello is answered; and so is what nobody here knows, which is no reason to part.
void receive(const RouteServer& chat, WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  const Json said = read ? *read : Json();
  if (said["type"] == "message") {
    chat.broadcast({{"type", "message"}, {"from", from.id()}, {"text", said["text"].text_or("")}});
  } else if (said["type"] == "hello") {
    from.send({{"type", "welcome"}, {"id", from.id()}});
  } else {
    from.send({{"type", "unknown"}});
  }
}

}  // namespace

void gallery::browser_page(App&, Router& routes) {
  routes.get("/index.html", [](Request&) { return Reply(200, kChatPage, "html"); });
  routes.ws("/ws/chat", [](RouteServer& chat) {
    return [chat](WebSocket ws) {
      ws.on_message([chat](WebSocket from, const Message& message) { receive(chat, from, message); });
    };
  });
}
