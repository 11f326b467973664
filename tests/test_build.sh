#!/bin/sh
# test_build.sh [build-directory] - what compilers and linkers must find true of lctx.h: several
# translation units, static copies, C++, what the libraries export and what the code calls. Wants
# `make lib` done. CC and CXX name the compilers; without a C++ compiler, python3 and clang, or node
# and a clang for WebAssembly, their cases are named as skipped, and so is what TEST_FULL=1 tries as
# well: more macros and flags, and the module for WebAssembly.
build=${1:-build}
cc=${CC:-cc}
cxx=${CXX:-c++}
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
. "$here/tests/prove.sh"

c()   { "$cc" -std=c99 -O0 -Wall -Wextra -pedantic -Werror -I"$here" "$@"; }
cpp() { "$cxx" -std=c++17 -O0 -Wall -Wextra -pedantic -Werror -I"$here" "$@"; }

# nothing [-v] "a pattern" : no line of standard input matches (-v: fails to); those are shown
nothing() { ! grep -E "$@"; }

# ---------------------------------------------------------------- sources for the cases
cat > "$dir/use.h" <<'END'
/* The calls that use_x makes reach every floor. */
#include "lctx.h"
#include <string.h>
static int use(void)
{
    float q[64] = { 1 }, k[64] = { 1 }, v[64] = { 3 }, out[64];
    char scratch[1 << 17];
    size_t bytes = 0;
    lctx_rope_desc d;
    lctx_rope r;
    lctx_span s;
    lctx_attn a;
    memset(&d, 0, sizeof d);
    memset(&s, 0, sizeof s);
    memset(&a, 0, sizeof a);
    d.n_rot = 64;
    s.k = k; s.v = v; s.n = 1;
    a.n_q = 1; a.n_head = a.n_head_kv = 1; a.d_k = 64;
    a.q = q; a.out = out; a.spans = &s; a.n_spans = 1;
    if (lctx_rope_init(&r, &d) != LCTX_OK) return 1;
    if (lctx_attend_size(&a, &bytes) != LCTX_OK || bytes > sizeof scratch) return 2;
    if (lctx_attend(&a, scratch, sizeof scratch) != LCTX_OK || !(out[0] > 2.9f)) return 3;
    return lctx_model_check(0) != LCTX_E_NULL;
}
END
printf '#include "use.h"\nint use_a(void);\nint use_a(void) { return use(); }\n' > "$dir/a.c"
printf '#include "use.h"\nint use_b(void);\nint use_b(void) { return use(); }\n' > "$dir/b.c"
cat > "$dir/main.c" <<'END'
#ifdef __cplusplus
extern "C" {
#endif
int use_a(void);
int use_b(void);
#ifdef __cplusplus
}
#endif
int main(void) { return use_a() * 10 + use_b(); }
END
printf '#define LCTX_IMPLEMENTATION\n#include "lctx.h"\n' > "$dir/impl.c"
sed 's/int use_a(void);/extern "C" int use_a(void);/' "$dir/a.c" > "$dir/a.cpp"
printf '#include <stdlib.h>\nint main(void) { return !getenv("PATH"); }\n' > "$dir/wasm.c"
cp "$dir/impl.c" "$dir/impl.cpp"
cp "$dir/main.c" "$dir/main.cpp"
mkdir "$dir/sub"
cp "$here/lctx.h" "$dir/sub/lctx.h"
cat > "$dir/file.c" <<'END'
#include "sub/lctx.h"
#include "sub/lctx.h"
#define LCTX_FILE "sub/lctx.h"
#define LCTX_IMPLEMENTATION
#include "sub/lctx.h"
#include "sub/lctx.h"
END

