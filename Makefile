# Each target is explained by the text after its two hash signs; `make` prints them all.
# Tools are pinned here and run by `go run module@version`, so that go.mod stays free of them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

GO       ?= go
FUZZTIME ?= 1m
CHAOS    ?= 2m
ARGS     ?=

GOLANGCI_LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2
# The linter's cache remembers paths, and so must not be shared between checkouts.
export GOLANGCI_LINT_CACHE := $(CURDIR)/build/lint-cache
GOVULNCHECK   := $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0
export BENCHSTAT := $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260709024250-82a0b07e230d

# The version is stamped by name, not read from the checkout by the go command, which fails where
# git does not trust the directory (containers, worktrees of another user).
export GOFLAGS := $(GOFLAGS) -buildvcs=false
VERSION := $(shell git -c 'safe.directory=*' describe --tags --always --dirty 2>/dev/null || echo unknown)

# The comparison with other projects and the report are modules of their own, whose dependencies
# nobody inherits; what holds for one holds for all.
MODULES := . $(patsubst %/go.mod,%,$(wildcard bench/*/go.mod))
in_modules = for m in $(MODULES); do (cd $$m && echo "+ [$$m] $(1)" && $(1)); done

# Packages whose invariants are cheap enough to check in every test run.
CHECKED := $(patsubst %,./%...,\
  $(sort $(dir $(wildcard engine/*.go internal/table/*.go internal/wheel/*.go))))

# What `make image` calls the image.
TAG ?= curfew:$(VERSION)

E2E := build/e2e
# Its tests wait for timeouts more than they compute.
E2E_PARALLEL ?= 12

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## start curfewd with its defaults (ARGS='--listen ...' passes flags)
	$(GO) run -ldflags '-X main.version=$(VERSION)' ./cmd/curfewd $(ARGS)

.PHONY: build
build: ## compile everything; static binaries of cmd/ go to build/
	@# A module of one command would leave its binary where it stands.
	@$(call in_modules,$(GO) build -o /dev/null ./...)
	$(if $(wildcard cmd/*/main.go),CGO_ENABLED=0 $(GO) build -trimpath \
	  -ldflags '-X main.version=$(VERSION)' -o build/ ./cmd/...)

.PHONY: test
test: ## all tests; the data structures once more with their invariants checked
	@$(call in_modules,$(GO) test ./...)
	$(if $(CHECKED),$(GO) test -tags invariants $(CHECKED))

.PHONY: race
race: ## all tests under the race detector, which switches the invariants on too
	@$(call in_modules,$(GO) test -race ./...)

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (1m), invariants on
	@# On a busy machine the fuzzer may end by its own deadline, and calls that a failure; one with
	@# no failing input is none.
	@failed=0; found=0; mkdir -p build; log=build/fuzz-target.log; \
	list=$$($(GO) test -tags invariants -list '^Fuzz' ./...); \
	while read -r pkg name; do \
	  found=$$((found + 1)); echo "--- $$pkg $$name for $(FUZZTIME)"; \
	  $(GO) test -tags invariants -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) \
	    -fuzzminimizetime 20x "$$pkg" </dev/null 2>&1 | tee $$log || \
	  if grep -q 'context deadline exceeded' $$log && ! grep -q 'Failing input' $$log; then \
	    echo 'stopped at its deadline, no input failed'; \
	  else failed=$$((failed + 1)); fi; \
	done < <(awk '/^Fuzz/ {name[++n] = $$1} \
	  /^(ok|\?)[ \t]/ {for (i = 1; i <= n; i++) print $$2, name[i]; n = 0}' <<<"$$list"); \
	echo "--- $$found fuzz targets, $$failed failed"; [ $$failed -eq 0 ]

.PHONY: chaos
chaos: ## clients on a network that breaks everything for CHAOS (2m); ARGS='-seed N' repeats one
	$(GO) test -count=1 -timeout 0 -v -run '^TestChaos$$' ./internal/hostile -chaos $(CHAOS) $(ARGS)

.PHONY: cover
cover: ## coverage of all packages by all tests, per function, in build/cover.txt
	@mkdir -p build
	$(GO) test -coverpkg=./... -coverprofile=build/cover.out ./...
	@$(GO) tool cover -func=build/cover.out >build/cover.txt; tail -n 1 build/cover.txt

