#!/bin/sh
# windows.sh COMPILER RUN DIRECTORY - the header as a Windows library: it exports lctx_* and nothing
# else, and a program that imports it works; and a program that answers from a file. DIRECTORY has the
# examples' shared.a and generate.exe.
cc=$1 run=$2 dir=$3
. tests/prove.sh

library() {
    $cc -std=c99 -O1 -DLCTX_NO_SIMD -DLCTX_IMPLEMENTATION '-DLCTX_API=__declspec(dllexport)' \
        -Wall -Wextra -pedantic -Werror -shared -x c lctx.h -o "$dir/lctx.dll" \
        "-Wl,--out-implib,$dir/lctx.dll.a"
}
exported() { ${cc%gcc}nm "$dir/lctx.dll.a" | awk '$2 == "T" { print $3 }'; }
only_ours() { exported | grep -q '^lctx_attend$' && ! exported | grep -v '^lctx_[a-z]'; }
imports() {
    $cc -std=c99 -O1 -I. -Iexamples/shared '-DLCTX_API=__declspec(dllimport)' examples/drop_in.c \
        "$dir/shared.a" "$dir/lctx.dll.a" -o "$dir/imports.exe" && $run "$dir/imports.exe"
}
answers() {
    $run "$dir/generate.exe" examples/toy/toy-yarn.gguf --file examples/toy/passkey.txt -n 6 \
        --rope yarn --factor 20 --orig-ctx 256 | grep -q '^62379\.'
}
prove "the header compiles to a DLL" library
prove "lctx.dll exports lctx_* only" only_ours
prove "a program imports lctx.dll and works" imports
prove "generate finds the pass key in a file" answers

echo "windows [$cc]: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
