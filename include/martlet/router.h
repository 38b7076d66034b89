// martlet/router.h: what a route is made of, and Routers: routes that are put together apart from an App, and mounted on it.
//
//   Router api;
//   api.use(check_token).get("/posts", list).post("/posts", create);
//   app.mount("/api", std::move(api));
#pragma once

#include <martlet/config.h>
#include <martlet/admission.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/middleware.h>
#include <martlet/options.h>
#include <martlet/reply.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/route_server.h>
#include <martlet/websocket.h>
#include <martlet/ws_step.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

class Router;

// Request and response in one, for steps that like it so: [](Context& c) { c.res.send(c.req.path()); }.
struct Context {
  Request& req;
  Response& res;
};

using Predicate = Function<void(std::string_view segment, bool& holds)>;
using ErrorHandler = Function<void(const Failure&, Request&, Response&)>;

namespace detail {

template <typename F, typename... Args>
inline constexpr bool takes = std::is_invocable_v<std::decay_t<F>&, Args...>;
// Who is not given the response must return the answer.
template <typename F, typename... Args>
concept answers = takes<F, Args...> && !std::is_void_v<std::invoke_result_t<std::decay_t<F>&, Args...>>;
template <typename F>
inline constexpr bool is_handler = takes<F, Request&, Response&> || takes<F, Context&> || answers<F, Request&> || answers<F>;
template <typename F>
inline constexpr bool is_middleware = !is_handler<F> && (takes<F, Request&, Response&, Next> || takes<F, Context&, Next>);
template <typename F>
inline constexpr bool is_error_handler = takes<F, const Failure&, Request&, Response&>;
template <typename F>
inline constexpr bool wants_body = requires { requires F::wants_body; };

template <typename F>
decltype(auto) call_handler(F& handler, Context& context) {
  if constexpr (takes<F, Request&, Response&>) {
    return handler(context.req, context.res);
  } else if constexpr (takes<F, Request&>) {
    return handler(context.req);
  } else if constexpr (takes<F, Context&>) {
    return handler(context);
  } else {
    return handler();
  }
}

template <typename F>
decltype(auto) call_middleware(F& middleware, Context& context, const Next& next) {
  if constexpr (takes<F, Request&, Response&, Next>) {
    return middleware(context.req, context.res, next);
  } else {
    return middleware(context, next);
  }
}

template <typename T>
inline constexpr bool is_result = false;
template <typename T>
inline constexpr bool is_result<Result<T>> = true;

// A handler's answer becomes the response's.
template <typename T>
void answer(Response& res, const T& value) {
  if constexpr (std::is_same_v<T, Reply>) {
    res.reply(value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    res.send(std::string_view(value));
  } else if constexpr (is_result<T>) {
    value ? answer(res, *value) : res.fail(500);
  } else {
    res.json(value);
  }
}

}  // namespace detail

// A step of a route's chain: a handler, which answers, or a middleware, which may also let the request through.
//
//   handler      (Request&, Response&), (Request&), (Context&) or (): answers by the Response, or returns its answer: text, a
//                Reply, a Json or an own type (sent as JSON), a Result of one of them (500 for an Error)
//   middleware   (Request&, Response&, Next) or (Context&, Next)
//
// Each of them may be a coroutine: it returns a Task<>, or a handler a Task of its answer (task.h).
//
// Steps run as soon as the head of a request is there. A handler waits until its body is whole; a middleware does not, so
// that one that refuses need not receive it, unless it says `static constexpr bool wants_body = true`. With a body that is
// still coming, Request::body() is empty for it.
//
// One that was made of options may find them wrong: where it has `Error mistake() const`, what that answers when the step is
// registered is the Error of listen().
class Step {
 public:
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Step> && detail::is_handler<F>)
  MARTLET_THUNK Step(F&& handler)
      : mistake_(detail::mistake_of(handler)), handler_(make_handler(std::forward<F>(handler))), middleware_(), wants_body_(true) {}

  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Step> && detail::is_middleware<F>)
  MARTLET_THUNK Step(F&& middleware)
      : mistake_(detail::mistake_of(middleware)), handler_(), middleware_(make_middleware(std::forward<F>(middleware))),
        wants_body_(detail::wants_body<std::decay_t<F>>) {}

 private:
  friend struct StepAccess;
  using Handler = Function<void(Request&, Response&)>;
  using Middleware = Function<void(Request&, Response&, Next)>;

  template <typename F>
  MARTLET_THUNK static Handler make_handler(F&& handler) {
    using Stored = std::decay_t<F>;
    using Answer = decltype(detail::call_handler(std::declval<Stored&>(), std::declval<Context&>()));
    if constexpr (std::is_void_v<Answer> && detail::takes<F, Request&, Response&>) {
      return Handler(std::forward<F>(handler));
    } else if constexpr (detail::is_task<Answer>) {
      return Handler([fn = Stored(std::forward<F>(handler))](Request& req, Response& res) mutable {
        Answer::template start<true>(req, res, [&fn](Context& context) { return detail::call_handler(fn, context); });
      });
    } else {
      return Handler([fn = Stored(std::forward<F>(handler))](Request& req, Response& res) mutable {
        Context context{req, res};
        if constexpr (std::is_void_v<Answer>) {
          detail::call_handler(fn, context);
        } else {
          detail::answer(res, detail::call_handler(fn, context));
        }
      });
    }
  }
  template <typename F>
  MARTLET_THUNK static Middleware make_middleware(F&& middleware) {
    using Stored = std::decay_t<F>;
    using Answer = decltype(detail::call_middleware(std::declval<Stored&>(), std::declval<Context&>(), std::declval<const Next&>()));
    if constexpr (detail::is_task<Answer>) {
      return Middleware([fn = Stored(std::forward<F>(middleware))](Request& req, Response& res, Next next) mutable {
        Answer::template start<false>(req, res, [&fn](Context& context, const Next& kept) { return detail::call_middleware(fn, context, kept); }, next);
      });
    } else if constexpr (detail::takes<F, Request&, Response&, Next>) {
      return Middleware(std::forward<F>(middleware));
    } else {
      return Middleware([fn = Stored(std::forward<F>(middleware))](Request& req, Response& res, Next next) mutable {
        Context context{req, res};
        fn(context, next);
      });
    }
  }

  std::unique_ptr<Error> mistake_;  // null: none
  Handler handler_;
  Middleware middleware_;
  bool wants_body_;
};

