// martlet/guards.h: what lets in or keeps out, and what writes down who came: all of the stock middleware.
#pragma once

#include <martlet/config.h>
#include <martlet/cors.h>
#include <martlet/log_destination.h>
#include <martlet/logger.h>
#include <martlet/request_guards.h>
#include <martlet/security_headers.h>
