# All processors by default, and how far it is: "[12/113] obj/src/base/alloc.o".
#
#   V=1                    show the commands instead

# A -j of the command line or of MAKEFLAGS in the environment wins; a make below a make shares its jobs. What MAKEFLAGS has
# in it while this is read depends on the version of make: hence the shell, which sees the environment.
ifeq ($(MAKELEVEL)$(COUNTING)$(filter -j% --jobs% --jobserver%,$(MAKEFLAGS) $(shell echo "$$MAKEFLAGS")),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
endif

# How many steps there are is what a dry run of the same goals prints: only of goals that have no make below them, which a
# dry run would start. In it nothing is forced (FORCE is for files that are compared with what they should be).
ifdef COUNTING
SAY = @: a step &&
FORCE_IF_NEW = $(if $(call unlike,$(file <$(1)),$(2)),FORCE)
FORCE_UNLESS_COUNTING =
else
COUNTED := all lib examples gallery run test unit integration $(BUILD)/%
STEPS := $(if $(V)$(filter-out $(COUNTED),$(MAKECMDGOALS)),,$(shell $(MAKE) -n --no-print-directory -j1 $(MAKEOVERRIDES) COUNTING=1 $(MAKECMDGOALS) 2>/dev/null | grep -c 'a step'))
STEP :=
NUMBER = $(eval STEP += x)$(if $(filter-out 0,$(STEPS)),[$(words $(STEP))/$(STEPS)] )
SAY = $(if $(V),,@echo '  $(NUMBER)$(subst $(BUILD)/,,$@)' && )
FORCE_IF_NEW = FORCE
FORCE_UNLESS_COUNTING = FORCE
endif
unlike = $(filter-out $(1),$(2))$(filter-out $(2),$(1))
