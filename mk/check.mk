# make check is the quick gate, for each change. The rest is too slow for each day: every compiler, standard library and option that is promised, and the long checks of the
# other files here. Each is a target of its own with a build folder of its own, and runs all tests where not said
# otherwise. make check-all runs them one after the other.
#
#   CHECKS='check-lto memcheck'    only these
#   NEWEST_CLANG=clang++-22        what check-newest-clang takes; the highest number on the PATH

VALGRIND ?= valgrind
NEWEST_CLANG ?= $(shell for n in `seq 40 -1 15`; do command -v clang++-$$n && break; done)
CHECKS ?= check-libcxx check-newest-clang check-no-exceptions check-unoptimised check-lto check-meson-clang memcheck \
  check-kqueue $(if $(wildcard mk/macos.mk),check-macos) check-cross check-static-all check-targets coverage

.PHONY: check check-all check-e2e memcheck check-libcxx check-newest-clang check-no-exceptions check-unoptimised check-lto check-meson-clang check-cross

check-all: ## all of CHECKS in mk/check.mk, a line for each, a last one that sums up; goes on after a failure (about 35 min on two cores)
	+@MAKE='$(MAKE)' mk/check_all.sh check-all $(BUILD)/check $(CHECKS)

# What breaks most often, with warnings as errors. The library, tests and benchmarks share their objects.
check: ## the quick gate: build, tests, lint, budgets, the chat and the echo in use; goes on after a failure (8 min at most on two cores)
	+@MAKE='$(MAKE) WERROR=1' mk/check_all.sh check $(BUILD)/check test all lint-rules check-headers bench-check check-e2e

check-e2e: $(EXAMPLES) gallery ## the examples, used by curl, ws, Python and Chromium (2 min)
	tests/e2e/run.sh $(BUILD) echo_http echo_ws chat_protocol chat_page realworld rest_api gallery_first gallery_second gallery_auth gallery_rooms gallery_game gallery_game_page gallery_guards gallery_reconnect gallery_page

# whole FOLDER VARIABLES: library and examples, then all tests, in a folder of their own; warnings are errors
whole = $(foreach goal,all test,$(MAKE) --no-print-directory $(goal) BUILD=$(BUILD)/$(1) WERROR=1 $(2) &&) :

memcheck: ## the unit tests, all of them, under valgrind memcheck: bad accesses, uninitialised memory, leaks (3 min)
	@command -v $(VALGRIND) >/dev/null || { echo 'make memcheck needs valgrind (Debian: valgrind)' >&2; exit 1; }
	+$(MAKE) --no-print-directory unit BUILD=$(BUILD)/memcheck OPT=-O1 \
	  RUN='$(VALGRIND) --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible'

check-libcxx: ## all tests with clang++ and libc++ (4 min)
	@echo '#include <version>' | clang++ -stdlib=libc++ -std=c++20 -fsyntax-only -x c++ - 2>/dev/null || \
	  { echo 'make check-libcxx needs clang++ and libc++ (Debian: clang libc++-dev libc++abi-dev)' >&2; exit 1; }
	+$(call whole,libcxx,CXX='clang++ -stdlib=libc++')

check-newest-clang: ## all tests with the newest clang++ that is installed beside the system's own (4 min)
	@test -n '$(NEWEST_CLANG)' || { echo "make check-newest-clang needs a clang++ of 15 or later under its number (Debian: the last of apt-cache search '^clang-[0-9]+\$$')" >&2; exit 1; }
	+$(call whole,newest-clang,CXX='$(NEWEST_CLANG)')

# Tests that throw on purpose have nothing to say here, nor have the integration tests, whose server throws when it hangs.
NOT_THROWING = $(shell grep -L -e 'throw std::' -e 'throw [0-9]' -e ' catch .[.c]' $(UNIT_SOURCES))

check-no-exceptions: ## -fno-exceptions -fno-rtti for examples and unit tests as well as the library, and a look at the examples (2 min)
	+$(MAKE) --no-print-directory all $(BUILD)/no-exceptions/unit_tests BUILD=$(BUILD)/no-exceptions WERROR=1 UNIT_SOURCES='$(NOT_THROWING)' \
	  OPT='-O3 -fno-exceptions -fno-rtti -DDOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS'
	$(BUILD)/no-exceptions/unit_tests $(TEST_ARGS)
	tests/e2e/smoke.sh $(BUILD)/no-exceptions/examples

check-unoptimised: ## all tests with -O0 (3 min)
	+$(call whole,O0,OPT=-O0)

# Machines whose atomics of 64 bits are calls into libatomic, by the compilers of Debian's g++-TRIPLET.
CROSS_TARGETS ?= arm-linux-gnueabi mipsel-linux-gnu

check-cross: $(CROSS_TARGETS:%=cross-%) ## library, hello and installed package for armel and mipsel, with Debian's cross compilers (2 min)

cross-%:
	@command -v $*-g++ >/dev/null || { echo 'make check-cross needs $*-g++ (Debian: g++-$*); CROSS_TARGETS= says which' >&2; exit 1; }
	+$(MAKE) --no-print-directory lib $(BUILD)/cross-$*/examples/hello BUILD=$(BUILD)/cross-$* CXX='$(CROSS_CCACHE) $*-g++' AR=$*-ar OPT=-O1 WERROR=1
	+CXX=$*-g++ AR=$*-ar QEMU='$(subst %,$(firstword $(subst -, ,$*)),$(QEMU))' MAKE='$(MAKE)' tests/install/cross.sh $(BUILD)/cross-$*

check-lto: ## all tests with -O3 -flto (5 min)
	+$(call whole,lto,OPT='-O3 -flto=auto')

check-meson-clang: ## meson with clang++, and its tests (4 min)
	@command -v meson >/dev/null && command -v ninja >/dev/null || { echo 'make check-meson-clang needs meson and ninja (Debian: meson ninja-build)' >&2; exit 1; }
	rm -rf $(BUILD)/meson-clang
	CXX=clang++ meson setup $(BUILD)/meson-clang
	ninja -C $(BUILD)/meson-clang -j $(shell nproc)
	meson test -C $(BUILD)/meson-clang --print-errorlogs
