# Tests: one binary per folder of tests, so that the parsers' tests link without the network.

DOCTEST := $(shell third_party/doctest/find.sh 2>/dev/null)
TEST_FLAGS := -iquote tests $(DOCTEST)
UNIT_SOURCES := $(sort $(wildcard tests/*_test.cc tests/regress/*_test.cc tests/support/*.cc))
UNIT_OBJECTS := $(UNIT_SOURCES:%.cc=$(BUILD)/obj/%.o)
INTEGRATION_SOURCES := $(sort $(wildcard tests/integration/*_test.cc tests/support/*.cc))
INTEGRATION_OBJECTS := $(INTEGRATION_SOURCES:%.cc=$(BUILD)/obj/%.o)

.PHONY: test unit integration

$(BUILD)/obj/tests/%.o: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -Wall -Wextra $(TEST_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit_tests: $(UNIT_OBJECTS) $(LIB)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(UNIT_OBJECTS) $(LIB)

$(BUILD)/integration_tests: $(INTEGRATION_OBJECTS) $(LIB)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $(INTEGRATION_OBJECTS) $(LIB)

unit: $(BUILD)/unit_tests
	$(BUILD)/unit_tests

integration: $(BUILD)/integration_tests
	$(BUILD)/integration_tests

test: unit integration

-include $(UNIT_OBJECTS:.o=.d) $(INTEGRATION_OBJECTS:.o=.d)
