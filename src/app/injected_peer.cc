// See injected_peer.h.
#include "app/injected_peer.h"

#include <charconv>

#include "app/app_access.h"
#include "base/limits.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/socket.h"
#include "sys/socket_pair.h"

namespace martlet::detail {

uint64_t until_ns(milliseconds deadline) noexcept { return sys::monotonic_ns() + uint64_t{base::to_ms(deadline)} * 1'000'000; }

// The connection -------------------------------------------------------------------------------------------------------

const char* InjectedPeer::why_unusable() const noexcept {
  const realtime::RealtimeWorker& w = AppAccess::worker(app_);
  if (w.group) return "inject() is for an App of its own, not for one of a Server.";
  if (w.thread_mark && realtime::here(w.number) != &w) return "inject() is for the App's own thread.";
  if (w.in_turn) return "inject() cannot be called in a callback of the App: it would have to wait for itself.";
  if (w.over) return "The App has ended.";
  return nullptr;
}

std::string InjectedPeer::connect() {
  if (const char* why = why_unusable()) return why;
  realtime::RealtimeWorker& w = AppAccess::worker(app_);
  if (Error error = w.open()) return std::string(error.what());
  const auto pair = sys::make_socket_pair();
  if (!pair) return "No descriptor is left for the connection.";
  fd_ = pair->ends[0];
  w.reactor.adopt(pair->ends[1]);
  return {};
}

InjectedPeer::~InjectedPeer() {
  if (fd_ < 0) return;
  sys::close_socket(fd_);
  // The first turn hears that nothing more comes, the second that nothing is taken any more.
  for (int turns = 0; turns < 2 && !why_unusable(); turns++) app_.poll_once(milliseconds(0));
}

bool InjectedPeer::read_some() {
  char bytes[4096];
  bool moved = false;
  while (!ended_) {
    const sys::IoResult io = sys::receive(fd_, bytes, sizeof bytes);
    if (io.status == sys::IoStatus::would_block) break;
    ended_ = io.status == sys::IoStatus::failed || io.bytes == 0;
    in.append(bytes, io.bytes);
    moved = true;
  }
  return moved;
}

bool InjectedPeer::write_some() {
  if (out.empty() || ended_) return false;
  const sys::IoResult io = sys::transmit(fd_, out.data(), out.size());
  cut_ = io.status == sys::IoStatus::failed;  // an answer may have come before
  out.erase(0, cut_ ? out.size() : io.bytes);
  return io.bytes > 0;
}

bool InjectedPeer::step(uint64_t until_ns) {
  if ((why_ = why_unusable())) return false;
  constexpr uint64_t kNsPerMs = 1'000'000;
  bool moved = read_some();
  moved |= write_some();
  const uint64_t now_ns = sys::monotonic_ns();
  const uint64_t left_ns = until_ns > now_ns && !moved && !ended_ ? until_ns - now_ns : 0;
  app_.poll_once(milliseconds((left_ns + kNsPerMs - 1) / kNsPerMs));
  read_some();
  why_ = ended_ ? "The connection ended before the answer was whole." : "No answer came in time.";
  return !ended_ && sys::monotonic_ns() < until_ns;
}

// A request and its answer ----------------------------------------------------------------------------------------------

bool has_field(const InjectedRequest& request, std::string_view name) noexcept {
  for (const auto& [known, value] : request.fields) {
    if (base::same_text(known, name)) return true;
  }
  return false;
}

std::string text_of(const InjectedRequest& request, std::string_view more) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) { text.append(name).append(": ").append(value).append("\r\n"); };
  const auto line_unless_given = [&](std::string_view name, std::string_view value) {
    if (!has_field(request, name)) line(name, value);
  };
  text.append(request.method).append(" ").append(request.path).append(" HTTP/1.1\r\n");
  line_unless_given("Host", "localhost");
  for (const auto& [name, value] : request.fields) line(name, value);
  const bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body && !has_field(request, "Transfer-Encoding")) line_unless_given("Content-Length", std::to_string(request.body.size()));
  if (request.body.starts_with('{') || request.body.starts_with('[')) line_unless_given("Content-Type", "application/json");
  text.append(more).append("\r\n").append(request.body);
  return text;
}

// A line of the library's own making, or with a name and a value that it has let pass.
void AnswerReader::take_field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == line.npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = line.substr(line[colon + 1 < line.size() ? colon + 1 : colon] == ' ' ? colon + 2 : colon + 1);
  reply.fields.emplace_back(name, value);
  if (base::same_text(name, "content-type")) reply.type = value;
  if (base::same_text(name, "transfer-encoding")) chunked_ = true;
  if (!base::same_text(name, "content-length")) return;
  to_end_ = false;
  std::from_chars(value.data(), value.data() + value.size(), length_);
}

bool AnswerReader::read_head(std::string& in) {
  constexpr size_t kStatusAt = std::string_view("HTTP/1.1 ").size();
  const size_t end = in.find("\r\n\r\n");
  if (end == in.npos) return false;
  const std::string_view head(in.data(), end + 2);
  reply = Reply();
  reply.type.clear();
  reply.status = 0;
  to_end_ = true;
  size_t at = head.find("\r\n") + 2;
  if (at > kStatusAt + 3) std::from_chars(head.data() + kStatusAt, head.data() + kStatusAt + 3, reply.status);
  for (size_t next; at < head.size(); at = next + 2) {
    next = head.find("\r\n", at);
    take_field(head.substr(at, next - at));
  }
  in.erase(0, end + 4);
  if (reply.status < 200 && reply.status != 101) return read_head(in);  // 100 Continue: the answer comes behind it
  no_body_ = no_body_ || reply.status == 101 || reply.status == 204 || reply.status == 304;
  return true;
}

bool AnswerReader::read_chunks(std::string& in) {
  for (;;) {
    const auto step = chunks_.next(base::as_bytes(in));
    reply.body.append(base::as_text(step.data));
    in.erase(0, step.consumed);
    if (step.event != proto::ChunkedDecoder::Event::data) return step.event == proto::ChunkedDecoder::Event::done;
  }
}

bool AnswerReader::read(InjectedPeer& peer) {
  if (!has_head_ && !(has_head_ = read_head(peer.in))) return false;
  if (no_body_) return true;
  if (chunked_) return read_chunks(peer.in);
  const size_t take = to_end_ || length_ - reply.body.size() > peer.in.size() ? peer.in.size() : length_ - reply.body.size();
  reply.body.append(peer.in, 0, take);
  peer.in.erase(0, take);
  return to_end_ ? peer.ended() : reply.body.size() == length_;
}

namespace {

Reply no_answer(std::string_view why) {
  Reply reply(503, why, "");
  reply.failed = true;
  return reply;
}

}  // namespace

Reply converse(InjectedPeer& peer, const InjectedRequest& request, std::string_view more) {
  if (const std::string why = peer.connect(); !why.empty()) return no_answer(why);
  peer.out = text_of(request, more);
  AnswerReader reader(request.method == "HEAD");
  const uint64_t until = until_ns(request.deadline);
  for (bool goes_on = true; !reader.read(peer);) {
    if (!goes_on) return no_answer(peer.why());
    goes_on = peer.step(until);
  }
  return std::move(reader.reply);
}

}  // namespace martlet::detail

namespace martlet {

Reply App::inject(const InjectedRequest& request) {
  detail::InjectedPeer peer(*this);
  return detail::converse(peer, request);
}

}  // namespace martlet
