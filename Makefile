# The race detector needs a C compiler; without one the tests run without it.
RACE := $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && command -v $$(go env CC) >/dev/null 2>&1 && echo -race)
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME ?= 30s
SOAKTIME ?= 30m
RUNS ?= 200

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## show the program at work, against a server of its own
	go run ./cmd/kaizen demo

test: ## run all tests, and look for their passwords in all that they write
	go run ./test/secrets go test $(RACE) -json ./...

check: ## formatting, vet, staticcheck, shape, every platform, and the other modules
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on:" $$unformatted; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	go test -run '^TestShape' .
	@for p in $(PLATFORMS); do echo "build for $$p"; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build ./... || exit 1; done
	cd bench && go vet ./... && $(STATICCHECK) ./... && go build -o /dev/null ./... && go test ./...
	cd examples && go vet ./... && $(STATICCHECK) ./... && go test ./...
	cd test/interop && go vet ./... && $(STATICCHECK) ./...
	cd test/parsers && go vet ./... && $(STATICCHECK) ./...
	cd test/oauth && go vet ./... && $(STATICCHECK) ./...

interop: ## send to real mail servers, as root on Debian (SHORT=1: less of it)
	INTEROP=$(if $(SHORT),short) ./test/interop/run.sh

parsers: ## let Python's email and npm's mailparser read what we write
	./test/parsers/run.sh

oauth: ## log in at a real OAuth 2 server, and look for tokens in all that is written
	go run ./test/secrets go -C test/oauth test $(RACE) -count=1 -json ./...

build: ## build bin/kaizen
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/kaizen

bench: ## compare with other clients, in two minutes
	cd bench && go run ./sidebyside -quick

fuzz: ## fuzz every parser for FUZZTIME (30s) each
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
		for target in $$(grep -h -o '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
			echo "$$dir $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; done; done

soak: ## send at full speed to failing servers for SOAKTIME (30m), then settle accounts
	go run ./test/soak -time $(SOAKTIME)

crash: ## kill processes that queue and deliver, RUNS (200) times, and look that nothing is lost
	go run ./test/crash -runs $(RUNS)

clean: ## remove what was built
	rm -rf bin
	find . -name '*.test' -o -name '*.prof' -o -name '*.out' | xargs rm -f

.PHONY: help run test check interop parsers oauth build bench fuzz soak crash clean
