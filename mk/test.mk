# Tests: one binary per folder of tests, so that the parsers' tests link without the network.
#
#   TEST_ARGS=             options of doctest, e.g. TEST_ARGS='-tc="ws_frame*"'

# Only what includes doctest depends on this file, so that only who needs doctest looks for it.
DOCTEST_FLAGS := $(BUILD)/doctest.flags
# Unless told otherwise only the library is optimised: the tests compile in less than half the time.
ifneq ($(filter address$(comma)undefined thread,$(SANITIZE))$(filter -O3,$(OPT)),)
TEST_OPT ?= -O0
endif
TEST_FLAGS = $(TEST_OPT) -fno-function-sections -fno-data-sections -Wall -Wextra $(NO_RESTRICT) $(if $(WERROR),-Werror) -iquote src -iquote tests $$(cat $(DOCTEST_FLAGS) $(ZLIB_FLAGS))

# In folders like src/'s; what was once broken is in regress/.
UNIT_TESTS := $(wildcard $(patsubst src/%,tests/%*_test.cc,$(wildcard src/*/)) tests/regress/*_test.cc)

# Tests of plain functions, without threads and without the system: ThreadSanitizer has nothing to look for there, and another
# poller changes nothing.
ifneq ($(filter thread,$(SANITIZE))$(ON_KQUEUE),)
PLAIN_TESTS := $(shell grep -LE '"(net|sys|app|session|worker|routing|http|realtime|cluster|base/(ring|block))|<martlet/[^j]|<thread>|<future>' $(UNIT_TESTS))
endif
UNIT_SOURCES := $(sort $(filter-out $(PLAIN_TESTS),$(UNIT_TESTS) $(wildcard tests/support/*.cc) $(KQUEUE_UNIT_SOURCES)))
UNIT_OBJECTS := $(call objects,$(UNIT_SOURCES))
INTEGRATION_SOURCES := $(sort $(wildcard tests/integration/*_test.cc tests/support/*.cc) $(KQUEUE_SOURCES))
INTEGRATION_OBJECTS := $(call objects,$(INTEGRATION_SOURCES))

.PHONY: test unit integration

# In halves unless somebody chose some, or a sanitizer or an emulation makes them heavy.
HALVES = $(if $(TEST_ARGS)$(SANITIZE)$(ON_KQUEUE),,tests/support/halves.sh)

# Both binaries first, then one after the other: with -j they would disturb each other's output and timing.
test: $(BUILD)/unit_tests $(BUILD)/integration_tests ## all tests
	$(RUN) $(BUILD)/unit_tests $(TEST_ARGS)
	$(HALVES) $(RUN) $(BUILD)/integration_tests $(TEST_ARGS)

unit: $(BUILD)/unit_tests ## tests of single files and regressions
	$(RUN) $(BUILD)/unit_tests $(TEST_ARGS)

integration: $(BUILD)/integration_tests ## tests of whole servers in one process
	$(RUN) $(BUILD)/integration_tests $(TEST_ARGS)

$(DOCTEST_FLAGS): $(FORCE_UNLESS_COUNTING)
	@mkdir -p $(@D)
	@CXX=$(call quote,$(CXX)) third_party/doctest/find.sh > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# The headers that all tests include, compiled once. What is included finds prelude.h.gch beside it. The file with main()
# wants doctest otherwise, and zig does not do this.
TEST_PRELUDE := $(BUILD)/prelude/prelude.h
ifeq ($(findstring zig,$(CXX)),)
TEST_PRELUDE_FLAGS = -include $(TEST_PRELUDE)
TEST_PRELUDE_COMPILED := $(TEST_PRELUDE).gch
$(BUILD)/obj/tests/support/main.o: TEST_PRELUDE_FLAGS =
endif

$(TEST_PRELUDE).gch: tests/support/prelude.h $(BUILD)/flags $(DOCTEST_FLAGS) $(ZLIB_FLAGS)
	@mkdir -p $(@D)
	@echo '#include "support/prelude.h"' > $(TEST_PRELUDE)
	$(SAY)$(CXX) $(CXXFLAGS) $(TEST_FLAGS) -MMD -MP -MF $(TEST_PRELUDE).d -MT $@ -x c++-header -o $@ $(TEST_PRELUDE)

-include $(TEST_PRELUDE).d

$(BUILD)/obj/tests/%.o: tests/%.cc $(BUILD)/flags $(DOCTEST_FLAGS) $(ZLIB_FLAGS) $(TEST_PRELUDE_COMPILED)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(TEST_FLAGS) $(TEST_PRELUDE_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit_tests: $(UNIT_OBJECTS) $(LIB)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(UNIT_OBJECTS) $(LIB_LIBS) $(ZLIB_LIBS)

$(BUILD)/integration_tests: $(INTEGRATION_OBJECTS) $(LIB)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(INTEGRATION_OBJECTS) $(LIB_LIBS)

-include $(UNIT_OBJECTS:.o=.d) $(INTEGRATION_OBJECTS:.o=.d)
