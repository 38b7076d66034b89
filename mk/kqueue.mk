# The backend for macOS and the BSDs, on Linux: the library with poller_kqueue.cc instead of poller_epoll.cc, and all
# tests on it that see the system, over the emulation of kqueue in tests/support/kqueue_on_linux. TEST_ARGS= and SANITIZE= as elsewhere.
#
#   KQUEUE_OPT=-O0         optimisation of what is compiled for it

KQUEUE_OPT ?= -O0

.PHONY: check-kqueue

# What does not see which poller there is serves both: it is taken from the build that is made first.
check-kqueue: ## all tests that see the system on the kqueue backend, over an emulation of kqueue (Linux with glibc 2.36 or later)
	+$(MAKE) --no-print-directory $(BUILD)/unit_tests $(BUILD)/integration_tests
	+$(MAKE) --no-print-directory test BUILD=$(BUILD)/kqueue SHARED=$(BUILD) ON_KQUEUE=1 OPT=$(call quote,$(KQUEUE_OPT))

ifneq ($(ON_KQUEUE),)
KQUEUE_ON_LINUX := tests/support/kqueue_on_linux
KQUEUE_SOURCES := $(KQUEUE_ON_LINUX)/kqueue.cc
KQUEUE_UNIT_SOURCES := $(sort $(wildcard $(KQUEUE_ON_LINUX)/*.cc))
# As what it stands for: a header of the system.
override CXXFLAGS += -DMARTLET_POLLER_KQUEUE -isystem $(KQUEUE_ON_LINUX)
# Only sys/platform.h knows that name.
SEE_POLLER := $(KQUEUE_UNIT_SOURCES) $(patsubst $(SHARED)/obj/%.d,%.cc,$(shell grep -rl --include='*.d' src/sys/platform.h $(SHARED)/obj))
objects = $(foreach source,$(1),$(if $(filter $(source),$(SEE_POLLER)),$(BUILD),$(SHARED))/obj/$(source:.cc=.o))
endif