# ---------------------------------------------------------------- instruction sets
# sets "names" flags... : those whose kernels are compiled
sets() {
    want=$1
    shift
    got=$(c -E "$@" "$dir/impl.c" | sed -n 's/.*static const lctx__ops lctx__ops_\([a-z0-9]*\) = .*/\1/p' |
          tr '\n' ' ')
    test "$got" = "$want" || { echo "wanted: $want, got: $got"; return 1; }
}
case $(uname -m) in
x86_64|amd64)
    prove "all sets of the target are compiled" sets "scalar avx2 avx512 avx512dot "
    prove "LCTX_NO_SIMD leaves the scalar one" sets "scalar " -DLCTX_NO_SIMD
    prove "LCTX_ISAS chooses sets" sets "scalar avx2 " -DLCTX_ISAS=3
    prove "a set with dot products brings the one it is built on" sets "avx512 avx512dot " -DLCTX_ISAS=8
    prove "none is compiled below what the compiler was promised" \
        sets "avx2 avx512 avx512dot " -march=haswell
    prove "but where they are asked for" sets "scalar avx2 " -march=haswell -DLCTX_ISAS=3
    none() { ! c -E -DLCTX_ISAS=16 "$dir/impl.c" > "$dir/none"; }
    prove "sets of another target alone are an error" none ;;
esac

# ---------------------------------------------------------------- translation units
# The code for instruction sets takes long to compile, and names do not depend on it: it is left out
# here. The libraries were made with it.
less=-DLCTX_NO_SIMD
[ -z "${TEST_FULL:-}" ] || less=
together() { c "$dir/a.c" "$dir/b.c" "$dir/main.c" "$@" -o "$dir/together" -lm && "$dir/together"; }
prove "the header is a source file itself" \
    c -DLCTX_IMPLEMENTATION $less -x c -c "$here/lctx.h" -o "$dir/impl.o"
prove "one file holds the implementation, two use it" together "$dir/impl.o"
# Two files with a copy each in the long tests, else one beside the implementation.
static_copies() {
    c -DLCTX_STATIC -DLCTX_IMPLEMENTATION $less -c "$dir/a.c" -o "$dir/a.o" || return 1
    if [ -n "${TEST_FULL:-}" ]; then
        c -DLCTX_STATIC -DLCTX_IMPLEMENTATION $less "$dir/a.o" "$dir/b.c" "$dir/main.c" \
            -o "$dir/static" -lm
    else
        c "$dir/a.o" "$dir/b.c" "$dir/main.c" "$dir/impl.o" -o "$dir/static" -lm
    fi && "$dir/static"
}
prove "a file with a static copy stands beside others" static_copies
unseen() { nm -g --defined-only "$dir/a.o" > "$dir/seen" && ! grep lctx "$dir/seen"; }
prove "a static copy leaves nothing for other files to see" unseen
elsewhere() {
    c $less -I"$dir" -c "$dir/file.c" -o "$dir/file.o" && together "$dir/file.o"
}
prove "LCTX_FILE names the header where it stands in another folder, included again and again" \
    elsewhere
variant() {
    c "$@" -c "$dir/impl.c" -o "$dir/variant.o" && together "$dir/variant.o"
}
if [ -n "${TEST_FULL:-}" ]; then      # make's own libraries have LCTX_PTHREADS
    prove "LCTX_PTHREADS compiles and runs" variant -DLCTX_PTHREADS -pthread
    prove "LCTX_NO_SIMD compiles and runs" variant -DLCTX_NO_SIMD
    prove "LCTX_NO_OPENMP compiles and runs" variant -DLCTX_NO_OPENMP
    prove "-ffast-math compiles and runs" variant -ffast-math
    prove "LCTX_ASSERT may be the user's" variant '-DLCTX_ASSERT(x)=((x)?(void)0:__builtin_trap())'
else
    echo "  SKIPPED: other macros and flags, two static copies, all sets as C++ (make test-full)"
fi
prove "the API alone compiles without warnings as C11" \
    "$cc" -std=c11 -Wall -Wextra -pedantic -Werror -I"$here" -c "$dir/a.c" -o "$dir/a11.o"

if command -v "${cxx%% *}" > /dev/null; then
    in_cpp() {
        cpp $less -c "$dir/impl.cpp" -o "$dir/impl_cpp.o" && cpp -c "$dir/a.cpp" -o "$dir/a_cpp.o" &&
            cpp -x c++ -c "$dir/main.cpp" -o "$dir/main_cpp.o" && c -c "$dir/b.c" -o "$dir/b.o"
    }
    mixed() { "$cxx" "$dir/a_cpp.o" "$dir/b.o" "$dir/main_cpp.o" "$1" -o "$dir/mixed" -lm && "$dir/mixed"; }
    prove "the implementation and its use compile as C++17" in_cpp
    prove "C and C++ use an implementation in C++" mixed "$dir/impl_cpp.o"
    prove "C and C++ use an implementation in C" mixed "$dir/impl.o"
