# Fuzzing: each tests/fuzz/*_fuzz.cc is a libFuzzer target. Needs clang++ with its runtime (Debian: clang,
# libclang-rt-14-dev). What a run finds that is new stays in build/fuzz/corpus; seeds are written by tests/fuzz/seeds.py.
#
#   SECONDS=60             how long each target runs
#   FUZZ_JOBS=2            how many at a time
#   FUZZ_ONLY=             one target, e.g. FUZZ_ONLY=server

FUZZ_CXX ?= clang++
FUZZ_BUILD := $(BUILD)/fuzz
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/*_fuzz.cc))
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.cc=$(BUILD)/fuzz/%)
FUZZ_JOBS ?= 2
# Not the shell's count of seconds.
FUZZ_SECONDS := $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60)

.PHONY: fuzz fuzz-build fuzz-programs

fuzz: fuzz-build ## every parser and a whole server under libFuzzer, SECONDS=60 each, two at a time
	tests/fuzz/run.sh $(FUZZ_BUILD) $(FUZZ_SECONDS) $(FUZZ_JOBS) $(FUZZ_ONLY)

fuzz-build:
	@command -v $(FUZZ_CXX) >/dev/null || { echo 'make fuzz needs clang++ with its fuzzer runtime (Debian: clang libclang-rt-14-dev)' >&2; exit 1; }
	+$(MAKE) --no-print-directory fuzz-programs BUILD=$(FUZZ_BUILD) CXX=$(FUZZ_CXX) OPT=-O1 SANITIZE=fuzzer-no-link,address,undefined

fuzz-programs: $(FUZZ_PROGRAMS)

$(BUILD)/obj/tests/fuzz/%.o: tests/fuzz/%.cc $(BUILD)/flags $(ZLIB_FLAGS)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) -Wall -Wextra -iquote src -iquote tests $$(cat $(ZLIB_FLAGS)) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $< $(LIB_LIBS) $(ZLIB_LIBS)

-include $(FUZZ_SOURCES:%.cc=$(BUILD)/obj/%.d)
