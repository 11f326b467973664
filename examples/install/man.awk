# man.awk - the manual page lctx(3) out of lctx.h: the manual at its top and the API, each comment
# beside what it is of. awk -v version=0.1.0 -f man.awk lctx.h
# Text is filled where it is prose; tables, formulas and code stay as they are.

function escape(s) {
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    return s ~ /^[.']/ ? "\\&" s : s
}

# Prints a paragraph that was gathered, as it stands where a row is code, indented or a table's.
function flush(   i, shaped, was) {
    if (n) print ".PP"
    for (i = 1; i <= n; i++) {
        shaped = kind == "code" || rows[i] ~ /^ |[^ ]   +[^ ]|[;{}]$/
        if (shaped != was) print shaped ? ".nf" : ".fi"
        print escape(rows[i])
        was = shaped
    }
    if (was) print ".fi"
    n = 0
}

# A line of a comment or of code, without the margin that it has in the header.
function gather(row, margin, of) {
    if (kind != of) flush()
    kind = of
    while (margin-- > 0 && row ~ /^ /) row = substr(row, 2)
    if (row ~ /^ *$/) flush()
    else rows[++n] = row
}

function heading(words) {
    flush()
    print ".SH \"" escape(words) "\""
}

BEGIN {
    print ".TH LCTX 3 \"\" \"lctx " version "\" \"lctx\"\n.nh\n.ad l"
    print ".SH NAME\nlctx \\- long-context attention and decoding for CPUs, in one C header"
    part = "top"
}

/stop here if you only want the API/ { exit }
part == "top" && /^   Do this:/ { heading("SYNOPSIS"); next }
part == "top" && /CONTENTS/ { part = "contents" }
part == "contents" && /^\/\* ====.*>>manual/ { part = "manual"; next }
part == "contents" || NR == 1 { next }
part == "manual" && /^\*\// { part = "between" }
part == "between" && />>api$/ { part = "api"; comment = 1; heading("THE API"); next }
part == "between" { next }
part == "manual" && /^   [A-Z][A-Z ,:]+( \(.*\))?$/ {
    heading(substr($0, 4))
    next
}
part == "top" || part == "manual" {
    gather($0, /^       / ? 7 : 3, /^       |^$/ ? "indented" : "text")
    next
}

/^\/\* -+ >>api-/ {
    name = $0
    sub(/.*>>api-/, "", name)
    comment = !sub(/ *\*\/.*/, "", name)
    heading("API: " toupper(name))
    next
}
/^\/\*/ { if (kind == "code") flush(); comment = 1; sub(/^\/\* ?/, "   ") }
comment {
    if (/\*\/ *$/) { sub(/ ?\*\/ *$/, ""); gather($0, 3, "text"); comment = 0; flush() }
    else gather($0, 3, "text")
    next
}
/^#(ifdef|endif|undef|define LCTX__)|^}$|^extern/ { next }
{ sub(/^LCTX_API /, ""); gather($0, 0, "code") }
END { flush() }
