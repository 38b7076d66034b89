// See log_format.h.
#include "guards/log_format.h"

#include <charconv>
#include <chrono>
#include <cstring>

#include "codec/ip_address.h"
#include "guards/log_text.h"

namespace martlet::guards {

namespace {

struct Named {
  const char* name;
  LogToken token;
  LogText text;
};
// A longer name before one that it begins with.
constexpr Named kTokens[] = {
    {":remote-addr", LogToken::text, LogText::ip}, {":remote-user", LogToken::text, LogText::user}, {":method", LogToken::text, LogText::method},
    {":url", LogToken::text, LogText::url}, {":referrer", LogToken::text, LogText::referrer}, {":user-agent", LogToken::text, LogText::agent},
    {":id", LogToken::text, LogText::id}, {":route", LogToken::text, LogText::route}, {":http-version", LogToken::http_version, {}},
    {":status", LogToken::status, {}}, {":bytes", LogToken::bytes, {}}, {":response-time", LogToken::response_time, {}},
    {":date[clf]", LogToken::date_clf, {}}, {":date[iso]", LogToken::date_iso, {}}, {":aborted", LogToken::aborted, {}}};

const Named* token_at(std::string_view text) noexcept {
  for (const Named& named : kTokens) {
    if (text.starts_with(named.name)) return &named;
  }
  return nullptr;
}

bool is_letter(char c) noexcept { return c >= 'a' && c <= 'z'; }

void append_two(std::string& line, unsigned number) {
  line.push_back(static_cast<char>('0' + number / 10 % 10));
  line.push_back(static_cast<char>('0' + number % 10));
}

struct Moment {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> time;
  explicit Moment(std::chrono::system_clock::time_point at)
      : date(std::chrono::floor<std::chrono::days>(at)),
        time(std::chrono::floor<std::chrono::milliseconds>(at - std::chrono::floor<std::chrono::days>(at))) {}
};

void append_time(std::string& line, const Moment& at) {
  append_two(line, static_cast<unsigned>(at.time.hours().count()));
  line.push_back(':');
  append_two(line, static_cast<unsigned>(at.time.minutes().count()));
  line.push_back(':');
  append_two(line, static_cast<unsigned>(at.time.seconds().count()));
}

// As Apache's %t has it, without its brackets.
void append_clf_date(std::string& line, std::chrono::system_clock::time_point time) {
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Moment at(time);
  append_two(line, static_cast<unsigned>(at.date.day()));
  line.append("/").append(kMonths[(static_cast<unsigned>(at.date.month()) - 1) % 12]).append("/");
  append_number(line, static_cast<uint64_t>(static_cast<int>(at.date.year())));
  line.push_back(':');
  append_time(line, at);
  line.append(" +0000");
}

void append_ms(std::string& line, uint64_t ns) {
  append_number(line, ns / 1'000'000);
  line.push_back('.');
  line.push_back(static_cast<char>('0' + ns / 100'000 % 10));
  append_two(line, static_cast<unsigned>(ns / 1000 % 100));
}

// A record taken apart.
struct Parts {
  RequestLog log;
  std::string_view texts[kLogTexts];
  char ip[codec::kIpAddressText];
  explicit Parts(std::string_view record) noexcept {
    std::memcpy(&log, record.data(), sizeof log);
    record.remove_prefix(sizeof log);
    for (size_t i = 0; i < kLogTexts; i++) {
      texts[i] = record.substr(0, log.sizes[i]);
      record.remove_prefix(log.sizes[i]);
    }
    const codec::IpAddress address{log.ip};
    if (address != codec::IpAddress()) texts[static_cast<size_t>(LogText::ip)] = {ip, codec::format_ip_address(address, ip)};
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  std::string_view of(LogText text) const noexcept { return texts[static_cast<size_t>(text)]; }
};

void append_piece(std::string& line, const LogPiece& piece, const Parts& parts, std::chrono::system_clock::time_point time) {
  switch (piece.token) {
    case LogToken::literal: line.append(piece.literal); break;
    case LogToken::text:
      if (parts.of(piece.text).empty()) line.push_back('-');
      else append_escaped(line, parts.of(piece.text));
      break;
    case LogToken::http_version: line.append(parts.log.http_minor ? "1.1" : "1.0"); break;
    case LogToken::status: append_number(line, parts.log.status); break;
    case LogToken::bytes: append_number(line, parts.log.bytes); break;
    case LogToken::response_time: append_ms(line, parts.log.duration_ns); break;
    case LogToken::date_clf: append_clf_date(line, time); break;
    case LogToken::date_iso: append_iso_date(line, time); break;
    case LogToken::aborted: line.append(parts.log.aborted ? "aborted" : "-"); break;
  }
}

void write_json(const Parts& parts, std::chrono::system_clock::time_point time, std::string& line) {
  constexpr const char* kNames[kLogTexts] = {"ip", "user", "method", "url", "referrer", "userAgent", "id", "route"};
  line.append("{\"time\":\"");
  append_iso_date(line, time);
  line.push_back('"');
  for (size_t i = 0; i < kLogTexts; i++) {
    if (parts.texts[i].empty()) continue;
    line.append(",\"").append(kNames[i]).append("\":");
    append_json(line, parts.texts[i]);
  }
  line.append(",\"status\":");
  append_number(line, parts.log.status);
  line.append(",\"bytes\":");
  append_number(line, parts.log.bytes);
  line.append(",\"ms\":");
  append_ms(line, parts.log.duration_ns);
  line.append(parts.log.aborted ? ",\"aborted\":true}" : "}");
}

}  // namespace

void append_number(std::string& line, uint64_t number) {
  char text[20];
  line.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, number).ptr - text));
}

void append_iso_date(std::string& line, std::chrono::system_clock::time_point time) {
  const Moment at(time);
  append_number(line, static_cast<uint64_t>(static_cast<int>(at.date.year())));
  line.push_back('-');
  append_two(line, static_cast<unsigned>(at.date.month()));
  line.push_back('-');
  append_two(line, static_cast<unsigned>(at.date.day()));
  line.push_back('T');
  append_time(line, at);
  const auto ms = static_cast<unsigned>(at.time.subseconds().count());
  line.push_back('.');
  line.push_back(static_cast<char>('0' + ms / 100 % 10));
  append_two(line, ms % 100);
  line.push_back('Z');
}

RequestFormat RequestFormat::json() {
  RequestFormat format;
  format.is_json_ = true;
  format.needed_ = (1u << kLogTexts) - 1;
  return format;
}

Error RequestFormat::parse(std::string_view tokens, RequestFormat& format) {
  while (!tokens.empty()) {
    const Named* named = token_at(tokens);
    if (named) {
      format.pieces_.push_back({.token = named->token, .text = named->text});
      if (named->token == LogToken::text) format.need(named->text);
      tokens.remove_prefix(std::strlen(named->name));
      continue;
    }
    if (tokens[0] == ':' && tokens.size() > 1 && is_letter(tokens[1])) {
      return Error::of({"logger: no such token: ", tokens.substr(0, tokens.find(' '))});
    }
    if (static_cast<unsigned char>(tokens[0]) < ' ') return Error("logger: a format is one line");
    if (format.pieces_.empty() || format.pieces_.back().token != LogToken::literal) format.pieces_.emplace_back();
    format.pieces_.back().literal.push_back(tokens[0]);
    tokens.remove_prefix(1);
  }
  return {};
}

void RequestFormat::write(const LogRecord& record, std::string& line) const {
  const Parts parts(record.bytes);
  if (is_json_) return write_json(parts, record.time, line);
  for (const LogPiece& piece : pieces_) append_piece(line, piece, parts, record.time);
}

}  // namespace martlet::guards
