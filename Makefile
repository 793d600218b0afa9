# kea-hook-runscript. `make` alone explains itself; V=1 shows the commands.

PREFIX ?= /usr/local
DESTDIR ?=
KEA_HOOKS ?= /usr/lib/$(shell uname -m)-linux-gnu/kea/hooks

LIBRARY := build/kea-hook-runscript.so
RUNNER := build/kea-runscript
CARGO_TARGET_DIR ?= target
STATICLIB := $(CARGO_TARGET_DIR)/release/libkea_hook_runscript.a

Q := $(if $(V),,@)

.PHONY: help
help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what building, demo and tests need (Debian packages, as root)
	$(Q)tests/setup

.PHONY: build
build: setup ## Build build/kea-hook-runscript.so and build/kea-runscript
	$(Q)cargo build --release --locked --features shim
	$(Q)mkdir -p build
	$(Q)cp $(CARGO_TARGET_DIR)/release/kea-runscript $(RUNNER).new && mv $(RUNNER).new $(RUNNER)
	$(Q)$(CXX) -shared -o $(LIBRARY).new $(LINK) && mv $(LIBRARY).new $(LIBRARY)

# A cdylib would hide the shim's symbols. Kea's own symbols come from the server that loads us, so none of its
# libraries is named here; nodelete keeps us mapped over a reload.
LINK = -Wl,--version-script=cpp-shim/exports.map -Wl,--whole-archive $(STATICLIB) -Wl,--no-whole-archive \
       -Wl,--gc-sections -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -s -lpthread -ldl -lm
