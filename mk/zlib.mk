# zlib, which tests and fuzz targets compare with where it is installed. The library never sees it.
#
# $(ZLIB_FLAGS) is a file: -DMARTLET_TEST_ZLIB=1 when a program of this compiler links with zlib, else an empty line.
# Installing zlib later changes it, and what depends on it is compiled anew.

ZLIB_FLAGS := $(BUILD)/zlib.flags
# For a recipe that links.
ZLIB_LIBS = $$(! grep -q ZLIB $(ZLIB_FLAGS) || echo -lz)

$(ZLIB_FLAGS): $(FORCE_UNLESS_COUNTING)
	@mkdir -p $(@D)
	@printf '#include <zlib.h>\nint main() { return zlibVersion() == nullptr; }\n' | \
	  $(CXX) -std=c++20 -x c++ - -o $@.program -lz 2>/dev/null && echo -DMARTLET_TEST_ZLIB=1 > $@.new || echo > $@.new
	@rm -f $@.program
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