namespace detail {

struct VerifyStep final : Counted {
  explicit VerifyStep(Step&& s)
      : Counted([](Counted* self) noexcept { delete static_cast<VerifyStep*>(self); }), step(std::move(s)) {}
  Step step;
};

}  // namespace detail

template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Verification>)
MARTLET_THUNK Verification::Verification(F&& fn) {
  using Stored = std::decay_t<F>;
  constexpr bool answers = std::is_invocable_r_v<bool, Stored&, Request&>;
  static_assert(answers || std::is_invocable_v<Stored&, Request&, Verify>, "verify is called with (Request&, Verify), or with (Request&) and answers bool");
  if constexpr (answers) {
    step_ = detail::CountedPointer(new detail::VerifyStep(Step([fn = Stored(std::forward<F>(fn))](Request& req, Response&, Next next) mutable {
      const Verify decide(next);
      fn(req) ? decide.accept() : decide.refuse(401, "Unauthorized");
    })));
    parts_ = &detail::verify_parts;
  } else if constexpr (std::is_invocable_v<Stored&, Request&, Verify>) {
    step_ = detail::CountedPointer(new detail::VerifyStep(Step(
        [fn = Stored(std::forward<F>(fn))](Request& req, Response&, Next next) mutable { return fn(req, Verify(next)); })));
    parts_ = &detail::verify_parts;
  }
}

namespace detail {

// What stands between the path and the handler of a WebSocket's route: before the 101, and behind it.
struct MARTLET_LAYOUT WsRouteSteps {
  std::vector<Step> before = {};
  std::vector<WsStep> behind = {};

  template <typename F>
  MARTLET_THUNK void add(F&& step) {
    if constexpr (is_socket_step<F>) {
      behind.emplace_back(std::forward<F>(step));
    } else {
      before.emplace_back(std::forward<F>(step));
    }
  }
};

template <typename F>
inline constexpr bool is_ws_step = is_socket_step<F> || std::is_constructible_v<Step, F>;
template <typename... Fs>
inline constexpr bool are_no_options = !(std::is_same_v<std::remove_cvref_t<Fs>, WsOptions> || ...);

}  // namespace detail

// A route, for those who list them (App::routes).
struct MARTLET_LAYOUT RouteInfo {
  std::string method;   // "GET", …; empty: any. Of a WebSocket "GET"
  std::string pattern;  // as it was registered, behind the prefixes of the Routers around it
  uint32_t steps = 0;   // middleware of use() included; of a WebSocket those before the 101
  bool is_websocket = false;
};

namespace detail {
template <typename T>
concept IsStep = !std::is_same_v<std::remove_cvref_t<T>, RouteOptions>;  // what else it must be route() says in words
}  // namespace detail

