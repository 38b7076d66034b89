// martlet/user_finder.h: the functions that guards ask who somebody is: from a name and a password, a token, or the claims of a
// JWT to a user.
//
//   basic_auth([](std::string_view name, std::string_view password) { return is_right(name, password); })       // a bool
//   bearer_auth([](std::string_view token) -> std::optional<AuthUser> { return users.find(token); })       // the user, or nothing
//   jwt_auth({.lookup = [](const Json& claims) -> Task<std::optional<AuthUser>> {                               // a coroutine
//     co_return co_await offload([id = int_of(claims["sub"])] { return database.user(id); });
//   }, .secret = secret})
//   jwt_auth({.lookup = [](const Json& claims, FoundUser found) {                                                   // a callback
//     directory.ask(id_of(claims), [found](bool known, AuthUser user) { known ? found.user(std::move(user)) : found.none(); });
//   }, .secret = secret})
//
// A function that answers true has let in who the credentials name: of basic_auth() a user whose id and username are that name,
// of jwt_auth() what the claims say, of bearer_auth() one without an id.
//
// What a function is called with is good until it has returned, in a coroutine until that has ended. A function that throws has
// failed: 500, or a close with 1011; the log has what it threw. It may be called by several workers at once when the guard, or
// its copies, stand in several.
#pragma once

#include <martlet/config.h>
#include <martlet/auth_user.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/websocket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// What a callback answers by: now or later, from any thread; it may be copied and kept. The first answer counts, others do
// nothing. When all copies are gone and none has answered, that is error(). The request, or the messages of the WebSocket, wait
// meanwhile, as long as AppOptions::handler_timeout or handshake_timeout says. Once the client has gone an answer does nothing.
class FoundUser {
 public:
  FoundUser(const FoundUser& other) noexcept = default;
  FoundUser(FoundUser&& other) noexcept = default;
  FoundUser& operator=(const FoundUser& other) noexcept = default;
  FoundUser& operator=(FoundUser&& other) noexcept = default;
  ~FoundUser() = default;

  // It is this one. Without claims of its own it has those of the token.
  void user(AuthUser who) const;
  // It is who the credentials name.
  void user() const;
  // There is no such user: 401, or a close with 1008 and the guard's not_found_reason.
  void none() const noexcept;
  // Nobody can say at the moment: 500, or a close with 1011.
  void error() const noexcept;

 private:
  friend struct AuthAccess;
  explicit FoundUser(detail::CountedPointer asked) noexcept : asked_(std::move(asked)) {}
  detail::CountedPointer asked_;
};

struct AuthAccess;

namespace detail {

struct AuthPolicy;

// One question, while the function that answers it runs.
struct MARTLET_LAYOUT AuthCall {
  enum class Outcome : uint8_t { failed, refused, none, found, later };

  const AuthPolicy& policy;
  Request* req;
  Response* res;        // of a request, or
  const WebSocket* ws;  // of a WebSocket
  const Next* next;
  AuthUser user;           // who the credentials name; then, who it is
  Json* claims = nullptr;  // of a token: what its user is to have, where it has none by then
  Outcome outcome = Outcome::failed;
  uint8_t refusal = 0;         // of `refused`: the guard's
  std::string_view why = {};   // more about it, for the client: letters and blanks

