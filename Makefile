# martlet: make builds the library and the examples; make help lists the rest. Nothing is configured.
#
#   BUILD=build            where everything goes
#   CXX=g++                or clang++
#   OPT='-O3'              optimisation
#   WERROR=1               warnings are errors (what CI does)
#   -j1                    one job at a time; as many as there are processors when nothing is said
#   PIC=1                  code that can be part of a shared object (docs/embedding.md)
#   PRELUDE=               without the library's common headers compiled first (mk/prelude.h): slower, but a missing #include shows
#   V=1                    show the commands
#   DEBUG=1                a debug build; make debug sets it
#   SANITIZE=              address,undefined or thread; make asan and make tsan set it

CXX ?= g++
AR ?= ar
OPT ?= $(if $(DEBUG),-O0,-O3)
BUILD ?= build
# ccache keeps nothing of what includes a compiled header unless it is told to, and zig compiles none.
PRELUDE ?= $(if $(findstring ccache,$(CXX))$(findstring zig,$(CXX)),,1)

# Of g++, symbols that are unique in a process keep the shared object that has them from ever being unloaded.
ifdef PIC
PIC_FLAGS := -fPIC $(shell $(CXX) -fno-gnu-unique -fsyntax-only -x c++ /dev/null 2>/dev/null && echo -fno-gnu-unique)
endif

# -Wrestrict of g++ 12 is wrong about strings that are joined (GCC PR 105651).
NO_RESTRICT := $(if $(findstring clang,$(CXX))$(findstring zig,$(CXX)),,-Wno-restrict)
WARN := -Wall -Wextra -Wshadow -Wconversion $(NO_RESTRICT) $(if $(WERROR),-Werror)
CXXFLAGS ?= $(OPT) $(if $(DEBUG),$(if $(SANITIZE),-g1,-g),-g1)
override CXXFLAGS += -std=c++20 -Iinclude -pthread -ffunction-sections -fdata-sections $(PIC_FLAGS) $(if $(DEBUG),-DMARTLET_DEBUG=1)
LDFLAGS ?= $(if $(filter Darwin,$(shell uname -s)),-Wl$(comma)-dead_strip,-Wl$(comma)--gc-sections)
comma := ,
# -iquote, not -I: a system header <sys/socket.h> must not find src/sys/socket.h. Examples do without: they are users.
LIB_FLAGS := $(WARN) -iquote src -fno-exceptions -fno-rtti