// What an App and a Router have in common. The forms of paths and what they match are told in app.h.
template <typename Self>
class Routes {
 public:
  // Middleware for all later routes, HTTP and WebSocket upgrades alike, in order of registration.
  template <typename F>
  MARTLET_THUNK Self& use(F&& middleware) {
    return use(std::string_view(), std::forward<F>(middleware));
  }
  // Only for requests whose path lies below this prefix, whole segments compared: "/admin" (or "/admin/*") guards "/admin"
  // and "/admin/x", of a route "/*", too. However it is spelled: for a prefix, doubled slashes are one, '\', %5C and %2F
  // are slashes, and what stands behind a ';' in a segment does not count, as for a file system or a server behind this one.
  template <typename F>
  MARTLET_THUNK Self& use(std::string_view prefix, F&& middleware) {
    static_assert(std::is_constructible_v<Step, F>, "a middleware is called with (Request&, Response&, Next) or (Request&, Response&)");
    if constexpr (std::is_constructible_v<Step, F>) self().add_use(prefix, Step(std::forward<F>(middleware)));
    return self();
  }

  // Routes: any number of middleware, the handler last; options stand behind the path. A GET route answers HEAD too (without
  // the body) unless a HEAD route of its own matches. Requests that match nothing get 404; where only the method matches
  // nothing, 405 with the methods of that path in Allow, and OPTIONS 204 with them, unless it has a route; a method that HTTP
  // does not know, 501. OPTIONS * (RFC 9110 §9.3.7), for which there may be a route of the path "*", tells the methods of the
  // whole App.
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& get(std::string_view path, Steps&&... steps) { return route("GET", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& get(std::string_view path, const RouteOptions& options, Steps&&... steps) { return route("GET", path, options, std::forward<Steps>(steps)...); }
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& post(std::string_view path, Steps&&... steps) { return route("POST", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& post(std::string_view path, const RouteOptions& options, Steps&&... steps) { return route("POST", path, options, std::forward<Steps>(steps)...); }
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& put(std::string_view path, Steps&&... steps) { return route("PUT", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& put(std::string_view path, const RouteOptions& options, Steps&&... steps) { return route("PUT", path, options, std::forward<Steps>(steps)...); }
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& patch(std::string_view path, Steps&&... steps) { return route("PATCH", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& patch(std::string_view path, const RouteOptions& options, Steps&&... steps) { return route("PATCH", path, options, std::forward<Steps>(steps)...); }
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& del(std::string_view path, Steps&&... steps) { return route("DELETE", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& del(std::string_view path, const RouteOptions& options, Steps&&... steps) { return route("DELETE", path, options, std::forward<Steps>(steps)...); }
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& head(std::string_view path, Steps&&... steps) { return route("HEAD", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& head(std::string_view path, const RouteOptions& route_options, Steps&&... steps) { return route("HEAD", path, route_options, std::forward<Steps>(steps)...); }
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& options(std::string_view path, Steps&&... steps) { return route("OPTIONS", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& options(std::string_view path, const RouteOptions& route_options, Steps&&... steps) { return route("OPTIONS", path, route_options, std::forward<Steps>(steps)...); }
  // Any method.
  template <detail::IsStep... Steps>
  MARTLET_THUNK Self& all(std::string_view path, Steps&&... steps) { return route("", path, {}, std::forward<Steps>(steps)...); }
  template <typename... Steps>
  MARTLET_THUNK Self& all(std::string_view path, const RouteOptions& options, Steps&&... steps) { return route("", path, options, std::forward<Steps>(steps)...); }

  // A WebSocket route with one set of handlers for all its connections. A request for its path that asks for no upgrade
  // goes to the HTTP routes; where none takes it, GET and HEAD get 426 (RFC 9110 §15.5.22).
  Self& ws(std::string_view path, WsHandlers handlers) {
    self().add_ws(path, std::move(handlers));
    return self();
  }
  // A WebSocket route whose function runs once per connection, with (WebSocket, Request&) or with (WebSocket), and sets that
  // connection's handlers; what it returns may be what is to be done at its end (ConnectionHandler). Or in two phases: one
  // that is called with (RouteServer&), once, when the App begins to listen (in a Server each worker's), and returns the
  // function for each connection; when it throws, that is the Error of listen(). See route_server.h.
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, WsHandlers>)
  MARTLET_THUNK Self& ws(std::string_view path, F&& on_open, WsOptions options = {}) {
    add_ws_function(path, std::forward<F>(on_open), std::move(options));
    return self();
  }
  // The same with steps of this route alone before the function (or WsHandlers), which stands last; options stand behind the path.
  // Middleware (Request&, Response&, Next) runs before the 101 and refuses with a status; steps (WebSocket, Request&, Next)
  // run behind it and refuse with a close code, those of ws_use() first. Each kind in its order.
  template <typename First, typename Second, typename... Rest>
    requires(detail::are_no_options<First, Second, Rest...>)
  MARTLET_THUNK Self& ws(std::string_view path, First&& first, Second&& second, Rest&&... rest) {
    detail::WsRouteSteps steps;
    add_ws_with(path, WsOptions(), steps, std::forward<First>(first), std::forward<Second>(second), std::forward<Rest>(rest)...);
    return self();
  }
  template <typename First, typename... Rest>
    requires(detail::are_no_options<First, Rest...>)
  MARTLET_THUNK Self& ws(std::string_view path, WsOptions options, First&& first, Rest&&... rest) {
    using Last = typename decltype((std::type_identity<First>(), ..., std::type_identity<Rest>()))::type;
    static_assert(!std::is_same_v<std::remove_cvref_t<Last>, WsHandlers>, "WsHandlers have options of their own: WsHandlers{.options = {…}}");
    if constexpr (sizeof...(Rest) == 0) return ws(path, std::forward<First>(first), std::move(options));
    detail::WsRouteSteps steps;
    add_ws_with(path, std::move(options), steps, std::forward<First>(first), std::forward<Rest>(rest)...);
    return self();
  }

  // Steps behind the 101, (WebSocket, Request&, Next), for all WebSocket routes whenever they are registered, or for those below
  // a prefix (as that of use()). Those without a prefix run first, then those with one, then the route's own, each kind in
  // order of registration. On a Router they are for what lies below where it is mounted.
  //
  // A step closes the connection (with a code, perhaps after a message: both arrive), or calls next(), at once or later, from any thread;
  // what comes after it, the route's function or open handler at last, runs when it has returned. It may add listeners, leave
  // data and metadata, join rooms. Closing ends the chain, whatever next() says; next(HttpError) closes, too: with
  // 1011 for a status of 500 and more, else 1008, and the error's text as the reason; a step that throws has closed with 1011.
  //
  // Until all have let it through the connection is not the route's: its messages wait (they are not read), what goes to the route, to
  // everybody and to rooms does not reach it, and the route's close handler is not for it (listeners added by steps are). It
  // counts as one of the route's and of Stats::open_websockets. It is closed (1008) where that takes longer than
  // AppOptions::handshake_timeout. The request is valid until the step has returned, and for the next ones as well.
  template <typename F>
  MARTLET_THUNK Self& ws_use(F&& step) {
    return ws_use(std::string_view(), std::forward<F>(step));
  }
  template <typename F>
  MARTLET_THUNK Self& ws_use(std::string_view prefix, F&& step) {
    static_assert(detail::is_socket_step<F>, "a step of ws_use() is called with (WebSocket, Request&, Next)");
    if constexpr (detail::is_socket_step<F>) self().add_ws_use(prefix, WsStep(std::forward<F>(step)));
    return self();
  }

  // A name for ":id<name>" in the routes that are registered after it: whether a segment, decoded, is such a one. It may be
  // asked more than once for a request, of segments of up to 1,024 bytes, and must change nothing.
  template <typename F>
  MARTLET_THUNK Self& constraint(std::string_view name, F&& predicate) {
    static_assert(std::is_invocable_r_v<bool, std::decay_t<F>&, std::string_view>, "a constraint is called with (std::string_view) and answers bool");
    self().add_constraint(name, Predicate([fn = std::decay_t<F>(std::forward<F>(predicate))](std::string_view segment, bool& holds) mutable { holds = fn(segment); }));
    return self();
  }

  // Runs when a step gives up (next(HttpError), res.fail(), fail()) or throws, or the library refuses a request that it has read
  // the head of (404 without a not_found(), 405, 408, 413, 501, 503, …), before it is answered: it may answer in its own way, by
  // (const Failure&, Request&, Response&). The status is set to the failure's, and fields that belong to it (Allow, Upgrade) are
  // set. Several run in the order of registration until one answers, those of the Router that the route is of before those around
  // it, the App's last. Where there is one, what nobody answers is text or problem details by Accept, refusals as well.
  template <typename F>
    requires(detail::is_error_handler<F>)
  MARTLET_THUNK Self& on_error(F&& handler) {
    self().add_error_handler(ErrorHandler(std::forward<F>(handler)));
    return self();
  }

  // The routes of a Router, below a prefix: its "/" is the prefix itself. Its middleware guards everything below the prefix
  // that is registered later. The prefix may have parameters, "/teams/:team": its middleware then guards only what is registered
  // below that very text, not a route "/*" that takes the same paths, and not what no route takes; and use() with a prefix of its
  // own is refused there.
  Self& mount(std::string_view prefix, Router router);
  // The same of a Router that is made in place: app.group("/admin", only_admins, [](Router& r) { r.get("/stats", stats); }).
  template <typename... Parts>
  MARTLET_THUNK Self& group(std::string_view prefix, Parts&&... parts);

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }

  // Takes the steps one by one; the last is what opens the connection.
  template <typename First, typename... Rest>
  MARTLET_THUNK void add_ws_with(std::string_view path, WsOptions&& options, detail::WsRouteSteps& steps, First&& first, Rest&&... rest) {
    if constexpr (sizeof...(Rest) > 0) {
      static_assert(detail::is_ws_step<First>, "a step before a WebSocket's function is called with (Request&, Response&, Next) or (WebSocket, Request&, Next)");
      if constexpr (detail::is_ws_step<First>) {
        steps.add(std::forward<First>(first));
        add_ws_with(path, std::move(options), steps, std::forward<Rest>(rest)...);
      }
    } else if constexpr (std::is_same_v<std::remove_cvref_t<First>, WsHandlers>) {
      self().add_ws(path, std::forward<First>(first), std::move(steps));
    } else {
      add_ws_function(path, std::forward<First>(first), std::move(options), std::move(steps));
    }
  }

  // With steps, or without (then nothing of theirs is named).
  template <typename F, typename... Steps>
  MARTLET_THUNK void add_ws_function(std::string_view path, F&& on_open, WsOptions&& options, Steps&&... steps) {
    constexpr bool fits = std::is_constructible_v<ConnectionHandler, F>;
    constexpr bool two_phase = detail::is_route_setup<F>;
    static_assert(fits || two_phase, "the function of a WebSocket route is called with (WebSocket, Request&) or (WebSocket)");
    if constexpr (fits) self().add_ws(path, ConnectionHandlerAccess::open(std::forward<F>(on_open)), std::move(options), std::forward<Steps>(steps)...);
    if constexpr (two_phase) self().add_ws_setup(path, detail::route_setup(std::forward<F>(on_open)), std::move(options), std::forward<Steps>(steps)...);
  }

  template <typename... Steps>
  MARTLET_THUNK Self& route(std::string_view method, std::string_view path, const RouteOptions& options, Steps&&... steps) {
    static_assert(sizeof...(Steps) > 0, "a route needs a handler");
    static_assert((std::is_constructible_v<Step, Steps> && ...),
                  "a handler is called with (Request&, Response&), a middleware before it with (Request&, Response&, Next)");
    if constexpr (sizeof...(Steps) > 0 && (std::is_constructible_v<Step, Steps> && ...)) {
      Step list[] = {Step(std::forward<Steps>(steps))...};
      self().add_route(method, path, options, list, sizeof...(Steps));
    }
    return self();
  }
};

// Routes that are registered here first and mounted later. Movable; mounted once, on an App or on another Router.
class Router : public Routes<Router> {
 public:
  Router();
  Router(Router&& other) noexcept;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  Router& operator=(Router&& other) noexcept;
  ~Router();

 private:
  friend class Routes<Router>;
  friend struct RouterAccess;
  struct Record;
  void add_use(std::string_view prefix, Step step);
  void add_route(std::string_view method, std::string_view path, const RouteOptions& options, Step* steps, size_t count);
  void add_ws(std::string_view path, WsHandlers&& handlers);
  void add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options);
  void add_ws(std::string_view path, WsHandlers&& handlers, detail::WsRouteSteps&& steps);
  void add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options, detail::WsRouteSteps&& steps);
  void add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options, detail::WsRouteSteps&& steps);
  void add_ws_use(std::string_view prefix, WsStep step);
  void add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options);
  void add_constraint(std::string_view name, Predicate predicate);
  void add_error_handler(ErrorHandler handler);
  void add_router(std::string_view prefix, Router router);

  Record* record_;
};

template <typename Self>
Self& Routes<Self>::mount(std::string_view prefix, Router router) {
  self().add_router(prefix, std::move(router));
  return self();
}

namespace detail {

template <typename F>
MARTLET_THUNK void add_part(Router& router, F&& part) {
  if constexpr (std::is_invocable_v<F&, Router&>) {
    part(router);
  } else {
    router.use(std::forward<F>(part));
  }
}

}  // namespace detail

template <typename Self>
template <typename... Parts>
MARTLET_THUNK Self& Routes<Self>::group(std::string_view prefix, Parts&&... parts) {
  Router router;
  (detail::add_part(router, std::forward<Parts>(parts)), ...);
  return mount(prefix, std::move(router));
}

}  // namespace martlet
