// The client's end of a connection that never leaves the process: what App::inject() and App::inject_ws() speak through. The
// other end is an ordinary connection of the App's, so that all between the socket and the handler is what it always is.
// One thread gives the App its turns and moves the bytes, so nothing is waited for that only this end could bring.
#pragma once

#include <martlet/app.h>
#include <martlet/inject.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http_chunked.h"

namespace martlet::detail {

// A point in time; 0 ms: now.
uint64_t until_ns(milliseconds deadline) noexcept;

class InjectedPeer {
 public:
  explicit InjectedPeer(App& app) noexcept : app_(app) {}
  InjectedPeer(const InjectedPeer&) = delete;
  InjectedPeer& operator=(const InjectedPeer&) = delete;
  // The App sees the end in turns of its own.
  ~InjectedPeer();

  // Empty, or why there can be no connection.
  std::string connect();
  // Moves what can be moved, and gives the App a turn, which waits for something to happen when nothing did. False: no
  // more will come, or the time is over.
  bool step(uint64_t until_ns);
  // Why the last step answered false.
  const char* why() const noexcept { return why_; }
  bool ended() const noexcept { return ended_; }
  // The App has not taken all that was written.
  bool cut() const noexcept { return cut_ || !out.empty(); }

  std::string in;   // what has come, as far as it was not taken
  std::string out;  // what has not left yet

 private:
  const char* why_unusable() const noexcept;
  bool read_some();
  bool write_some();

  App& app_;
  int fd_ = -1;
  bool ended_ = false;
  bool cut_ = false;
  const char* why_ = "";
};

// The request as it is written; `more` are field lines behind its own.
std::string text_of(const InjectedRequest& request, std::string_view more = {});
// Whether one of its fields has this name.
bool has_field(const InjectedRequest& request, std::string_view name) noexcept;

// Takes an answer, or what has come of it, off `peer`: true when it is whole.
class AnswerReader {
 public:
  explicit AnswerReader(bool to_head) noexcept : no_body_(to_head) {}
  bool read(InjectedPeer& peer);

  Reply reply;

 private:
  bool read_head(std::string& in);
  void take_field(std::string_view line);
  bool read_chunks(std::string& in);

  bool has_head_ = false;
  bool no_body_;
  bool chunked_ = false;
  bool to_end_ = false;    // of the connection
  uint64_t length_ = 0;
  proto::ChunkedDecoder chunks_;
};

// Sends the request, and gives the App turns until its answer is there. `failed` when there is none: the text says why.
Reply converse(InjectedPeer& peer, const InjectedRequest& request, std::string_view more = {});

}  // namespace martlet::detail