LIB_SOURCES := $(sort $(wildcard src/*/*.cc))
objects = $(1:%.cc=$(BUILD)/obj/%.o)
LIB_OBJECTS = $(call objects,$(LIB_SOURCES))
EXAMPLE_SOURCES := $(sort $(wildcard examples/*.cc))
EXAMPLES := $(EXAMPLE_SOURCES:%.cc=$(BUILD)/%)
GALLERY_SOURCES := $(sort $(wildcard examples/gallery/*.cc))
GALLERY_OBJECTS := $(GALLERY_SOURCES:%.cc=$(BUILD)/obj/%.o)
LIB := $(BUILD)/libmartlet.a
# For a recipe that links.
LIB_LIBS = $(LIB) $$(cat $(BUILD)/atomic.libs)

include mk/progress.mk

.DELETE_ON_ERROR:
.PHONY: all lib examples gallery debug run clean help FORCE

all: lib examples ## (default) the library and the examples
lib: $(LIB) ## build/libmartlet.a
examples: $(EXAMPLES) ## build/examples/*

debug: ## both under build/debug, to develop with: mistakes of the caller abort, views kept for too long read as 0xDD
	+$(MAKE) --no-print-directory all BUILD=$(BUILD)/debug DEBUG=1

run: $(BUILD)/examples/chat ## the chat demo on http://localhost:3000, or another PORT=
	$(BUILD)/examples/chat$(PORT:%= --port %)

# test.mk behind fuzz.mk and bench.mk: older makes take the first rule that fits, not the closest.
include mk/sanitize.mk mk/zlib.mk mk/kqueue.mk mk/fuzz.mk mk/coverage.mk mk/bench.mk mk/test.mk mk/lint.mk mk/install.mk mk/zig.mk mk/static.mk mk/macos.mk mk/check.mk

# What is included finds prelude.h.gch beside it.
ifneq ($(PRELUDE),)
LIB_PRELUDE := $(BUILD)/lib_prelude/prelude.h
# Of what comes out of a compiled header g++ 12 does not know that it is the system's, and is wrong about strings then. The build
# without the prelude has the warning.
LIB_PRELUDE_FLAGS := -include $(LIB_PRELUDE) $(if $(NO_RESTRICT),-Wno-stringop-overflow)
LIB_PRELUDE_COMPILED := $(LIB_PRELUDE).gch
$(LIB_PRELUDE_COMPILED): mk/prelude.h $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '#include "$(CURDIR)/mk/prelude.h"' > $(LIB_PRELUDE)
	$(SAY)$(CXX) $(CXXFLAGS) $(LIB_FLAGS) -MMD -MP -MF $(LIB_PRELUDE).d -MT $@ -x c++-header -o $@ $(LIB_PRELUDE)
-include $(LIB_PRELUDE).d
endif

# What was built last, and how: objects are compiled anew when the flags change, the library when a source goes away.
FLAGS_NOW = $(strip $(CXX) $(CXXFLAGS) $(LDFLAGS) $(WARN))
$(BUILD)/flags: REMEMBER = $(FLAGS_NOW)
$(BUILD)/objects: REMEMBER = $(LIB_OBJECTS)
$(BUILD)/flags: $(call FORCE_IF_NEW,$(BUILD)/flags,$(FLAGS_NOW))
$(BUILD)/objects: $(call FORCE_IF_NEW,$(BUILD)/objects,$(LIB_OBJECTS))
$(BUILD)/flags $(BUILD)/objects:
	@mkdir -p $(@D)
	@echo $(call quote,$(REMEMBER)) | cmp -s - $@ || echo $(call quote,$(REMEMBER)) > $@
quote = '$(subst ','\'',$(1))'

# What a program needs beside the library: -latomic where the machine has no instructions for atomics of 64 bits (armel,
# mipsel, armv6), else nothing.
$(BUILD)/atomic.libs: $(BUILD)/flags
	@printf '#include <atomic>\n#include <cstdint>\nstd::atomic<uint64_t> n;\nint main() { return static_cast<int>(n.fetch_add(1)); }\n' > $(@D)/atomic.cc
	@try() { $(CXX) $(CXXFLAGS) $(LDFLAGS) -o $(@D)/atomic.program $(@D)/atomic.cc $$1 2>/dev/null; }; \
	  if try; then echo; elif try -latomic; then echo -latomic; else echo; fi > $@
	@rm -f $(@D)/atomic.cc $(@D)/atomic.program

$(LIB): $(LIB_OBJECTS) $(BUILD)/objects $(BUILD)/atomic.libs
	@rm -f $@
	$(SAY)$(AR) rcs $@ $(LIB_OBJECTS)

$(BUILD)/obj/src/%.o: src/%.cc $(BUILD)/flags $(LIB_PRELUDE_COMPILED)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LIB_FLAGS) $(LIB_PRELUDE_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/examples/%.o: examples/%.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $< $(LIB_LIBS)

gallery: $(BUILD)/examples/gallery ## small applications and a page to try them: build/examples/gallery, or build/examples/gallery NAME
$(BUILD)/examples/gallery: $(GALLERY_OBJECTS) $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(GALLERY_OBJECTS) $(LIB_LIBS)

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1	\2/p' $(filter-out %.d,$(MAKEFILE_LIST)) | sort | awk -F'\t' '{ printf "  make %-20s %s\n", $$1, $$2 }'

-include $(LIB_OBJECTS:.o=.d) $(EXAMPLE_SOURCES:%.cc=$(BUILD)/obj/%.d) $(GALLERY_OBJECTS:.o=.d)
