# macOS without a Mac: library and examples compiled and linked for it by zig, which brings Apple's headers and the list
# of what libSystem exports. Nothing runs here; that the kqueue backend works is what check-kqueue shows.
#
#   MACOS_TARGETS=         zig's names; a number may follow: aarch64-macos.13.0

MACOS_TARGETS ?= aarch64-macos x86_64-macos

.PHONY: check-macos

check-macos: $(MACOS_TARGETS:%=macos-%) ## library and examples compiled and linked for macOS, arm64 and x86-64, with zig (3 min, a third of it zig's libc++)

macos-%: zig
	@command -v python3 >/dev/null || { echo 'make check-macos needs python3 (any 3.8 or later, no packages)' >&2; exit 1; }
	+$(call with_zig,$*,-O1,macos) LDFLAGS=-Wl,-dead_strip WERROR=1 lib examples
	python3 tests/static/macho.py $(firstword $(subst -, ,$*)) $(EXAMPLE_SOURCES:%.cc=$(BUILD)/macos-$*/%)