else
    echo "  SKIPPED: C++ ($cxx is not here)"
fi

# ---------------------------------------------------------------- symbols
exported() { nm -D --defined-only "$build/liblctx.so" | awk '{ print $NF }'; }
only_ours() { exported | nothing -v '^lctx_[a-z]' && exported | grep -q '^lctx_attend$'; }
prove "liblctx.so exports lctx_* only" only_ours
archived() { nm -g --defined-only "$build/liblctx.a" | awk 'NF == 3 { print $3 }' | nothing -v '^lctx_[a-z]'; }
prove "liblctx.a defines lctx_* only" archived
calls() { nm -u "$build/lctx.o" | awk '{ print $NF }'; }
no_fma() { calls | nothing '^_?fmaf?(@.*)?$'; }
prove "no kernel calls fma or fmaf" no_fma
quiet() {
    calls | nothing '^_?(abort|exit|_exit|.*printf.*|puts|putchar|fwrite|perror|stderr|stdout|__assert.*)(@.*)?$'
}
prove "nothing is called that prints, aborts or exits" quiet
one_global() { test "$(nm "$build/lctx.o" | grep -c ' [bBC] ')" -eq 1; }
prove "the dispatch table's pointer is the only variable" one_global

loops() { ${OBJDUMP:-objdump} -d --no-show-raw-insn "$build/lctx.o" | awk -f "$here/tests/kernels.awk"; }
case $(uname -m) in
x86_64 | aarch64)
    if command -v ${OBJDUMP:-objdump} > /dev/null; then
        prove "the kernels' loops multiply vectors, never scalars" loops
    else
        echo "  SKIPPED: the kernels' loops (objdump is not here)"
    fi ;;
*)  echo "  SKIPPED: the kernels' loops (not x86-64 or aarch64)" ;;
esac

isa() { test "$(LCTX_ISA=$1 "$build/test_ground" --isa)" = "$2"; }
prove "a misspelt LCTX_ISA caps at scalar" isa avx-512 scalar
prove "an empty LCTX_ISA caps nothing" isa "" "$(env -u LCTX_ISA "$build/test_ground" --isa)"

# ---------------------------------------------------------------- other languages
declared() { python3 "$here/examples/bindings/generate.py" --check; }
if command -v python3 > /dev/null && command -v "${CLANG:-clang}" > /dev/null; then
    prove "declarations for other languages are as the header has them (make bindings)" declared
else
    echo "  SKIPPED: declarations for other languages (python3 or clang is not here)"
fi
if [ -z "${TEST_FULL:-}" ]; then      # a module takes as long to build as all else here
    echo "  SKIPPED: the module for WebAssembly (make test-full)"
elif command -v node > /dev/null &&
    clang --target=wasm32-wasi "$dir/wasm.c" -o "$dir/wasm" 2> /dev/null
then
    prove "make wasm builds a module" make -s -C "$here" wasm B="$dir"
    no_runtime() {
        ! make -s -C "$here" wasm B="$dir/rt" WASM="clang --target=wasm32-wasi -resource-dir=/no" \
            2> "$dir/rt.log" && grep -q libclang-rt-dev-wasm32 "$dir/rt.log"
    }
    prove "make wasm names the runtime library where it is missing" no_runtime
    prove "the module serves JavaScript" node "$here/examples/wasm.mjs" --lib "$dir/lctx.wasm"
    prove "JavaScript's missing module has its exit code" sh -c \
        'node "$0/examples/wasm.mjs" --lib "$0/no-such.wasm"; test $? -eq 2' "$here"
    prove "another module is refused" sh -c \
        'node "$0/examples/wasm.mjs" --lib "$1/wasm"; test $? -eq 2' "$here" "$dir"
else
    echo "  SKIPPED: wasm.mjs (node or a clang with wasi-libc is not here)"
fi

echo "build [$cc]: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
