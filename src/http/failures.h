// What becomes of a request that a step has given up: the error handlers of its route run, the nearest first, and where
// none of them answers, the failure is told as text or as a problem (RFC 9457). The worker's thread.
#pragma once

#include <martlet/middleware.h>

#include "routing/routes.h"

namespace martlet::http {

// Answers the exchange, unless an error handler has deferred.
void answer_failure(routing::RoutedWorker& w, session::Exchange& e, Failure failure) noexcept;

// The same of an HttpError, or of what a step has thrown.
void fail_with(routing::RoutedWorker& w, session::Exchange& e, const HttpError& error) noexcept;
void fail_thrown(routing::RoutedWorker& w, session::Exchange& e) noexcept;
// The same of the exchange's refusal.
void fail_refused(routing::RoutedWorker& w, session::Exchange& e) noexcept;

// The worker has error handlers: they see all of these.
inline void bring_error_handlers(routing::RoutedWorker& w) noexcept {
  w.fail_thrown = fail_thrown;
  w.fail_refused = fail_refused;
}

// The request is of no use to the step that asks for something of it: fails as next(HttpError) does, here and now, and mutes
// what the step still says. Nothing when it is answered already.
void give_up(session::Exchange& e, const HttpError& error) noexcept;

}  // namespace martlet::http
