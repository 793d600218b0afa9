# kea-hook-runscript. `make` alone explains itself; V=1 shows the commands.

PREFIX ?= /usr/local
DESTDIR ?=
KEA_HOOKS ?= /usr/lib/$(shell $(CXX) -print-multiarch)/kea/hooks
# Not from the environment: it is removed whole.
DOC := $(PREFIX)/share/doc/kea-hook-runscript
MAN := $(PREFIX)/share/man
UNITS := $(PREFIX)/lib/systemd/system
# Installs what is to be stripped.
INSTALL ?= install
# Sees to the packages that a target needs.
SETUP ?= tests/setup

CARGO_TARGET_DIR ?= target
RELEASE := $(CARGO_TARGET_DIR)/release
LIBRARY := build/kea-hook-runscript.so
RESERVATIONS := build/kea-hook-reservations.so
# The runner, and the tools.
PROGRAMS := build/kea-runscript-runner build/kea-runscript
OMAPI := build/kea-omapi
PAGES := build/man/kea-runscript-runner.8 build/man/kea-runscript.8 build/man/kea-hook-runscript.5 \
         build/man/kea-hook-reservations.5
OMAPI_PAGES := build/man/kea-omapi.8

Q := $(if $(V),,@)

.PHONY: help
help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install the Debian packages that the rest needs, if any is missing (as root)
	$(Q)$(SETUP)

.PHONY: databases
databases:
	$(Q)$(SETUP) databases

