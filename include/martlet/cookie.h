// martlet/cookie.h: what is said about a cookie when it is set, and the keys of signed ones (RFC 6265bis).
//
//   res.cookie("theme", "dark");
//   res.cookie("sid", id, {.http_only = true, .max_age = 24h, .same_site = SameSite::lax, .secure = true});
//   res.clear_cookie("theme");
//   req.cookie("theme");                        // optional<string_view>
//
// Names are tokens (RFC 9110 §5.6.2: letters, digits, !#$%&'*+-.^_`|~), and case-sensitive. Values may be any bytes: as in
// Express, Fastify and Hono they are percent-encoded on the way out (all but letters, digits and -_.!~*'(), which is
// JavaScript's encodeURIComponent), and decoded when they are read. One that somebody else has set and that is not
// percent-encoded ("50%") is read as it came; quotes around a value belong to it. Of two cookies of one name, the first in the
// request is read: it is the one with the longest path in nearly all browsers, but a server should not rely on that.
// What is read may hold any byte, and was chosen by the client.
//
// A cookie that browsers would not keep, or would keep for other places than were asked for, is not sent at all, but counted
// and logged with the reason: a name that is no token; a path that does not begin with '/', or holds a blank, a ';' or control
// characters; a domain that is no host name; a name with the prefix __Secure- without `secure`, __Host- without `secure`
// and the path "/" or with a domain, __Http- without `secure` and `http_only`, __Host-Http- without all of that;
// SameSite::none or `partitioned` without `secure`; one with more than 4,096 bytes, attributes included, which is what a
// browser must have room for (RFC 6265 §6.1).
//
// Signed cookies have values that clients can read but not make, or change:
//
//   auto keys = CookieKeys::of({new_secret, old_secret});       // signs with the first, believes all
//   if (!keys) return report(keys.error());
//   res.signed_cookie("user", "ann", *keys, {.http_only = true});
//   req.signed_cookie("user", *keys);                            // nothing when the signature is not right
//
// On the wire that is user=ann.SIGNATURE, where SIGNATURE is the HMAC-SHA-256 of "user=ann", as base64url without padding.
// Name and (encoded) value are signed together, so that the value of one cookie is not good for another, as Keygrip signs
// for Koa (which puts the signature into a cookie of its own). Express, Fastify and Hono sign the value alone, and cannot
// read these, nor are theirs read. A signature says who wrote the value, not when: what must end has its time in the value.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace martlet {

namespace proto {
struct CookieKeysAccess;
}

// With which requests of other sites a browser sends the cookie.
enum class SameSite : uint8_t {
  // Not said. Browsers differ: as lax in those that are built on Chromium, as none in others.
  unset,
  // Not with forms, images or fetches from elsewhere, nor with their WebSockets, but when somebody follows a link here.
  lax,
  // With all. Needs `secure`; many browsers still leave it out where the user has asked them to.
  none,
  // With none, a link that somebody follows included: the first page then is seen as if logged out.
  strict,
};

// Which cookies go first when a browser has too many of one site. Known to those that are built on Chromium, only.
enum class CookiePriority : uint8_t { unset, low, medium, high };

// For one call: the texts need only live as long as it takes. The same options clear a cookie that were used to set it.
struct CookieOptions {
  // Hosts that get the cookie: this name and all below it ("example.com"). Empty: the host that sets it and no other. A dot
  // before it means nothing and is left out.
  std::string_view domain = {};
  // When it ends. Nothing, and no max_age: with the browser's session. Before 1970 is 1970; browsers shorten what is more
  // than 400 days off. max_age wins where both are said.
  std::optional<std::chrono::system_clock::time_point> expires = {};
  // Whether it is kept from scripts. Off, as everywhere; sessions want it.
  bool http_only = false;
  // How long it lives; 0 or less ends it at once. More than 400 days become 400 days, as in the browsers, which keep none
  // longer (RFC 6265bis §5.5). Not said: expires decides.
  std::optional<std::chrono::seconds> max_age = {};
  // Whether a page that embeds this site has a jar of its own for it (CHIPS). Needs `secure`.
  bool partitioned = false;
  // Paths that get the cookie: this one and all below it. Empty: not said, and browsers take the folder of the request's path.
  std::string_view path = "/";
  CookiePriority priority = CookiePriority::unset;
  // Whether the value goes out as it is, for somebody who does not percent-decode. Then one is refused that has bytes which
  // values may not have: blanks, quotes (but around all of it), commas, semicolons, backslashes, control characters, and
  // whatever is not ASCII. Off. When read here it is decoded like any other.
  bool raw = false;
  // Not said, as everywhere. lax suits sessions: a WebSocket that another site opens then comes without the cookie.
  SameSite same_site = SameSite::unset;
  // Whether it is sent over TLS only (by most browsers to localhost as well). Off, as the library cannot know what is in
  // front of it; say it wherever there is TLS.
  bool secure = false;
};

// The keys of signed cookies: the first signs, all are believed, so that one can be exchanged while cookies of the old one
// are still about: put the new one in front, and take the old one off when the last cookie signed with it has ended.
//
// A value, copied with what it knows (no allocation); what has been copied from the secrets is as good as them to whoever
// can read this memory. Use secrets for nothing else. Any thread.
class CookieKeys {
 public:
  static constexpr size_t kMost = 8;
  // Less can be guessed; 32 random bytes are best. The text of the secret is its bytes: "0a1b" is not decoded.
  static constexpr size_t kLeastBytes = 16;

  // None: signs nothing, and believes nothing.
  CookieKeys() noexcept = default;
  // An error when there is none, when there are more than kMost, or when one is shorter than kLeastBytes, as a setting
  // is that somebody forgot.
  static Result<CookieKeys> of(std::initializer_list<std::string_view> secrets) noexcept;
  static Result<CookieKeys> of(std::span<const std::string> secrets) noexcept;

  size_t size() const noexcept { return count_; }

 private:
  friend struct proto::CookieKeysAccess;
  // HMAC's key, hashed inside and outside.
  struct Key {
    uint32_t words[16] = {};
  };
  Key keys_[kMost] = {};
  uint32_t count_ = 0;
};

}  // namespace martlet
