# make run     build, start Qalam with the model in this repository, print the address (HOST, PORT)
# make test    build and run every test
# make check   format, lengths, imports, documentation
# make bench   compare with others (all, or ONLY=train,tokenizer,matmul,generate,start,engine)

# Homebrew keeps libarchive apart from the system's own.
BREW := $(shell command -v brew 2>/dev/null)
ifneq ($(BREW),)
export PKG_CONFIG_PATH := $(shell brew --prefix)/opt/libarchive/lib/pkgconfig:$(PKG_CONFIG_PATH)
endif

HOST ?= 127.0.0.1
PORT ?= 8080
export HOST PORT ONLY

.PHONY: run build test check bench libraries

run: build
	@.build/release/qalam serve --host "$(HOST)" --port "$(PORT)"

build: libraries
	@swift build -c release --product qalam

test: libraries
	@swift test -c release --explicit-target-dependency-import-check error

check:
	@scripts/check.sh

bench: libraries
	@Benchmarks/bench.sh

libraries:
	@scripts/install-system-libraries.sh
