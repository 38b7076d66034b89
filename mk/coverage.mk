# Which lines of src/ run: under all tests, and under the fuzz targets with what they have found so far. By llvm-cov.
#
#   COVERAGE=1             objects count their lines; make coverage and make fuzz-coverage set it

PROFDATA ?= llvm-profdata
LLVM_COV ?= llvm-cov

.PHONY: coverage fuzz-coverage

coverage: ## line coverage of src/ by all tests, a line for each file (clang++, llvm)
	+$(MAKE) --no-print-directory $(BUILD)/coverage/unit_tests $(BUILD)/coverage/integration_tests BUILD=$(BUILD)/coverage CXX=clang++ OPT=-O1 COVERAGE=1
	rm -f $(BUILD)/coverage/*.profraw
	LLVM_PROFILE_FILE=$(BUILD)/coverage/%p.profraw $(BUILD)/coverage/unit_tests
	LLVM_PROFILE_FILE=$(BUILD)/coverage/%p.profraw $(BUILD)/coverage/integration_tests
	$(PROFDATA) merge -sparse $(BUILD)/coverage/*.profraw -o $(BUILD)/coverage/all.profdata
	@$(call report-lines,$(BUILD)/coverage,$(BUILD)/coverage/unit_tests -object $(BUILD)/coverage/integration_tests)

fuzz-coverage: ## the same by the fuzz targets, on the corpus that make fuzz has gathered
	+$(MAKE) --no-print-directory fuzz-programs BUILD=$(FUZZ_BUILD)-coverage CXX=$(FUZZ_CXX) OPT=-O1 SANITIZE=fuzzer-no-link COVERAGE=1
	@for p in $(FUZZ_BUILD)-coverage/fuzz/*_fuzz; do name=$$(basename $$p _fuzz); \
	  LLVM_PROFILE_FILE=$(FUZZ_BUILD)-coverage/$$name.profraw $$p -runs=0 $(FUZZ_BUILD)/corpus/$$name $(FUZZ_BUILD)/seeds/$$name >/dev/null 2>&1 || exit 1; done
	$(PROFDATA) merge -sparse $(FUZZ_BUILD)-coverage/*.profraw -o $(FUZZ_BUILD)-coverage/all.profdata
	@$(call report-lines,$(FUZZ_BUILD)-coverage,$(firstword $(FUZZ_COVERED)) $(patsubst %,-object %,$(FUZZ_COVERED)))

FUZZ_COVERED = $(FUZZ_PROGRAMS:$(BUILD)/fuzz/%=$(FUZZ_BUILD)-coverage/fuzz/%)

# Columns 8 to 10 of llvm-cov's report are lines, lines missed, and how many per cent ran.
report-lines = $(LLVM_COV) report $(2) -instr-profile=$(1)/all.profdata $(LIB_SOURCES) | awk '/^(TOTAL|[a-z].*\.cc)/ { printf "%-36s %5s lines  %7s\n", $$1, $$8, $$10 }'

ifneq ($(COVERAGE),)
override CXXFLAGS += -fprofile-instr-generate -fcoverage-mapping
endif
