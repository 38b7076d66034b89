# Benchmarks: each tests/bench/*_bench.cc is a program of its own that prints its figures.

BENCH_SOURCES := $(sort $(wildcard tests/bench/*_bench.cc))
BENCHES := $(BENCH_SOURCES:tests/%.cc=$(BUILD)/%)

.PHONY: bench

bench: $(BENCHES) ## build and run the benchmarks, one after the other
	@for program in $(BENCHES); do echo "== $$program"; $$program || exit 1; done

$(BUILD)/obj/tests/bench/%.o: tests/bench/%.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) -Wall -Wextra -iquote src -iquote tests -MMD -MP -c -o $@ $<

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $< $(LIB)

-include $(BENCH_SOURCES:%.cc=$(BUILD)/obj/%.d)
