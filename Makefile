# The commands of the README. Everything here needs Go, make and git; the
# network is used for Go modules alone.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always 2>/dev/null || echo unknown)
GUESTS    := fs demo
DIST      := capsules/dist
GUESTENV  := GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0
GUESTFLAGS := -trimpath -buildmode=c-shared -ldflags="-s -w -buildid="
HOSTFLAGS := -trimpath -ldflags="-s -w -X main.version=$(VERSION)"
TOOL      := $(GO) tool -modfile=tools/go.mod

.PHONY: all build guests demo test vet unit bench soak clean

all: build

## build: the binary bin/astrid with the bundled capsules in it
build: guests
	CGO_ENABLED=0 $(GO) build $(HOSTFLAGS) -o bin/astrid ./cmd/astrid

## guests: compile the bundled capsules to WebAssembly
guests: $(GUESTS:%=$(DIST)/%/Capsule.toml)

SDK := $(shell find sdk -name '*.go' -o -name go.mod)

.SECONDEXPANSION:
$(DIST)/%/Capsule.toml: $$(wildcard capsules/%/*) $(SDK)
	@mkdir -p $(@D)
	cd capsules/$* && $(GUESTENV) $(GO) build $(GUESTFLAGS) -o ../../$(@D)/$*.wasm .
	cp capsules/$*/Capsule.toml $@

## demo: the main job from end to end, in a home and workspace of its own
demo: build
	bin/astrid demo

## test: everything that CI runs
test: vet unit

vet: guests
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	cd sdk && $(GUESTENV) $(GO) vet ./...
	@for g in $(GUESTS); do (cd capsules/$$g && $(GUESTENV) $(GO) vet .) || exit 1; done
	$(TOOL) staticcheck ./...
	@tools/vulncheck.sh $(TOOL) govulncheck ./...

unit: build
	$(GO) test -race -timeout 12m ./...
	$(GO) test -timeout 10m -run 'Guest$$|GuestWithWASI$$' ./wasm/component
	cd sdk && $(GO) test -race ./...

## bench: benchmarks of the packages, then of the whole daemon
bench: build
	@uname -srm; $(GO) version; nproc
	$(GO) test -run '^$$' -bench . -benchmem ./...
	bin/astrid bench

## soak: crash rounds at length, then every fuzz target for FUZZTIME
FUZZTIME ?= 2m
soak: build
	ASTRID_SOAK=1 $(GO) test -timeout 4h ./...
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/func //' | while read -r target; do \
			echo "$$dir $$target"; \
			(cd $$dir && $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) .) || exit 1; \
		done || exit 1; \
	done

clean:
	rm -rf bin build $(DIST)/fs $(DIST)/demo
