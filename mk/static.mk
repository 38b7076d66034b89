# Static binaries, and the unit tests on other kinds of machines. docs/embedding.md tells what comes out.
#
#   STATIC_OPT=-Os         optimisation of the musl binaries; native ones take OPT
#   STATIC_TARGETS=        which of native x86_64-linux-musl aarch64-linux-musl
#   QEMU=qemu-%-static     what runs a program of a foreign machine

# Without unwind tables for functions that nothing is thrown through: the library is compiled without exceptions.
STATIC_OPT ?= -Os -fno-unwind-tables -fno-asynchronous-unwind-tables
STATIC_TARGETS ?= native x86_64-linux-musl aarch64-linux-musl
STATIC_EXAMPLES ?= $(notdir $(EXAMPLES))
QEMU ?= qemu-%-static

# What knows no operating system.
PORTABLE_TESTS := $(wildcard $(patsubst %,tests/%/*_test.cc,base simd codec json proto) tests/support/*.cc) \
  tests/net/timer_wheel_test.cc tests/routing/router_test.cc

.PHONY: static check-parts static-map static-savings static-memory check-static check-static-all check-targets check-s390x portable-tests

# Objects that only lead to examples are kept, like the others.
.SECONDARY: $(EXAMPLE_SOURCES:%.cc=$(BUILD)/obj/%.o)

static: $(STATIC_TARGETS:%=static-%) ## stripped static examples under build/static-*/ (2 min, most of it zig's C libraries)
	@ls -l $(foreach t,$(STATIC_TARGETS),$(STATIC_EXAMPLES:%=$(BUILD)/static-$(t)/examples/%)) | awk '{ print "  " $$5, $$NF }'

static-native: $(STATIC_EXAMPLES:%=$(BUILD)/static-native/examples/%)

$(BUILD)/static-native/examples/%: $(BUILD)/obj/examples/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -Wl,-Map=$(@D).$*.map -static -s -o $@ $< $(LIB_LIBS)

# The same with their symbols.
$(BUILD)/static-native/symbols/%: $(BUILD)/obj/examples/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -static -o $@ $< $(LIB_LIBS)

check-parts: $(BUILD)/static-native/symbols/hello $(BUILD)/static-native/symbols/echo ## what the static hello does not use is not in it
	tests/static/parts.sh $^

static-%-musl: zig
	+$(call with_zig,$*-musl,$(STATIC_OPT),static) LDFLAGS='-static -s -Wl,--gc-sections mk/no_demangler.cc' \
	  $(STATIC_EXAMPLES:%=$(BUILD)/static-$*-musl/examples/%)

# Of the library, only what the native echo has taken of it is compiled for musl.
check-static: ## the static echo, native and musl, serves out of an empty chroot and has kept its size (2 min)
	+$(MAKE) --no-print-directory static STATIC_EXAMPLES=echo STATIC_TARGETS=native
	+$(MAKE) --no-print-directory static STATIC_EXAMPLES=echo STATIC_TARGETS=x86_64-linux-musl \
	  LIB_SOURCES="`tests/static/taken.sh $(BUILD)/static-native/examples.echo.map $(LIB_SOURCES)`"
	tests/static/run.sh $(BUILD) native x86_64-linux-musl
	+$(MAKE) --no-print-directory check-parts

check-static-all: ## the same for all targets and examples (2.5 min)
	+$(MAKE) --no-print-directory static
	tests/static/run.sh $(BUILD) $(STATIC_TARGETS)

# Without that optimisation, which leaves one object of all C libraries.
static-map: static-x86_64-linux-musl ## where the bytes of the static musl echo go, by object file
	@$(ZIG) c++ -target x86_64-linux-musl $(STATIC_OPT) -g0 -pthread -ffunction-sections -fdata-sections -static -s -Wl,--gc-sections,--print-map \
	  -o $(BUILD)/static-x86_64-linux-musl/echo.map.out $(BUILD)/static-x86_64-linux-musl/obj/examples/echo.o \
	  $(BUILD)/static-x86_64-linux-musl/libmartlet.a | python3 tests/static/map.py

static-savings: static-x86_64-linux-musl ## what each option and each feature costs in the static musl binary (docs/embedding.md; 7 min)
	+ZIG='$(ZIG)' MAKE='$(MAKE)' tests/static/savings.sh $(BUILD)

static-memory: static-x86_64-linux-musl ## what memory the static musl echo takes, and with how little it works
	python3 tests/static/memory.py $(BUILD)/static-x86_64-linux-musl/examples/echo

# Word size, alignment and byte order: 64 bits with NEON; 32 bits; big-endian.
check-targets: check-s390x target-aarch64-linux-musl target-arm-linux-musleabihf ## unit tests of codec, proto, base, simd on aarch64, arm, s390x (qemu; 6 min)

target-%: zig
	+$(call with_zig,$*,-O1,target) LDFLAGS=-static portable-tests RUN='$(subst %,$(firstword $(subst -, ,$*)),$(QEMU))'

check-s390x: ## those tests on s390x alone, which is big-endian, with the compiler of g++-s390x-linux-gnu (2 min)
	+$(MAKE) --no-print-directory BUILD=$(BUILD)/target-s390x CXX=s390x-linux-gnu-g++ AR=s390x-linux-gnu-ar CXXFLAGS='-O1 -g0' LDFLAGS=-static \
	  portable-tests RUN='$(subst %,s390x,$(QEMU))'

portable-tests: $(BUILD)/portable_tests
	$(RUN) $< $(TEST_ARGS)

$(BUILD)/portable_tests: $(PORTABLE_TESTS:%.cc=$(BUILD)/obj/%.o) $(LIB)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_LIBS) $(ZLIB_LIBS)
