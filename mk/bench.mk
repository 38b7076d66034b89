# Benchmarks: each tests/bench/*_bench.cc is a program of its own. What messages_bench costs is counted in
# instructions, which repeat, and held to budgets. compression_bench compares with zlib and libdeflate where those are
# installed, json_bench with RapidJSON, simdjson and nlohmann/json, and with yyjson whose sources are at YYJSON= (Debian 12 has no
# package of it), jwt_bench with OpenSSL; the library never sees them.

BENCH_SOURCES := $(sort $(wildcard tests/bench/*_bench.cc))
BENCHES := $(BENCH_SOURCES:tests/%.cc=$(BUILD)/%)
INSTRUCTIONS := python3 tests/bench/instructions.py
MESSAGES_BENCH := $(BUILD)/bench/messages_bench
# A file as $(ZLIB_FLAGS) is one, see zlib.mk.
LIBDEFLATE_FLAGS := $(BUILD)/libdeflate.flags
COMPRESSION_BENCH_OBJECT := $(BUILD)/obj/tests/bench/compression_bench.o

# The JSON libraries that are here, as -D and -l.
JSON_PEERS := $(BUILD)/json_peers.flags
JSON_BENCH_OBJECT := $(BUILD)/obj/tests/bench/json_bench.o
YYJSON ?=
OPENSSL_FLAGS := $(BUILD)/openssl.flags
JWT_BENCH_OBJECT := $(BUILD)/obj/tests/bench/jwt_bench.o

.PHONY: bench bench-check bench-budgets bench-compression bench-json bench-jwt bench-socketio

bench: $(BENCHES) ## instructions per message, under valgrind
	@$(INSTRUCTIONS) print $(MESSAGES_BENCH)

bench-check: $(BENCHES) ## fail when a message costs more instructions than its budget
	@$(INSTRUCTIONS) check $(MESSAGES_BENCH)

bench-budgets: $(BENCHES) ## set the budgets to what messages cost now, and 3 %
	@$(INSTRUCTIONS) refresh $(MESSAGES_BENCH)

bench-compression: $(BUILD)/bench/compression_bench ## speed and ratio of deflate and inflate, beside zlib and libdeflate
	@$<

bench-json: $(BUILD)/bench/json_bench ## speed of Json, beside RapidJSON, simdjson, nlohmann/json and yyjson (YYJSON=folder of yyjson.c)
	@$<

bench-jwt: $(BUILD)/bench/jwt_bench ## what checking a token costs, beside OpenSSL's HMAC; fails when it costs too much
	@$<

bench-socketio: $(BUILD)/bench/socketio/event_server $(BUILD)/bench/socketio/events_load ## events with an acknowledgement, beside Socket.IO (npm)
	@tests/bench/socketio/compare.py $(BUILD)

$(BUILD)/bench/socketio/%: tests/bench/socketio/%.cc $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(WARN) $(LDFLAGS) -o $@ $< $(LIB_LIBS)

$(JSON_PEERS): $(FORCE_UNLESS_COUNTING)
	@mkdir -p $(@D)
	@has() { echo "#include <$$1>" | $(CXX) -std=c++20 -fsyntax-only -x c++ - 2>/dev/null; }; \
	  { ! has rapidjson/document.h || echo -DMARTLET_BENCH_RAPIDJSON=1; \
	    ! has simdjson.h || echo -DMARTLET_BENCH_SIMDJSON=1; \
	    ! has nlohmann/json.hpp || echo -DMARTLET_BENCH_NLOHMANN=1; \
	    [ -z '$(YYJSON)' ] || echo -DMARTLET_BENCH_YYJSON=1 -isystem '$(YYJSON)'; } > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(JSON_BENCH_OBJECT): $(JSON_PEERS)
$(JSON_BENCH_OBJECT): BENCH_FLAGS = $$(cat $(JSON_PEERS))
$(BUILD)/bench/json_bench: BENCH_LIBS = $$(! grep -q SIMDJSON $(JSON_PEERS) || echo -lsimdjson) $(if $(YYJSON),$(BUILD)/yyjson.o)
$(BUILD)/bench/json_bench: $(if $(YYJSON),$(BUILD)/yyjson.o)

$(BUILD)/yyjson.o: $(YYJSON)/yyjson.c
	$(SAY)$(CXX) -x c -O3 -DNDEBUG -c -o $@ $<

$(LIBDEFLATE_FLAGS): $(FORCE_UNLESS_COUNTING)
	@mkdir -p $(@D)
	@printf '#include <libdeflate.h>\nint main() { return libdeflate_alloc_decompressor() == nullptr; }\n' | \
	  $(CXX) -std=c++20 -x c++ - -o $@.program -ldeflate 2>/dev/null && echo -DMARTLET_BENCH_LIBDEFLATE=1 > $@.new || echo > $@.new
	@rm -f $@.program
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(OPENSSL_FLAGS): $(FORCE_UNLESS_COUNTING)
	@mkdir -p $(@D)
	@printf '#include <openssl/evp.h>\nint main() { return EVP_MAC_fetch(nullptr, "HMAC", nullptr) == nullptr; }\n' | \
	  $(CXX) -std=c++20 -x c++ - -o $@.program -lcrypto 2>/dev/null && echo -DMARTLET_BENCH_OPENSSL=1 > $@.new || echo > $@.new
	@rm -f $@.program
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(JWT_BENCH_OBJECT): $(OPENSSL_FLAGS)
$(JWT_BENCH_OBJECT): BENCH_FLAGS = $$(cat $(OPENSSL_FLAGS))
$(BUILD)/bench/jwt_bench: BENCH_LIBS = $$(! grep -q OPENSSL $(OPENSSL_FLAGS) || echo -lcrypto)

$(COMPRESSION_BENCH_OBJECT): $(ZLIB_FLAGS) $(LIBDEFLATE_FLAGS)
$(COMPRESSION_BENCH_OBJECT): BENCH_FLAGS = $$(cat $(ZLIB_FLAGS) $(LIBDEFLATE_FLAGS))
$(BUILD)/bench/compression_bench: BENCH_LIBS = $(ZLIB_LIBS) $$(! grep -q LIBDEFLATE $(LIBDEFLATE_FLAGS) || echo -ldeflate)

$(BUILD)/obj/tests/bench/%.o: tests/bench/%.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) -Wall -Wextra $(NO_RESTRICT) $(if $(WERROR),-Werror) -iquote src -iquote tests $(BENCH_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $< $(LIB_LIBS) $(BENCH_LIBS)

-include $(BENCH_SOURCES:%.cc=$(BUILD)/obj/%.d)
