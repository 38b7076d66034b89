// The parser of trees: RFC 8259, strictly. It does not recurse: what is open lies on a stack of cells, which grows on the
// heap from 1 KiB in here, and an array or object moves from there to the document when it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "json/cells.h"
#include "json/document.h"
#include "json/scanner.h"
#include "json/unescape.h"

namespace martlet::json {

class Parser {
 public:
  Parser(std::string_view text, const JsonOptions& options) noexcept;
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser();

  // Into `result`, a null. False with `error` filled.
  bool parse(Json& result, JsonError& error) noexcept;

 private:
  static constexpr size_t kInlineCells = 64;
  static constexpr uint32_t kNone = UINT32_MAX;

  // What the loop holds in registers. Whoever is not inlined gets it by value, and answers what has changed.
  struct Hot {
    Scanner::Run run;
    Cell* top;
  };
  const uint8_t* next(Hot& hot) noexcept;
  Cell* push(Hot& hot) noexcept;
  bool run() noexcept;
  bool open(Hot& hot, const uint8_t* at, uint8_t kind) noexcept;
  bool close(Hot& hot) noexcept;
  bool name(Hot& hot, const uint8_t*& at) noexcept;
  bool scalar(Hot& hot, const uint8_t* at) noexcept;
  bool string(Hot& hot, const uint8_t* at) noexcept;
  bool integer(Hot& hot, const uint8_t* at) noexcept;
  bool literal(Hot& hot, const uint8_t* at, std::string_view word, uint8_t tag, uint64_t value) noexcept;

  Cell* grow(Cell* top) noexcept;
  uint32_t close_object(Cell* first, uint32_t count) noexcept;
  bool unescape(const Scanner::Run& run, const uint8_t* at, const uint8_t* stop) noexcept;
  bool long_string(Cell& cell, const char* text, size_t size, uint8_t tag) noexcept;
  bool number(Cell& cell, const uint8_t* at) noexcept;
  bool finish(Json& result) noexcept;

  size_t place_of(const uint8_t* at) const noexcept;
  bool fail(size_t place, const char* what) noexcept;
  bool fail_wanted(const uint8_t* at, const char* wanted) noexcept;
  bool fail_value(const Cell* top, const uint8_t* at) noexcept;
  bool fail_name(const Cell* top, const uint8_t* at) noexcept;

  std::string_view text_;
  const JsonOptions& options_;
  Scanner scanner_;
  DocumentBuilder builder_;
  Unescaped unescaped_;
  const uint8_t* padded_;  // up to here 24 bytes may be read
  const char* what_ = nullptr;
  size_t where_ = 0;
  Cell* begin_;
  Cell* end_;
  uint32_t open_ = kNone;  // the innermost open array or object: its place on the stack. Its cell holds the next one out
  uint32_t depth_ = 0;
  uint32_t max_depth_;
  alignas(Cell) unsigned char inline_[kInlineCells * sizeof(Cell)];  // not initialised
};

}  // namespace martlet::json
