# kernels.awk - what stands in the inner loops of the kernels: from `objdump -d` of the compiled
# header, for each instruction set's sums and products, the innermost loops that multiply.
# Prints a line a kernel: such loops, and in them packed multiply-adds, vector loads, broadcasts,
# conversions, all instructions, vectors put on the stack. Ends badly where a loop multiplies scalars
# or a kernel has hardly a loop.
#   objdump -d --no-show-raw-insn lctx.o | awk -f tests/kernels.awk

function finish(    i, j, k, from, inner, fma, bad, spill, loads, bcast, conv) {
    for (i = 1; i <= n; i++) {
        if (!(jump[i] in at) || (from = at[jump[i]]) > i) continue
        inner = 1
        fma = bad = spill = loads = bcast = conv = 0
        for (j = from; j <= i && inner; j++) {
            if (j < i && (jump[j] in at) && at[jump[j]] <= j && at[jump[j]] >= from) inner = 0
            if (text[j] ~ packed) fma++
            if (text[j] ~ scalar) bad++
            if (text[j] ~ stack) spill++
            if (text[j] ~ broadcast) bcast++
            else if (text[j] ~ load) loads++
            if (text[j] ~ convert) conv++
        }
        if (!inner || !fma && !bad) continue
        loops++
        all["fma"] += fma; all["loads"] += loads; all["bcast"] += bcast; all["conv"] += conv
        all["any"] += i - from + 1
        if (bad) {
            printf "  %s: %d scalar products in the loop at %s\n", name, bad, address[from]
            wrong = 1
        }
        all["spill"] += spill
    }
    printf "%-28s %4d loops: %5d multiply-adds %5d loads %5d broadcasts %5d conversions," \
           " %5d of all; %d spilled\n", name, loops, all["fma"], all["loads"], all["bcast"],
           all["conv"], all["any"], all["spill"]
    if (loops < (name ~ few ? 1 : 4)) wrong = 1
    seen++
}

BEGIN {
    packed = "^(vfn?m(add|sub)[0-9]+ps|vdpbf16ps|vpdpbusd|fmla.*\\.4s|sdot)"
    scalar = "^(vfn?m(add|sub)[0-9]+ss|vmulss|mulss|fmadd.*s[0-9]+, s[0-9]+|fmul.*\ts[0-9]+, s[0-9]+)"
    stack = "^(vmov[a-z0-9]* *%[xyz]mm[0-9]+,[-0-9a-fx]*\\(%[re][sb]p|st[rpu]+.*q[0-9]+.*\\[sp)"
    broadcast = "^(vbroadcastss|vpbroadcastd|ld1r|dup)|\\{1to"
    load = "^(vmov[a-z0-9]* *[-0-9a-fx]*\\(|ld[rp1u]+.*[qv][0-9]+|vp?[a-z0-9]* .*\\(.*,.*mm)"
    few = "^(scores|sums_rest)"          # of keys alone, or of a few columns
    idle = "^values_(avx2|avx512|neon)$" # which are sums
    convert = "^(vcvt|vpmov|vpsll|vpsra|fcvtl|scvtf|[su]shl)"
}
/^[0-9a-f]+ <lctx__(sums|sums_rest|scores|values|product)_[a-z0-9]+>:/ {
    name = $2
    gsub(/[<>:]/, "", name)
    sub(/^lctx__/, "", name)
    on = name ~ /_(avx2|avx512|avx512dot|neon|neondot)$/ && name !~ idle
    n = loops = 0
    delete text; delete at; delete jump; delete all; delete address
    next
}
/^$/ { if (on) finish(); on = 0 }
on {
    line = $0
    sub(/^ *[0-9a-f]+:[ \t]*/, "", line)
    address[++n] = $1
    sub(/:/, "", address[n])
    at[address[n]] = n
    text[n] = line
    if (line ~ /^(j[a-z]+|b\.[a-z]+|cbn?z|tbn?z)[ \t]/) {
        split(line, part, /[ \t,]+/)
        for (k in part) if (part[k] ~ /^[0-9a-f]+$/ && part[k] != "0") jump[n] = part[k]
    }
}
END {
    if (on) finish()
    if (!seen) { print "  no kernels found"; wrong = 1 }
    exit wrong
}
