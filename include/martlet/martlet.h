// martlet/martlet.h: everything an application needs.
#pragma once

#include <martlet/config.h>
#include <martlet/app.h>
#include <martlet/cluster.h>
#include <martlet/compression.h>
#include <martlet/cookie.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/json_containers.h>
#include <martlet/json_forward.h>
#include <martlet/json_members.h>
#include <martlet/json_reader.h>
#include <martlet/json_types.h>
#include <martlet/json_writer.h>
#include <martlet/log.h>
#include <martlet/loop.h>
#include <martlet/middleware.h>
#include <martlet/options.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/rooms.h>
#include <martlet/server.h>
#include <martlet/stats.h>
#include <martlet/websocket.h>
