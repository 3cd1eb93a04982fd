# make run     build, start Qalam with the model in this repository, print the address (HOST, PORT)
# make test    build and run every test
# make check   format, lengths, imports, documentation
# make bench   compare with others (all, or ONLY=train,tokenizer,matmul,generate,start,engine,server)
# make dist    an archive of the program with Swift's runtime inside, in out/
# make conformance  run the openai package's own tests, write docs/conformance.md
# make clients      run real clients of OpenAI, Anthropic and Ollama
# make schema       send requests made from /openapi.json
# make page-check   use the page in a headless Chromium as people do

# Homebrew keeps libarchive and libjpeg-turbo apart from others of their kind.
BREW := $(shell command -v brew 2>/dev/null)
ifneq ($(BREW),)
OPT := $(shell brew --prefix)/opt
export PKG_CONFIG_PATH := $(OPT)/libarchive/lib/pkgconfig:$(OPT)/jpeg-turbo/lib/pkgconfig:$(PKG_CONFIG_PATH)
endif

HOST ?= 127.0.0.1
PORT ?= 8080
export HOST PORT ONLY

.PHONY: run build test check bench dist conformance clients schema page-check libraries

run: build
	@.build/release/qalam serve --host "$(HOST)" --port "$(PORT)"

build: libraries
	@swift build -c release --product qalam

# `swift test` alone would compile with other flags than `make build` and `make check`, and so everything again. The second
# run proves the models once more where activations are not rounded to bfloat16.
test: libraries
	@swift build -c release --build-tests --explicit-target-dependency-import-check error
	@swift test -c release --skip-build
	@QALAM_INSTRUCTIONS=avx512vnni swift test -c release --skip-build --filter 'Golden|EncoderTests|GGUFModelTests'

check:
	@scripts/check.sh

bench: libraries
	@Benchmarks/bench.sh

dist: libraries
	@scripts/dist.sh

conformance: build
	@Benchmarks/conformance.sh

clients: build
	@Benchmarks/clients.sh

page-check: build
	@Benchmarks/page-check.sh

schema: build
	@Benchmarks/schema.sh

libraries:
	@scripts/install-system-libraries.sh
	@scripts/page-libraries.sh
