// martlet/json_types.h: own types as JSON.
#pragma once
#include <martlet/config.h>
