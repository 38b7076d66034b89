# Installing: headers, library, pkg-config file, CMake package. DESTDIR is put before every path, for packagers.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
VERSION := $(shell sed -n 's/^.define MARTLET_VERSION "\(.*\)"/\1/p' include/martlet/config.h)

CMAKEDIR := $(LIBDIR)/cmake/martlet
FILL = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@VERSION@|$(VERSION)|g' \
  -e "s|@ATOMIC@|$$(cat $(BUILD)/atomic.libs)|g"

.PHONY: install install-files check-install

install: $(LIB) install-files ## headers, library, martlet.pc and CMake package under PREFIX= (/usr/local), DESTDIR=

# What is built already, whatever for.
install-files: $(if $(filter install,$(MAKECMDGOALS)),$(LIB))
	mkdir -p $(DESTDIR)$(INCLUDEDIR)/martlet $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(CMAKEDIR)
	install -m 644 include/martlet/*.h $(DESTDIR)$(INCLUDEDIR)/martlet/
	install -m 644 $(LIB) $(DESTDIR)$(LIBDIR)/
	$(FILL) mk/martlet.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/martlet.pc
	$(FILL) mk/martletConfig.cmake.in > $(DESTDIR)$(CMAKEDIR)/martletConfig.cmake
	$(FILL) mk/martletConfigVersion.cmake.in > $(DESTDIR)$(CMAKEDIR)/martletConfigVersion.cmake

# Each is a script: as installed; as sources within CMake; within a shared object; beside units of other settings.
check-install: $(LIB) ## a user's program against what was installed, as a subproject, in a shared object, compiled otherwise
	+for check in run sources shared settings; do \
	  CXX=$(call quote,$(CXX)) MAKE=$(call quote,$(MAKE)) BUILD=$(BUILD) tests/install/$$check.sh || exit 1; done
