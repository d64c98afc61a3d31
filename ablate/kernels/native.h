/* Products of a block of queries with the keys it sees. One loop, `tile`, accumulates a part of the result in registers. Keys that
 * no query of a row of tiles sees are not multiplied.
 *
 * LANES, the numbers in a vector, and VECS, the vectors in a row of a tile, are compiler options. Shape letters as in native.c.
 */

#include <stdint.h>

typedef int64_t count;
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define INLINED static inline __attribute__((always_inline))
/* ROWS x VECS sums and a few operands fill the registers of a core. The scores of BLOCK queries with a thousand keys fit in its
 * second-level cache. */
#define WIDE (VECS * LANES)
#define ROWS 6
#define TILES 16
#define BLOCK (TILES * ROWS)

static inline count least(count a, count b) { return a < b ? a : b; }
static inline count most(count a, count b) { return a > b ? a : b; }
static inline count down(count a) { return a / LANES * LANES; }
static inline count up(count a) { return down(a + LANES - 1); }

/* ---- vectors ---- */

INLINED vec larger(vec a, vec b) {
    const ints first = a > b;
    return (vec)(((ints)a & first) | ((ints)b & ~first));
}

/* Lane numbers as literals, because a vector that a loop fills goes through memory. */
#define EIGHT(f, d, n) f(n, d), f(n + 1, d), f(n + 2, d), f(n + 3, d), f(n + 4, d), f(n + 5, d), f(n + 6, d), f(n + 7, d)
#if LANES == 16
#define EACH(f, d) (ints){EIGHT(f, d, 0), EIGHT(f, d, 8)}
#define FOR_HALVES(f) f(8) f(4) f(2) f(1)
#else
#define EACH(f, d) (ints){EIGHT(f, d, 0)}
#define FOR_HALVES(f) f(4) f(2) f(1)
#endif
/* The source of lane n. OTHER: the lane whose bit d differs. UPPER, LOWER: two vectors, numbered in a row, after blocks of d x d
 * numbers are swapped. */
#define OTHER(n, d) (n) ^ d
#define UPPER(n, d) (n) & d ? LANES + (n) - d : (n)
#define LOWER(n, d) (n) & d ? LANES + (n) : (n) + d

/* By halves, because additions one after the other would wait for each other. */
INLINED float sum_of(vec x) {
#define ADD(d) x += __builtin_shuffle(x, EACH(OTHER, d));
    FOR_HALVES(ADD)
    return x[0];
}

INLINED float largest_of(vec x) {
#define LARGER(d) x = larger(x, __builtin_shuffle(x, EACH(OTHER, d)));
    FOR_HALVES(LARGER)
    return x[0];
}

/* The transpose of a square: swap blocks of half its side, then of a quarter, and so on. */
INLINED void transpose(vec x[LANES]) {
#define SWAP(d)                                                                                                     \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) {                                                      \
        if (i & d) continue;                                                                                        \
        const vec a = x[i], b = x[i + d];                                                                           \
        x[i] = __builtin_shuffle(a, b, EACH(UPPER, d)), x[i + d] = __builtin_shuffle(a, b, EACH(LOWER, d));         \
    }
    FOR_HALVES(SWAP)
}

/* e^x for x <= 0: 2^n e^r with n whole and |r| <= ln(2) / 2, by the series up to r^7 / 7!, whose rest is below 6e-9. */
INLINED vec exponential(vec x) {
    const ints n = __builtin_convertvector(x * 1.44269504f - 0.5f, ints);
    const vec whole = __builtin_convertvector(n, vec);
    /* ln(2) in two parts; the first has so few bits that its product is exact. */
    const vec r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    vec sum = r * (1 / 5040.f) + 1 / 720.f;
    sum = sum * r + 1 / 120.f;
    sum = sum * r + 1 / 24.f;
    sum = sum * r + 1 / 6.f;
    sum = sum * r + 0.5f;
    sum = sum * r + 1;
    sum = sum * r + 1;
    /* Below e^-87, near the smallest normal number, the result is 0. A nan compares false and stays nan. */
    const ints power = (n + 127) << 23, tiny = x < -87.0f;
    return (vec)((ints)(sum * (vec)power) & ~tiny);
}

/* ---- products ---- */

