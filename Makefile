# martlet: make builds the library and the examples; make help lists the rest. Nothing is configured.
#
#   BUILD=build            where everything goes
#   CXX=g++                or clang++
#   OPT='-O3'              optimisation
#   SANITIZE=              address,undefined or thread: builds under $(BUILD)/<name>

CXX ?= g++
AR ?= ar
OPT ?= -O3
BUILD ?= build

WARN := -Wall -Wextra -Wshadow -Wconversion
CXXFLAGS ?= $(OPT) -g1
# -iquote, not -I: a system header <sys/socket.h> must not find src/sys/socket.h.
override CXXFLAGS += -std=c++20 -Iinclude -iquote src -pthread -ffunction-sections -fdata-sections
LDFLAGS ?= -Wl,--gc-sections
LIB_FLAGS := $(WARN) -fno-exceptions -fno-rtti

LIB_SOURCES := $(sort $(wildcard src/*/*.cc))
LIB_OBJECTS := $(LIB_SOURCES:%.cc=$(BUILD)/obj/%.o)
EXAMPLE_SOURCES := $(sort $(wildcard examples/*.cc))
EXAMPLES := $(EXAMPLE_SOURCES:%.cc=$(BUILD)/%)
LIB := $(BUILD)/libmartlet.a

.DELETE_ON_ERROR:
.PHONY: all lib examples run clean help

all: lib examples
lib: $(LIB)
examples: $(EXAMPLES)

run: $(BUILD)/examples/chat
	$(BUILD)/examples/chat

$(LIB): $(LIB_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $(LIB_OBJECTS)

$(BUILD)/obj/src/%.o: src/%.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(LIB_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/examples/%.o: examples/%.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(LIB)
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $< $(LIB)

clean:
	rm -rf $(BUILD)

include mk/test.mk

-include $(LIB_OBJECTS:.o=.d) $(EXAMPLE_SOURCES:%.cc=$(BUILD)/obj/%.d)
