// martlet/guards.h: what lets in or keeps out, and what writes down who came: all of the stock middleware.
//
// Options that cannot be meant are the Error of listen(), of whichever guard; one that is called all the same refuses: 500, or 1011.
// CircuitBreaker and RateLimiter, which no App knows, abort with a message when they are made.
#pragma once

#include <martlet/config.h>
#include <martlet/auth.h>
#include <martlet/auth_user.h>
#include <martlet/breaker.h>
#include <martlet/cors.h>
#include <martlet/csrf.h>
#include <martlet/jwt.h>
#include <martlet/jwt_auth.h>
#include <martlet/limits.h>
#include <martlet/log_destination.h>
#include <martlet/logger.h>
#include <martlet/request_guards.h>
#include <martlet/roles.h>
#include <martlet/security_headers.h>
#include <martlet/session_cookie.h>
#include <martlet/user_finder.h>
