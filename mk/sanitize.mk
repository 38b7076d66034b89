# All tests under a sanitizer, each in a build folder of its own.

.PHONY: asan tsan

asan: ## all tests of a debug build under AddressSanitizer and UndefinedBehaviorSanitizer
	+$(MAKE) --no-print-directory test BUILD=$(BUILD)/asan OPT=-O1 DEBUG=1 SANITIZE=address,undefined

tsan: ## all tests that have threads under ThreadSanitizer
	+$(MAKE) --no-print-directory test BUILD=$(BUILD)/tsan OPT=-O1 SANITIZE=thread

ifneq ($(SANITIZE),)
override CXXFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
# clang up to 15 cannot assemble a coroutine with it ("Cannot represent a difference across sections"); g++ does not know it.
ifneq ($(findstring clang,$(CXX)),)
override CXXFLAGS += -fno-sanitize=function
endif
# An allocation that cannot be had answers null, as it does without the sanitizer; tests ask for such.
export ASAN_OPTIONS ?= allocator_may_return_null=1:detect_stack_use_after_return=1
export TSAN_OPTIONS ?= allocator_may_return_null=1:second_deadlock_stack=1:halt_on_error=1
export UBSAN_OPTIONS ?= print_stacktrace=1
endif

# ThreadSanitizer of gcc 12 and clang 14 gives up where the kernel randomises addresses by more than 28 bits.
ifeq ($(SANITIZE),thread)
RUN := $(shell setarch -R true 2>/dev/null && echo setarch -R)
endif