.PHONY: bench
bench: ## the engine beside its peers (WHAT, BENCH, COUNT, ...: bench/run.sh help); keeps raw text
	bench/run.sh

.PHONY: bench-net
bench-net: ## the daemon beside other WebSocket servers (QUICK=1, PIN, ONLY, ...); keeps raw text
	bench/run.sh net

.PHONY: bench-pgo
bench-pgo: ## the daemon built with a profile of itself beside the plain one (QUICK=1, ROUNDS, PIN)
	bench/run.sh pgo

.PHONY: bench-report
bench-report: ## make docs/benchmarks.md and plots of the newest of bench/results (ALSO, FILES)
	cd bench/benchreport && $(GO) run . -root ../.. -also '$(ALSO)' $(FILES)

.PHONY: bench-sessions
bench-sessions: ## JSON beside raw, resuming, storms, an application (PARTS, ROUNDS, SPREAD); keeps raw text
	bench/run.sh sessions

.PHONY: conform
conform: ## curfew conform against curfewd and servers of others (NAMES); keeps the result (e2e-tools first)
	bench/conform.sh $(NAMES)

.PHONY: load-selfcheck
load-selfcheck: ## prove that curfew load finds faults, on servers that have one each (ONLY); keeps raw text
	bench/run.sh loadcheck

.PHONY: soak
soak: ## 15,000 connections under churn, floods and expiry for 10 minutes (SOAK); not in ci
	bench/run.sh netsoak

.PHONY: bench-compare
bench-compare: ## the working tree against OLD (HEAD) on PKG (./engine), samples interleaved
	bench/compare.sh

.PHONY: lint
lint: ## the rules that linters know (.golangci.yml)
	@$(call in_modules,$(GOLANGCI_LINT) run ./...)

.PHONY: fmt
fmt: ## format all Go files as lint wants them
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## go vet, the tags of the end-to-end tests and of the invariants included
	@$(call in_modules,$(GO) vet ./...)
	@$(call in_modules,$(GO) vet -tags 'e2e invariants' ./...)

.PHONY: vet-cross
vet-cross: ## go vet for the platforms that tests do not run on, 32 bits among them
	@$(call in_modules,GOOS=darwin $(GO) vet ./...)
	@$(call in_modules,GOOS=windows $(GO) vet ./...)
	@$(call in_modules,GOARCH=386 $(GO) vet ./...)

.PHONY: tidy
tidy: ## the rules that only this house has (internal/tidy), and go.mod as it should be
	@$(call in_modules,$(GO) mod tidy -diff)
	$(GO) test -count=1 ./internal/tidy

.PHONY: vuln
vuln: ## known vulnerabilities in what we depend on; needs the network
	@$(call in_modules,$(GOVULNCHECK) ./...)

.PHONY: e2e-tools
e2e-tools: ## install what e2e drives (clients, proxies, browsers, systemd, builders)
	internal/e2e/tools.sh $(E2E)

.PHONY: e2e
e2e: ## drive the real daemon with clients and proxies that are not ours
	$(if $(wildcard internal/e2e/*.go),PATH=$(CURDIR)/$(E2E)/bin:$$PATH \
	  NODE_PATH=$(CURDIR)/$(E2E)/node_modules \
	  $(GO) test -tags e2e -count=1 -parallel $(E2E_PARALLEL) ./internal/e2e/...,@echo 'e2e: no tests yet')

.PHONY: check
check: build vet vet-cross lint tidy test ## what must pass before every commit

.PHONY: ci
ci: e2e-tools check race e2e ## what must pass before every merge; .ci/run is the same with times

.PHONY: release
release: ## archives with static binaries and SHA256SUMS in build/release (PLATFORMS, VERSION)
	VERSION='$(VERSION)' deploy/release.sh build/release

.PHONY: release-check
release-check: ## build the release of HEAD twice, in two clones and caches: the same bytes?
	deploy/release-check.sh

.PHONY: image
image: ## an image of the release for this machine (TAG, BUILDER: docker, podman, buildah)
	VERSION='$(VERSION)' PLATFORMS=linux/$(shell $(GO) env GOARCH) deploy/release.sh build/image
	deploy/image.sh build/image/curfew-$(VERSION)-linux-$(shell $(GO) env GOARCH) $(TAG)

.PHONY: clean
clean: ## remove what the other targets built
	rm -rf build bench/results/tmp
