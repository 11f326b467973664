#!/bin/sh
# test_install.sh [build-directory] - make install and uninstall, and programs that are built
# against what was installed, by pkg-config and by CMake; where these are not here, their cases are
# named as skipped. Wants `make lib` done.
build=${1:-build}
cc=${CC:-cc}
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
. "$here/tests/prove.sh"

makes() { make -s -C "$here" B="$build" "$@"; }
version=$(sed -n 's/.*define LCTX_VERSION 0x\(..\)\(..\)\(..\)u.*/0x\1 0x\2 0x\3/p' "$here/lctx.h")
version=$(printf '%d.%d.%d' $version)
abi=${version%.*}

cat > "$dir/main.c" <<'END'
#include <lctx.h>
int main(void)
{
    lctx_attn a = { 0 };
    size_t bytes;
    a.n_q = a.n_head = a.n_head_kv = 1, a.d_k = 64;
    return lctx_version() != LCTX_VERSION || lctx_attend_size(&a, &bytes) != LCTX_OK || !bytes;
}
END

# ---------------------------------------------------------------- files
staged() {
    makes install DESTDIR="$dir/stage" PREFIX=/opt/lctx LIBDIR=/opt/lctx/lib64 &&
        (cd "$dir/stage" && find . ! -type d | sort) > "$dir/files" && diff - "$dir/files" <<END
./opt/lctx/include/lctx.h
./opt/lctx/lib64/cmake/lctx/lctx-config-version.cmake
./opt/lctx/lib64/cmake/lctx/lctx-config.cmake
./opt/lctx/lib64/liblctx.a
./opt/lctx/lib64/liblctx.so
./opt/lctx/lib64/liblctx.so.$abi
./opt/lctx/lib64/liblctx.so.$version
./opt/lctx/lib64/pkgconfig/lctx.pc
./opt/lctx/share/man/man3/lctx.3
END
}
prove "make install puts its files under DESTDIR, and no others" staged
places() {
    lib=$dir/stage/opt/lctx/lib64
    grep -rE "@[A-Z]+@|$dir" "$lib/cmake" "$lib/pkgconfig"
    test $? -eq 1 && grep -q '^libdir=/opt/lctx/lib64$' "$lib/pkgconfig/lctx.pc"
}
prove "what was installed names PREFIX and LIBDIR, and not DESTDIR" places
same_header() { cmp "$here/lctx.h" "$dir/stage/opt/lctx/include/lctx.h"; }
prove "the header is the one of the tree" same_header
gone() {
    makes uninstall DESTDIR="$dir/stage" PREFIX=/opt/lctx LIBDIR=/opt/lctx/lib64 &&
        find "$dir/stage" ! -type d > "$dir/files" && ! test -s "$dir/files"
}
prove "make uninstall leaves no file" gone
prove "make install takes another PREFIX" makes install PREFIX="$dir/usr"

if command -v readelf > /dev/null; then
    soname() { readelf -d "$dir/usr/lib/liblctx.so" | grep -q "soname: \[liblctx.so.$abi\]"; }
    prove "the library's soname is of its minor version" soname
else
    echo "  SKIPPED: the soname (readelf is not here)"
fi

# ---------------------------------------------------------------- the manual page
page=$dir/usr/share/man/man3/lctx.3
functions() {
    names=$(sed -n '/stop here/q; s/^LCTX_API.*\(lctx_[a-z0-9_]*\)(.*/\1/p' "$here/lctx.h")
    for name in $names; do
        grep -q "$name" "$page" || { echo "$name is not there"; return 1; }
    done
    test "${name:-}"
}
prove "the manual page has every function" functions
if command -v groff > /dev/null; then
    formatted() { groff -man -ww -Tascii "$page" 2>&1 > "$dir/page" | head; test -s "$dir/page"; }
    clean() { formatted > "$dir/words" && ! test -s "$dir/words"; }
    prove "groff has nothing to say against it" clean
else
    echo "  SKIPPED: the page's format (groff is not here)"
fi

# ---------------------------------------------------------------- programs
runs() { LD_LIBRARY_PATH=$dir/usr/lib "$1"; }
if command -v pkg-config > /dev/null; then
    export PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig"
    shared() {
        "$cc" "$dir/main.c" $(pkg-config --cflags --libs lctx) -o "$dir/shared" &&
            runs "$dir/shared"
    }
    static() {
        rm "$dir/usr/lib/liblctx.so" &&
            "$cc" "$dir/main.c" $(pkg-config --static --cflags --libs lctx) -o "$dir/static" &&
            "$dir/static" && ln -s "liblctx.so.$abi" "$dir/usr/lib/liblctx.so"
    }
    told=$(pkg-config --modversion lctx)
    prove "pkg-config tells the header's version" test "$told" = "$version"
    prove "a program is built by pkg-config, and runs" shared
    prove "and one with the static library" static
else
    echo "  SKIPPED: pkg-config is not here"
fi

if command -v cmake > /dev/null; then
    mv "$dir/usr" "$dir/moved" && ln -s moved "$dir/usr"
    mkdir "$dir/cmake"
    # project "a version": programs over both libraries
    project() {
        cat > "$dir/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.10)
project(user C)
find_package(lctx $1 REQUIRED)
foreach(kind lctx static)
    add_executable(user_\${kind} ../main.c)
    target_link_libraries(user_\${kind} lctx::\${kind})
endforeach()
END
        rm -rf "$dir/out" &&
            CC=$cc cmake -S "$dir/cmake" -B "$dir/out" -DCMAKE_PREFIX_PATH="$dir/moved"
    }
    by_cmake() {
        project "$abi" && cmake --build "$dir/out" && "$dir/out/user_lctx" &&
            "$dir/out/user_static"
    }
    refused() { ! project "$1" 2> "$dir/refused" && grep -q 'not accepted' "$dir/refused"; }
    prove "programs are built by CMake from a tree that was moved, and run" by_cmake
    prove "CMake refuses a later version" refused "${abi%.*}.$((${abi#*.} + 1))"
else
    echo "  SKIPPED: CMake is not here"
fi

echo "install [$cc]: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
