// martlet/guards.h: what lets in or keeps out, and what writes down who came: all of the stock middleware.
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