.PHONY: build
build: ## Build the libraries, the runner and the tools in build/
	$(Q)$(SETUP) build
	$(Q)cargo build --release --locked --features shim
	$(Q)mkdir -p build
	$(Q)for file in $(PROGRAMS); do cp $(RELEASE)/$${file##*/} $$file.new && mv $$file.new $$file || exit; done
	$(Q)$(CXX) -shared -o $(LIBRARY).new $(LINK) && mv $(LIBRARY).new $(LIBRARY)
	$(Q)$(CXX) -shared -o $(RESERVATIONS).new $(LINK_RESERVATIONS) && mv $(RESERVATIONS).new $(RESERVATIONS)

# A cdylib would hide the shim's symbols. Kea's own come from the server that loads us, so none of its libraries is
# named here. nodelete keeps us mapped over a reload, which carries what is unfinished from one load to the next.
LINK = -Wl,--version-script=cpp-shim/exports.map \
       -Wl,--whole-archive $(RELEASE)/libkea_hook_runscript.a -Wl,--no-whole-archive \
       -Wl,--gc-sections -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -lpthread -ldl -lm
LINK_RESERVATIONS = -Wl,--version-script=cpp-shim/reservations/exports.map \
       -Wl,--whole-archive $(RELEASE)/libkea_hook_reservations.a -Wl,--no-whole-archive \
       -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now

.PHONY: omapi
omapi: ## Build kea-omapi in build/
	$(Q)$(SETUP) build
	$(Q)cargo build --release --locked -p kea-omapi
	$(Q)mkdir -p build
	$(Q)cp $(RELEASE)/kea-omapi $(OMAPI).new && mv $(OMAPI).new $(OMAPI)

.PHONY: demo
demo: setup build ## Show the events of a real client at a real Kea
	$(Q)examples/demo

# The tests mostly wait: more of them run side by side than there are processors.
WORKERS ?= 4
TESTS = tests/run -n $(WORKERS) --durations=25

.PHONY: check
check: export CXXFLAGS += -Werror
check: lint unit build omapi ## Check all but what takes minutes by its nature (PYTEST='-k park': some of it)
	$(Q)$(TESTS) -m 'not long and not product' $(PYTEST)

.PHONY: check-long
# These compute, and hardly wait.
check-long: WORKERS = 2
check-long: setup databases build omapi ## Check the rest: errors of memory, leaks, thousands of hostile packets
	$(Q)RUSTFLAGS='--cfg fuzzing' cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir $(CARGO_TARGET_DIR)/fuzz-check
	$(Q)$(TESTS) -m long $(PYTEST)

# The library is built anew with each sanitizer; Kea is not: see tests/rig/sanitizer.py, which has the same flags.
SANITIZED := build/sanitize
FLAGS_address := -fsanitize=address,undefined -fno-sanitize=vptr -fsanitize-recover=address -static-libubsan
FLAGS_thread := -fsanitize=thread
RUSTFLAGS_address := -Zsanitizer=address -Zsanitizer-recover=address
# Debian 12's runtime lacks functions of its own for copies; it sees the calls of those of libc's.
RUSTFLAGS_thread := -Zsanitizer=thread -Cllvm-args=-tsan-instrument-memintrinsics=0
TESTS_address := planted hostile peer_calls answers4 answers6 query_options4 query_options6 query_options_refused option_bytes dhcp4o6 park
# None that measures a reload: it takes longer here than those tests allow, and threads has a dozen each.
TESTS_thread := planted threads park park_ends park_others restart ahead
# FORTIFY's functions are none that the runtimes know. With a target named, cargo spares the programs that build the library.
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: sanitize
sanitize: sanitize-address sanitize-thread ## Look for errors of memory, undefined behaviour and data races (Rust from rustup)

.PHONY: sanitize-address sanitize-thread
sanitize-address sanitize-thread: sanitize-%: $(SANITIZED)/%/kea-hook-runscript.so
	$(Q)SANITIZER=$* HOOK_UNDER_TEST=$< tests/run -n 2 --durations=10 -m 'not product' \
	    $(foreach name,$(TESTS_$*),$(wildcard tests/sanitize/$(name).py tests/test_$(name).py)) $(PYTEST)

.PHONY: FORCE
$(SANITIZED)/%/kea-hook-runscript.so: private RELEASE = $(SANITIZED)/$*/$(TRIPLE)/release
$(SANITIZED)/%/kea-hook-runscript.so: setup build FORCE
	$(Q)RUSTC_BOOTSTRAP=1 CXXFLAGS='$(CXXFLAGS) -O1 -U_FORTIFY_SOURCE -fno-omit-frame-pointer $(FLAGS_$*)' \
	    RUSTFLAGS='-Zexternal-clangrt -Cunsafe-allow-abi-mismatch=sanitizer $(RUSTFLAGS_$*)' \
	    cargo build --release --locked --lib --features shim --target $(TRIPLE) --target-dir $(SANITIZED)/$*
	$(Q)tests/sanitize/std $(RELEASE)/libkea_hook_runscript.a $*
	$(Q)cp $(PROGRAMS) $(@D)
	$(Q)$(CXX) -shared -o $@.new $(FLAGS_$*) $(LINK) && mv $@.new $@

.PHONY: lint
lint: setup ## Check format and lints of Rust, C++ and sh
	$(Q)cargo fmt --check --all
	$(Q)cargo fmt --check --manifest-path fuzz/Cargo.toml
	$(Q)cargo clippy --locked --workspace --all-targets -- -D warnings
	$(Q)clang-format --dry-run -Werror $(shell find cpp-shim tests/bench -name '*.cc' -o -name '*.h')
	$(Q)shellcheck debian/postinst debian/prerm debian/postrm debian/kea-omapi.prerm debian/kea-omapi.postrm tests/deb tests/booted/run tests/run tests/setup tests/sanitize/std .ci/run $(wildcard examples/*/*.sh)

.PHONY: unit
unit: setup ## Run the tests that need no Kea
	$(Q)cargo test --locked --workspace

# Those in fuzz/fuzz_targets, one after the other, each so many seconds.
FUZZ ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
SECONDS ?= 600
# What libFuzzer is told: no input larger than a packet can be, none that takes long.
FUZZING = -dict=fuzz/dictionary -max_total_time=$(SECONDS) -max_len=65536 -timeout=10 -print_final_stats=1

.PHONY: fuzz
fuzz: ## Feed what reads foreign bytes with bytes that nobody expects, ten minutes each way in (FUZZ=answer SECONDS=60)
	$(Q)$(SETUP) fuzz
	$(Q)fuzz/seeds
	$(Q)for target in $(FUZZ); do \
	    cargo fuzz run --sanitizer none --target-dir $(CARGO_TARGET_DIR)/fuzz $$target -- $(FUZZING) || exit 1; done

.PHONY: bench
bench: setup build ## Measure Kea with and without a hook, and write docs/benchmarks (BENCH='-k "v4 and single"': some of it)
	$(Q)$(SETUP) bench
	$(Q)cargo test --release --locked --lib -- --ignored --nocapture roundtrip
	$(Q)tests/run -s tests/bench/callout.py tests/bench/latency.py tests/bench/throughput.py tests/bench/lease_events.py tests/bench/keep.py $(BENCH)
	$(Q)/usr/bin/python3 tests/bench/report.py

.PHONY: matrix
matrix: ## Build and test on every release that has a Kea, in roots of their own (as root)
	$(Q)tests/setup matrix
	$(Q)tests/matrix $(RELEASES)

.PHONY: vm vm-full
vm: ## Try the package on booted systems, in virtual machines (as root; RELEASES=trixie: some of them)
	$(Q)tests/setup vm
	$(Q)tests/vm $(RELEASES)

vm-full: ## The same with all that takes long, a reboot among it
	$(Q)tests/setup vm
	$(Q)tests/vm --full $(RELEASES)

.PHONY: docs
docs: setup ## Write docs/ anew from the tables in the code
	$(Q)UPDATE_DOCS=1 cargo test --locked --lib reference

.PHONY: man
man: $(PAGES) $(OMAPI_PAGES) ## Make the manual pages, from docs/: build/man/

build/man/%: docs/man/%.md docs/man/markdown.awk $(wildcard docs/*.md)
	$(Q)$(SETUP) man
	$(Q)mkdir -p $(@D)
	$(Q)awk -f docs/man/markdown.awk $< >$@.md
	$(Q)$(HERE) $@.md
	$(Q)go-md2man -in $@.md -out $@
	$(Q)sed -i '/^\.TH/a .nh' $@

# The docs name the hooks directory of Debian on a PC.
HERE = sed -i 's|/usr/lib/x86_64-linux-gnu/kea/hooks|$(KEA_HOOKS)|'

.PHONY: deb
deb: ## Build the Debian packages, for the Kea that is installed: build/kea-hook-runscript_*.deb, build/kea-omapi_*.deb
	$(Q)$(SETUP) deb
	$(Q)rm -f build/*.deb
	$(Q)DEB_DIR=build dpkg-buildpackage --rules-target=clean,binary

.PHONY: install
install: install-hooks $(if $(wildcard $(OMAPI)),install-omapi) ## Install what `make build`, `make omapi` and `make man` have built (DESTDIR=, PREFIX=, KEA_HOOKS= say where to)

# debian/rules makes a package of each.
.PHONY: install-hooks
install-hooks:
	@test -e $(LIBRARY) || { echo 'run make build first'; exit 1; }
	$(Q)$(INSTALL) -D -m 644 -s -t "$(DESTDIR)$(KEA_HOOKS)" $(LIBRARY) $(RESERVATIONS)
	$(Q)$(INSTALL) -D -m 755 -s -t "$(DESTDIR)$(PREFIX)/sbin" $(PROGRAMS)
	$(Q)rm -rf "$(DESTDIR)$(DOC)"
	$(Q)for file in README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md docs/benchmarks/*; do install -D -m 644 $$file "$(DESTDIR)$(DOC)/$$file"; done
	$(Q)find examples/*/ -type f -exec sh -c 'install -D -m 644 "$$2" "$$1/$$2"' sh "$(DESTDIR)$(DOC)" {} ';'
	$(Q)$(HERE) "$(DESTDIR)$(DOC)"/README.md "$(DESTDIR)$(DOC)"/examples/*/*.conf
	$(call install_pages,$(PAGES))
	@echo 'In kea-dhcp4.conf and kea-dhcp6.conf: "library": "$(KEA_HOOKS)/kea-hook-runscript.so"'

# The unit is Debian's, with this PREFIX. Without systemd nobody reads it.
.PHONY: install-omapi
install-omapi:
	@test -e $(OMAPI) || { echo 'run make omapi first'; exit 1; }
	$(Q)$(INSTALL) -D -m 755 -s -t "$(DESTDIR)$(PREFIX)/sbin" $(OMAPI)
	$(Q)install -D -m 644 -t "$(DESTDIR)$(UNITS)" debian/kea-omapi.service
	$(Q)sed -i 's|/usr/sbin/kea-omapi|$(PREFIX)/sbin/kea-omapi|' "$(DESTDIR)$(UNITS)/kea-omapi.service"
	$(call install_pages,$(OMAPI_PAGES))

install_pages = $(Q)for page in $(wildcard $(1)); do \
	    install -D -m 644 $$page "$(DESTDIR)$(MAN)/man$${page\#\#*.}/$${page\#\#*/}"; done

.PHONY: uninstall
uninstall: ## Remove what `make install` has installed, with the same DESTDIR=, PREFIX=, KEA_HOOKS=
	$(Q)rm -f $(foreach file,$(notdir $(LIBRARY) $(RESERVATIONS)),"$(DESTDIR)$(KEA_HOOKS)/$(file)")
	$(Q)rm -f $(foreach file,$(notdir $(PROGRAMS) $(OMAPI)),"$(DESTDIR)$(PREFIX)/sbin/$(file)")
	$(Q)rm -f "$(DESTDIR)$(UNITS)/kea-omapi.service"
	$(Q)for page in $(PAGES) $(OMAPI_PAGES); do rm -f "$(DESTDIR)$(MAN)/man$${page##*.}/$${page##*/}"; done
	$(Q)rm -rf "$(DESTDIR)$(DOC)"

.PHONY: clean
clean: ## Remove what was built
	$(Q)rm -rf build target debian/files debian/*stamp debian/.debhelper debian/kea-hook-runscript debian/kea-hook-runscript.* \
	    debian/kea-omapi debian/kea-omapi.substvars debian/kea-omapi.*.debhelper
