# The backend for macOS and the BSDs, on Linux: the library with poller_kqueue.cc instead of poller_epoll.cc, and all
# tests on it that see the system, over the emulation of kqueue in tests/support/kqueue_on_linux. TEST_ARGS= and SANITIZE= as elsewhere.

.PHONY: check-kqueue

check-kqueue: ## all tests that see the system on the kqueue backend, over an emulation of kqueue (Linux with glibc 2.36 or later)
	+$(MAKE) --no-print-directory test BUILD=$(BUILD)/kqueue ON_KQUEUE=1

ifneq ($(ON_KQUEUE),)
KQUEUE_ON_LINUX := tests/support/kqueue_on_linux
KQUEUE_SOURCES := $(KQUEUE_ON_LINUX)/kqueue.cc
KQUEUE_UNIT_SOURCES := $(sort $(wildcard $(KQUEUE_ON_LINUX)/*.cc))
# As what it stands for: a header of the system.
override CXXFLAGS += -DMARTLET_POLLER_KQUEUE -isystem $(KQUEUE_ON_LINUX)
endif