/* out[i, j] = sum over l of a[i, l] b[l, j]; with `add`, added to out. */
INLINED void tile(const int rows, const int vecs, const int add, const float *a, count a_row, count a_step, const float *b,
                  count b_step, count length, float *out, count out_row) {
    vec sum[ROWS][VECS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++) sum[i][v] = add ? *(vec *)(out + i * out_row + v * LANES) : (vec){0};
    for (count l = 0; l < length; l++) {
        vec of_b[VECS];
        for (int v = 0; v < vecs; v++) of_b[v] = *(const vec *)(b + l * b_step + v * LANES);
        for (int i = 0; i < rows; i++) {
            const float x = a[i * a_row + l * a_step];
            for (int v = 0; v < vecs; v++) sum[i][v] += x * of_b[v];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++) *(vec *)(out + i * out_row + v * LANES) = sum[i][v];
}

/* The same for sizes that are not constants: one compiled loop for each pair of rows and vectors, selected by 8 rows + vectors. */
#define OF(n, m) case (n) * 8 + (m): tile(n, m, add, a, a_row, a_step, b, b_step, length, out, out_row); break;
#if VECS == 4
#define OF_ROWS(n) OF(n, 1) OF(n, 2) OF(n, 3) OF(n, 4)
#else
#define OF_ROWS(n) OF(n, 1) OF(n, 2)
#endif
INLINED void any_tile(count rows, count vecs, const int add, const float *a, count a_row, count a_step, const float *b,
                      count b_step, count length, float *out, count out_row) {
    switch (rows * 8 + vecs) { OF_ROWS(1) OF_ROWS(2) OF_ROWS(3) OF_ROWS(4) OF_ROWS(5) OF_ROWS(6) }
}

#define OUT_OF_LINE static __attribute__((noinline)) /* one copy, because it contains many loops */
OUT_OF_LINE void product(count rows, count vecs, const float *a, count a_row, count a_step, const float *b, count b_step,
                    count length, float *out, count out_row) {
    any_tile(rows, vecs, 0, a, a_row, a_step, b, b_step, length, out, out_row);
}

OUT_OF_LINE void product_added(count rows, count vecs, const float *a, count a_row, count a_step, const float *b, count b_step,
                        count length, float *out, count out_row) {
    any_tile(rows, vecs, 1, a, a_row, a_step, b, b_step, length, out, out_row);
}

/* ---- blocks ---- */

typedef struct {
    count begin, rows;                      /* its queries */
    count low, high, step;                  /* its keys, in whole vectors; the stride of a row of its weights */
    count tiles, first[TILES], stop[TILES]; /* the keys that each row of tiles sees */
} block;

/* The block of queries from `begin` on; query t sees the keys [first[t], stop[t]). */
static block block_of(const count *first, const count *stop, count begin, count T, count S) {
    block it = {begin, least(BLOCK, T - begin), S, 0, 0, 0, {0}, {0}};
    it.tiles = (it.rows + ROWS - 1) / ROWS;
    for (count n = 0; n < it.tiles; n++) {
        it.first[n] = S;
        for (count t = begin + n * ROWS; t < least(begin + it.rows, begin + (n + 1) * ROWS); t++)
            if (first[t] < stop[t]) it.first[n] = least(it.first[n], first[t]), it.stop[n] = most(it.stop[n], stop[t]);
        it.first[n] = least(it.first[n], it.stop[n]);
        if (it.first[n] < it.stop[n]) it.low = least(it.low, it.first[n]), it.high = most(it.high, it.stop[n]);
    }
    it.low = down(it.low), it.high = most(it.low, up(it.high));
    /* An odd number of vectors, because rows a power of two apart compete for few sets of a cache. */
    it.step = it.low < it.high ? ((it.high - it.low) / LANES | 1) * LANES : 0;
    return it;
}

/* out[r, s] = sum over j of a[r, j] b[s, j], for keys s that the tile sees; b is transposed in panels (`lay_across`). */
static void against_keys(const block *it, const float *a, count a_row, count width, const float *b, float *out) {
    for (count at = it->low / WIDE * WIDE; at < it->high; at += WIDE)
        for (count n = 0; n < it->tiles; n++) {
            const count begin = most(at, down(it->first[n])), end = least(at + WIDE, up(it->stop[n])), r = n * ROWS;
            if (begin < end && it->first[n] < it->stop[n])
                product(least(ROWS, it->rows - r), (end - begin) / LANES, a + r * a_row, a_row, 1, b + at * width + begin - at,
                         WIDE, width, out + r * it->step + begin - it->low, it->step);
        }
}

/* out[r, :] = sum over s of p[r, s] b[s, :]. Here and below, p is 0 where a query does not see a key that its tile sees, and
 * `width` counts whole vectors. */
static void over_keys(const block *it, const float *p, const float *b, count width, float *out) {
    for (count j = 0; j < width; j += WIDE)
        for (count n = 0; n < it->tiles; n++) {
            const count r = n * ROWS, first = it->first[n], keys = it->stop[n] - first, at = keys ? first - it->low : 0;
            product(least(ROWS, it->rows - r), least(VECS, (width - j) / LANES), p + r * it->step + at, it->step, 1,
                     b + first * width + j, width, keys, out + r * width + j, width);
        }
}

/* out[s, :] += sum over r of p[r, s] b[r, :] */
static void over_queries(const block *it, const float *p, const float *b, count width, count S, float *out) {
    const count high = least(it->high, S);
    for (count s = it->low; s < high; s += ROWS) {
        count begin = it->tiles, end = 0;
        for (count n = 0; n < it->tiles; n++)
            if (it->first[n] < s + ROWS && s < it->stop[n]) begin = least(begin, n), end = n + 1;
        if (begin >= end) continue;
        const count r = begin * ROWS, rows = least(end * ROWS, it->rows) - r;
        for (count j = 0; j < width; j += WIDE)
            product_added(least(ROWS, high - s), least(VECS, (width - j) / LANES), p + r * it->step + s - it->low, 1, it->step,
                         b + r * width + j, width, rows, out + s * width + j, width);
    }
}
