// What one message costs the library, without the kernel: a server whose recv() and send() are replaced by canned
// input and a sink, driven for a given number of messages. Under callgrind the instructions per message repeat
// exactly (the difference of two runs divided by the difference of their messages): see mk/bench.mk.
//
//   messages_bench CASE MESSAGES     cases: http, http-browser, echo-20, echo-1k, echo-16k, echo-16k-utf8
#include <martlet/martlet.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "proto/ws_frame.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

using namespace martlet;

namespace {

std::string input;          // what every recv() answers
size_t messages_per_read;
size_t sent_bytes;
bool canned = false;        // off during connect and handshake

ssize_t fake_recv(int fd, void* to, size_t size, int flags) {
  if (!canned) return ::recv(fd, to, size, flags);
  if (size < input.size()) std::abort();
  std::memcpy(to, input.data(), input.size());
  return static_cast<ssize_t>(input.size());
}

ssize_t fake_send(int fd, const void* bytes, size_t size, int flags) {
  if (!canned) return ::send(fd, bytes, size, flags);
  sent_bytes += size;
  return static_cast<ssize_t>(size);
}

ssize_t fake_sendmsg(int fd, const msghdr* message, int flags) {
  if (!canned) return ::sendmsg(fd, message, flags);
  size_t size = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  sent_bytes += size;
  return static_cast<ssize_t>(size);
}

std::string frames(size_t size, size_t count, bool text, bool cyrillic) {
  std::string all;
  for (size_t n = 0; n < count; n++) {
    std::string payload;
    while (payload.size() < size) payload += cyrillic ? "\xd0\x9f\xd1\x80 " : "abcdefgh";
    payload.resize(size);
    if (cyrillic) payload[size - 1] = payload[size - 2] = 'x';
    uint8_t header[proto::kMaxFrameHeader];
    const size_t bytes =
        proto::encode_frame_header(header, text ? proto::Opcode::text : proto::Opcode::binary, payload.size());
    header[1] |= 0x80;
    const char key[4] = {0x12, 0x34, 0x56, static_cast<char>(0x78 + n)};
    all.append(reinterpret_cast<char*>(header), bytes).append(key, 4);
    for (size_t i = 0; i < payload.size(); i++) all.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  }
  return all;
}

const char kShort[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: loadgen\r\nAccept: */*\r\n\r\n";

std::string browser_head(size_t n) {
  return "GET /?page=" + std::to_string(n * 7 + 1) +
         "&sort=new HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nConnection: keep-alive\r\n"
         "sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n"
         "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
         "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0\r\n"
         "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
         "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
         "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
         "Cookie: session=" + std::to_string(n * 1234567) + "; theme=dark\r\n\r\n";
}

void choose(const std::string& name) {
  messages_per_read = 16;
  if (name == "http") {
    for (int i = 0; i < 16; i++) input += kShort;
  } else if (name == "http-browser") {
    for (size_t i = 0; i < 16; i++) input += browser_head(i);
  } else if (name == "echo-20") {
    input = frames(20, 16, true, false);
  } else if (name == "echo-1k") {
    input = frames(1024, 16, true, false);
  } else if (name == "echo-1k-utf8") {
    input = frames(1024, 16, true, true);
  } else if (name == "echo-16k") {
    input = frames(16384, 16, true, false);
  } else if (name == "echo-16k-utf8") {
    input = frames(16384, 16, true, true);
  } else {
    std::fputs("unknown case\n", stderr);
    std::exit(2);
  }
}

void connect_client(App& app, bool websocket) {
  auto fd = sys::connect_to("127.0.0.1", app.port());
  if (!fd) std::exit(report(fd.error()));
  for (int i = 0; i < 3; i++) app.poll_once(milliseconds(50));
  const std::string_view handshake =
      "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  if (websocket) sys::transmit(*fd, handshake.data(), handshake.size());
  for (int i = 0; i < 3; i++) app.poll_once(milliseconds(50));
  sys::transmit(*fd, "x", 1);  // never read: the socket stays readable
  canned = true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: messages_bench CASE MESSAGES\n", stderr), 2;
  choose(argv[1]);
  sys::syscalls.recv = fake_recv;
  sys::syscalls.send = fake_send;
  sys::syscalls.sendmsg = fake_sendmsg;
  App app;
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.ws("/echo", {.message = [](WebSocket from, const Message& msg) { from.send(msg); }});
  if (auto port = app.listen("127.0.0.1", 0); !port) return report(port.error());
  connect_client(app, std::strncmp(argv[1], "echo", 4) == 0);
  const size_t wanted = std::strtoull(argv[2], nullptr, 10);
  size_t done = 0;
  while (done < wanted && app.poll_once(milliseconds(1000))) done += messages_per_read;
  std::printf("%s %zu messages, %zu bytes sent\n", argv[1], done, sent_bytes);
  return sent_bytes > 0 ? 0 : 1;
}
