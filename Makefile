# Five modules live here: the root; gitbook, which receivers import; standalone, which embeds the Temporal server;
# bench, which measures all of it; and deploy/helm, the tests of the chart.
# Every target is a plain go command that can be run by hand as well.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
WORKFLOWCHECK := go run go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0
# A time, or a number of inputs such as 50000x. The fuzzer calls it a failure when a time runs out in the wrong moment.
FUZZTIME ?= 50000x
# From the same commit these give the same programs, on any machine: no cgo, no paths, no clock. The Dockerfile has
# the same line, and .ci/run compares.
REPRODUCIBLE := CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -ldflags=-s"
# Tells the programs their commit, which the flags above keep from them.
STAMP := -ldflags="-s -X github.com/gitbook-courier/courier/internal/version.commit=$(shell git rev-parse --short=12 HEAD 2>/dev/null)"
# For how long, and with which seed, the soak disturbs.
SOAK ?= 10m
SEED ?= 1
# Flags of the benchmark, such as --quick; bin/bench -h lists them.
BENCH ?=
# The release whose histories are stored, such as v0.3.0. The CHANGELOG's newest when empty.
RELEASE ?=

# For which platforms the archives of a release are made.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

.PHONY: help build dist standalone test schema helm bench soak lint replay fuzz histories tidy-check

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

build: ## Build the programs into bin/, byte for byte the same from the same commit
	$(REPRODUCIBLE) go build $(STAMP) -o bin/ ./starter ./worker ./courierctl
	$(REPRODUCIBLE) go -C standalone build $(STAMP) -o ../bin/courier .

dist: ## Make a release's archives, sums and bill of materials in bin/dist (PLATFORMS="linux/amd64 …")
	deploy/dist.sh "$(CURDIR)/bin/dist" $(PLATFORMS)

standalone: ## Run all of Courier in one process (LISTEN=127.0.0.1:8090 moves its address; FLAGS="--ui-listen …" the others)
	@# Built first, because "go run" would call an orderly stop by Ctrl-C an error.
	go -C standalone build -o ../bin/courier .
	@cd standalone && exec ../bin/courier $(if $(LISTEN),--listen $(LISTEN)) $(FLAGS)

# The race detector watches our own code in the root; under it the embedded server is many times slower.
test: ## Test all modules, end to end included
	@# Without npm, the console's pages are not checked for accessibility, nor the receiver in JavaScript and the integration at all.
	@! command -v npm >/dev/null || npm --prefix standalone/e2e/testdata/npm ci --silent
	@! command -v npm >/dev/null || npm --prefix receivers/javascript ci --silent
	@! command -v npm >/dev/null || npm --prefix integration ci --silent
	@! command -v npm >/dev/null || npm --prefix receivers/javascript test --silent
	@! command -v npm >/dev/null || npm --prefix integration test --silent
	@! command -v python3 >/dev/null || (cd receivers/python && python3 -m unittest --quiet)
	go -C gitbook test -race ./...
	go test -race ./...
	go -C standalone test -count=1 ./...
	go -C bench test -count=1 ./...

schema: ## Check events and the settings screen against GitBook's description of its API, which npm installs
	npm --prefix internal/apitest/testdata/npm ci --silent
	go test -tags gitbookapi -run '^TestSchema$$' ./internal/apitest ./internal/gitbookapi ./starter/configscreen

helm: ## Check the Helm chart: lint, render, decode as Kubernetes' types, load its courier.yaml
	go -C deploy/helm test -count=1 ./...

bench: ## Measure Courier on this machine, in about fifteen minutes (BENCH=--quick for two; see docs/benchmarks.md)
	go build -o bin/ ./starter ./worker
	go -C standalone build -o ../bin/courier .
	go -C bench build -o ../bin/bench .
	@# Built first, like standalone, so that Ctrl-C reaches the program alone.
	@exec bin/bench $(BENCH)

soak: ## Disturb Courier at a fifth of a core for ten minutes (SOAK=1h, SEED=2), and hold the logs against each other
	go -C standalone test ./e2e -count=1 -v -run '^TestSoak$$' -timeout=0 -soak=$(SOAK) -soak.seed=$(SEED)

lint: tidy-check ## Check style, architecture, and that workflow code is deterministic
	$(GOLANGCI_LINT) run
	cd gitbook && $(GOLANGCI_LINT) run
	@# Receivers may have an older Go: vet finds what their standard library lacks.
	go -C gitbook vet ./...
	cd standalone && $(GOLANGCI_LINT) run
	cd bench && $(GOLANGCI_LINT) run
	cd deploy/helm && $(GOLANGCI_LINT) run
	$(WORKFLOWCHECK) -config .workflowcheck.yml ./workflows/...

replay: ## Replay the stored histories of every release
	go test -count=1 -v -run 'Replay|History|Histories' ./workflows

fuzz: ## Run every fuzz target for FUZZTIME (50000x inputs, or a time such as 1m)
	grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func / /' | while read -r file name; do \
		go -C "$$(dirname "$$file")" test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x . ; done

histories: ## Rewrite a release's stored histories (RELEASE=v0.3.0; the CHANGELOG's newest by default)
	go -C standalone test ./e2e -count=1 -run '^Test(Histories|Branches)Replay$$' -update -release "$(RELEASE)"

tidy-check:
	go mod tidy -diff
	go -C gitbook mod tidy -diff
	go -C standalone mod tidy -diff
	go -C bench mod tidy -diff
	go -C deploy/helm mod tidy -diff
