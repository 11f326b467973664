/* Proves, for all arguments within the bounds that each `requires` states and without any bound on
   how often something runs, that what computes sizes is right: no overflow, no division by zero, no
   shift or access out of range, and results equal to those of whole numbers without end (ACSL's),
   cut off at LCTX__HUGE. Frama-C's WP plug-in reads the contracts here and the bodies in lctx.h:
       frama-c -wp -wp-rte ... tests/proofs/sizes.c      (tests/proofs/run.sh does)
   A caller is proved by the contracts of what it calls, so what is required here is also proved to
   hold at each call in a function that has a contract. */
#define LCTX_NO_SIMD
#define LCTX_IMPLEMENTATION
#include "lctx.h"

#define TOP       0x4000000000000000       /* LCTX__HUGE */
#define SIZE(n)   (0 <= (n) <= TOP)
#define CUT(n)    ((n) > TOP ? TOP : (n))
#define DIM(d)    (1 <= (d) <= 65536)
#define TYPE(t)   (0 <= (t) <= 4)
#define UP(n, to) (((n) + (to) - 1) / (to) * (to))

/*@ logic integer esize(integer t) = t == 0 ? 4 : t == 1 ? 2 : t == 2 ? 2 : t == 3 ? 1 : 0;
    logic integer row(integer t, integer d) = t == 4 ? d / 2 : d * esize(t);
    logic integer keys(integer t, integer d) =
        t == 4 ? 36 * UP(d, 16) + 64 : 64 * row(t, UP(d, 4)) + (t == 3 ? 256 : 0);
    logic integer values(integer t, integer d) = 64 * row(t, UP(d, 16)) + (t >= 3 ? 256 : 0);
*/

/* ---- checked sums */
/*@ requires SIZE(a) && SIZE(b);
    assigns \nothing;
    ensures a * b <= TOP ==> \result == a * b;
    ensures a * b > TOP ==> \result == TOP; */
static int64_t lctx__mul(int64_t a, int64_t b);

/*@ requires a >= 0 && SIZE(b);
    assigns \nothing;
    ensures \result == CUT(a + b); */
static int64_t lctx__add(int64_t a, int64_t b);

/*@ requires a >= 0 && (to == 4 || to == 16 || to == 64);
    assigns \nothing;
    ensures \result == CUT(UP(a, to)); */
static int64_t lctx__round_up(int64_t a, int64_t to);

/*@ requires a >= 0;
    assigns \nothing;
    ensures \result != 0 <==> a < TOP && a <= SIZE_MAX / 2; */
static int lctx__fits(int64_t a);

/*@ requires top >= 0;
    assigns \nothing;
    ensures 0 <= \result <= top;
    ensures 0 <= a <= top ==> \result == a;
    ensures a > top ==> \result == top; */
static int64_t lctx__clip(int64_t a, int64_t top);

/*@ assigns \nothing;
    ensures \result == (a < b ? a : b); */
static int64_t lctx__min(int64_t a, int64_t b);

/*@ assigns \nothing;
    ensures \result == (a > b ? a : b); */
static int64_t lctx__max(int64_t a, int64_t b);

/*@ assigns \nothing;
    ensures n <= SIZE_MAX / 2 ==> \result == CUT(UP(n > 1 ? n : 1, 64));
    ensures n > SIZE_MAX / 2 ==> \result == TOP; */
static int64_t lctx__pool_bytes(size_t n);

/* ---- tiles */
/*@ requires SIZE(d);
    assigns \nothing;
    ensures \result == CUT(UP(d, 4)); */
static int64_t lctx__pad_k(int64_t d);

/*@ requires SIZE(d);
    assigns \nothing;
    ensures \result == CUT(UP(d, 16)); */
static int64_t lctx__pad_v(int64_t d);

/*@ requires TYPE(type);
    assigns \nothing;
    ensures \result == esize(type); */
size_t lctx_type_size(lctx_type type);

/*@ requires TYPE(type);
    assigns \nothing;
    ensures \result == esize(type); */
static int64_t lctx__esize(int type);