  void answer(bool known) noexcept { outcome = known ? Outcome::found : Outcome::none; }
  void answer(std::optional<AuthUser>&& found) noexcept;
  // Whoever has it answers; the user moves there.
  FoundUser later();
};

inline void settle(const FoundUser& found, bool known) { known ? found.user() : found.none(); }
inline void settle(const FoundUser& found, std::optional<AuthUser>&& user) { user ? found.user(*std::move(user)) : found.none(); }

// What a coroutine is called with, as long as it runs.
template <typename T>
struct OwnedCredential;
template <>
struct MARTLET_LAYOUT OwnedCredential<std::string_view> {
  std::string value;
};
template <>
struct OwnedCredential<const Json&> {
  Json value;
};

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

// A function that ends without an answer, as it was destroyed or has thrown, is no concern of FoundUser's: the library knows.
void forget(const FoundUser& found) noexcept;
struct ForgetFound {
  const FoundUser& found;
  ~ForgetFound() { forget(found); }
};

template <typename T, typename F, typename... Owned>
T find_later(Shared<F> fn, FoundUser found, Owned... owned) {
  const ForgetFound at_the_end{found};
  settle(found, co_await (*fn)(owned.value...));
  co_return decltype(T().operator co_await().await_resume())();
}

template <typename T, typename F, typename... Owned>
MARTLET_THUNK void start_finding(const Shared<F>& fn, AuthCall& call, Owned... owned) {
  // Where memory is out for the task, the library has answered.
  call.outcome = AuthCall::Outcome::later;
  if (call.ws) return T::start(*call.ws, 0, [&] { return find_later<T>(fn, call.later(), std::move(owned)...); });
  T::template start<false>(*call.req, *call.res, [&](auto& context, const Next&) {
    call.req = &context.req;
    call.res = &context.res;
    return find_later<T>(fn, call.later(), std::move(owned)...);
  }, *call.next);
}

#else

template <typename T, typename F, typename... Owned>
void start_finding(const Shared<F>&, AuthCall&, Owned...);

#endif

}  // namespace detail

// One of those functions, of these credentials. Copies share it.
template <typename... Args>
class UserFinder {
 public:
  UserFinder() noexcept = default;
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, UserFinder> && (std::is_invocable_v<std::decay_t<F>&, Args...> || std::is_invocable_v<std::decay_t<F>&, Args..., FoundUser>))
  MARTLET_THUNK UserFinder(F&& fn) : kept_(new detail::CountedFunction<void(Args..., detail::AuthCall&)>(caller(std::forward<F>(fn)))) {}

  explicit operator bool() const noexcept { return kept_.get() != nullptr; }
  // False when it has thrown.
  bool operator()(Args... args, detail::AuthCall& call) const noexcept {
    return static_cast<detail::CountedFunction<void(Args..., detail::AuthCall&)>*>(kept_.get())->function(std::forward<Args>(args)..., call);
  }

 private:
  template <typename F>
  MARTLET_THUNK static Function<void(Args..., detail::AuthCall&)> caller(F&& fn) {
    using Stored = std::decay_t<F>;
    if constexpr (!std::is_invocable_v<Stored&, Args...>) {
      return [fn = Stored(std::forward<F>(fn))](Args... args, detail::AuthCall& call) mutable { fn(std::forward<Args>(args)..., call.later()); };
    } else if constexpr (detail::is_task<std::invoke_result_t<Stored&, Args...>>) {
      return [fn = detail::Shared<Stored>::make(std::forward<F>(fn))](Args... args, detail::AuthCall& call) {
        detail::start_finding<std::invoke_result_t<Stored&, Args...>>(fn, call, detail::OwnedCredential<Args>{std::decay_t<decltype(detail::OwnedCredential<Args>::value)>(args)}...);
      };
    } else {
      using Answer = std::invoke_result_t<Stored&, Args...>;
      static_assert(std::is_same_v<Answer, bool> || std::is_convertible_v<Answer, std::optional<AuthUser>>, "who answers whether somebody is known returns a bool or a std::optional<AuthUser>");
      return [fn = Stored(std::forward<F>(fn))](Args... args, detail::AuthCall& call) mutable {
        if constexpr (std::is_same_v<Answer, bool>) {
          call.answer(fn(std::forward<Args>(args)...));
        } else {
          call.answer(std::optional<AuthUser>(fn(std::forward<Args>(args)...)));
        }
      };
    }
  }

  detail::CountedPointer kept_ = {};
};

}  // namespace martlet
