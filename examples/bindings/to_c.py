"""C: where fields stand, as the library was compiled."""
import textwrap

from common import MADE, structs, writes


@writes("examples/bindings/layout.c")
def layout(of):
    rows = "\n".join(
        textwrap.fill(" ".join(f"AT({s.name},{f.name})" for f in s.fields), 96,
                      initial_indent="    ", subsequent_indent="    ").replace(",", ", ")
        for s in structs(of))
    return f"""/* {MADE}

   Where fields stand in the structs of lctx.h, as a library was compiled: part of liblctx, for
   bindings, which lay structs out by themselves. lctx_sizeof is in the header. */
#include "lctx.h"
#include <string.h>

/* offsetof a field by its name, "lctx_attn.q_pos"; SIZE_MAX for an unknown one. */
LCTX_API size_t lctx_offsetof(const char *field);

#define AT(type, field) {{ #type "." #field, offsetof(type, field) }},
static const struct {{ const char *name; size_t at; }} all[] = {{
{rows}
}};

LCTX_API size_t lctx_offsetof(const char *field)
{{
    size_t i;
    for (i = 0; field && i < sizeof all / sizeof *all; i++)
        if (!strcmp(field, all[i].name)) return all[i].at;
    return SIZE_MAX;
}}
"""