/*@ assigns \nothing;
    ensures \result != 0 <==> LCTX_I4 < type < LCTX_TYPE_COUNT; */
static int lctx__in_blocks(int type);

/*@ requires TYPE(type);
    assigns \nothing;
    ensures \result == 1; */
static int64_t lctx__block_of(int type);

/*@ requires TYPE(type) && 0 <= d <= 65536;
    assigns \nothing;
    ensures \result == row(type, d); */
static int64_t lctx__row_bytes(int type, int64_t d);

/*@ requires TYPE(type) && DIM(d);
    assigns \nothing;
    ensures \result == keys(type, d);
    ensures 64 <= \result;
    ensures \result <= 16777216; */
static int64_t lctx__key_bytes(int type, int64_t d);

/*@ requires TYPE(type) && DIM(d);
    assigns \nothing;
    ensures \result == values(type, d);
    ensures 0 <= \result <= 16777216; */
static int64_t lctx__value_bytes(int type, int64_t d);

#define D_V(t) ((t)->d_v ? (t)->d_v : (t)->d_k)

/*@ predicate shape(lctx_tiles *t) = t->n_head_kv >= 1 && t->cap >= 64 && t->cap % 64 == 0 &&
        TYPE(t->k_type) && TYPE(t->v_type) && DIM(t->d_k) && DIM(D_V(t)) && t->d_v >= 0;
    logic integer tile(lctx_tiles *t) = keys(t->k_type, t->d_k) +
        (t->latent != 0 ? 0 : values(t->v_type, D_V(t)));
*/

/*@ requires \valid_read(t);
    assigns \nothing;
    ensures \result == D_V(t); */
static int32_t lctx__d_v(const lctx_tiles *t);

/*@ requires \valid_read(t) && shape(t);
    assigns \nothing;
    ensures \result == tile(t);
    ensures 64 <= \result;
    ensures \result <= 33554432; */
static int64_t lctx__tile_bytes(const lctx_tiles *t);

/*@ requires \valid_read(t) && shape(t);
    assigns \nothing;
    ensures SIZE(\result);
    ensures t->cap / 64 * tile(t) <= TOP ==>
            \result == CUT(t->cap / 64 * tile(t) * t->n_head_kv);
    ensures t->cap / 64 * tile(t) > TOP ==> \result == TOP; */
static int64_t lctx__tiles_bytes(const lctx_tiles *t);

/* ---- blocks of a cache, whose description was checked */
/*@ predicate described(lctx_cache *c) = shape(&c->tiles) && c->tiles.d_k == c->d.d_k &&
        c->tiles.n_head_kv == c->d.n_head_kv;
    logic integer tiles(lctx_cache *c) = c->tiles.cap / 64 * c->tiles.n_head_kv;
*/

/*@ requires \valid_read(c) && described(c);
    assigns \nothing;
    ensures SIZE(\result); */
static int64_t lctx__block_bytes(const lctx_cache *c);

/*@ requires \valid_read(c) && described(c);
    assigns \nothing;
    ensures SIZE(\result);
    ensures tiles(c) <= TOP && tiles(c) * keys(1, c->tiles.d_k) <= TOP ==>
            \result == CUT(64 + tiles(c) * keys(1, c->tiles.d_k)); */
static int64_t lctx__open_bytes(const lctx_cache *c);

/* ---- a buffer that is carved, or measured */
/*@ requires \valid(r) && SIZE(r->used) && SIZE(n) && SIZE(size) && r->base == \null;
    assigns r->used;
    assigns \result \from r->base;
    ensures \result == \null;
    ensures r->base == \null && SIZE(r->used);
    ensures n * size <= TOP ==> r->used == CUT(\old(r->used) + CUT(UP(n * size, 64)));
    ensures n * size > TOP ==> r->used == TOP; */
static void *lctx__carve(lctx__carver *r, int64_t n, int64_t size);

/*@ assigns \nothing;
    ensures \result.base == base && \result.used == 0; */
static lctx__carver lctx__carver_of(void *base);
