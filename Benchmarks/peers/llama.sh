#!/bin/sh
# Builds llama.cpp from the newest source package of llama-cpp-python into Benchmarks/.work/llama.
#   llama.sh PYTHON    prints the folder of its programs on the last line
set -eu
cd "$(dirname "$0")/../.work"
python=$1
if [ ! -f llama/done ]; then
    rm -rf llama
    mkdir -p llama/source
    # The package's own requirements are not wanted, only its source.
    "$python" -m pip download --quiet --no-deps --no-build-isolation --no-binary llama-cpp-python llama-cpp-python \
        -d llama >&2 || "$python" -m pip download --quiet --no-deps --no-binary llama-cpp-python llama-cpp-python -d llama >&2
    tar xzf llama/llama_cpp_python-*.tar.gz -C llama/source --strip-components=1
    cmake=$("$python" -c 'import cmake, os; print(os.path.join(cmake.CMAKE_BIN_DIR, "cmake"))')
    "$cmake" -S llama/source/vendor/llama.cpp -B llama/build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
        -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF >&2
    "$cmake" --build llama/build --target llama-bench llama-batched-bench llama-quantize llama-server llama-perplexity \
        llama-completion >&2
    touch llama/done
fi
echo "$PWD/llama/build/bin"
