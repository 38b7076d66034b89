# What can be checked without running martlet: layering, sizes, headers alone, warnings of two compilers.

LINT_CXX ?= g++ clang++

.PHONY: lint lint-rules check-headers headers-alone warnings

lint: lint-rules check-headers warnings ## lint-rules, check-headers and warnings

lint-rules: ## layering, sizes and the other rules of tests/lint/lint.py, and proof that each can fail
	@command -v python3 >/dev/null || { echo 'make lint needs python3 (any 3.8 or later, no packages)' >&2; exit 1; }
	python3 tests/lint/selftest.py
	python3 tests/lint/lint.py

check-headers: headers-alone $(LINT_CXX:%=user-code-%) ## compile every header alone, with g++ and clang++; the public ones as strictly as users may; the blocks of guide and README; what must not compile does not

headers-alone:
	@command -v python3 >/dev/null || { echo 'make check-headers needs python3 (any 3.8 or later, no packages)' >&2; exit 1; }
	LINT_CXX=$(call quote,$(LINT_CXX)) python3 tests/lint/lint.py --headers

user-code-%:
	tests/compile_fail/run.sh $*
	python3 tests/lint/guide.py $*

warnings: $(LINT_CXX:%=warnings-%) ## build library, examples and gallery with g++ and clang++, warnings are errors

warnings-%:
	@command -v $* >/dev/null || { echo 'make warnings needs $*; LINT_CXX= says which compilers to use' >&2; exit 1; }
	+$(MAKE) --no-print-directory lib examples gallery CXX=$* BUILD=$(BUILD)/werror-$* WERROR=1
