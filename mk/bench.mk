# Benchmarks: each tests/bench/*_bench.cc is a program of its own. What messages_bench costs is counted in
# instructions, which repeat, and held to budgets.

BENCH_SOURCES := $(sort $(wildcard tests/bench/*_bench.cc))
BENCHES := $(BENCH_SOURCES:tests/%.cc=$(BUILD)/%)
INSTRUCTIONS := python3 tests/bench/instructions.py
MESSAGES_BENCH := $(BUILD)/bench/messages_bench

.PHONY: bench bench-check bench-budgets

bench: $(BENCHES) ## instructions per message, under valgrind
	@$(INSTRUCTIONS) print $(MESSAGES_BENCH)

bench-check: $(BENCHES) ## fail when a message costs more instructions than its budget
	@$(INSTRUCTIONS) check $(MESSAGES_BENCH)

bench-budgets: $(BENCHES) ## set the budgets to what messages cost now, and 3 %
	@$(INSTRUCTIONS) refresh $(MESSAGES_BENCH)

$(BUILD)/obj/tests/bench/%.o: tests/bench/%.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) -Wall -Wextra $(if $(WERROR),-Werror) -iquote src -iquote tests -MMD -MP -c -o $@ $<

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $< $(LIB)

-include $(BENCH_SOURCES:%.cc=$(BUILD)/obj/%.d)
