/* Rows of queries and keys multiplied, and the gradients that come back: one pass over memory each way. The formulas stand in
 * rows.py; what is computed here and what rows.py computes with torch is the same.
 *
 *     multiply   y = g x        g = t r of a query, or with `unit` t / |x| of a query and 1 / |x| of a key; 0 of a row of zeros
 *     gradient   dx = g dy      or with `unit` g (dy - y <y, dy> / t^2)
 *                d log t = sum of <y, dy> over the queries of a head
 *
 * B rows of the batch, H heads, T queries, S keys, K head width; without `unit` S is 0. Single precision; sums over more than a
 * row in double. A part is SHARE rows of one head (the compiler is told how many); threads share parts out, and no sum depends on
 * how many threads there are.
 */

#include <math.h>
#include <stdint.h>

typedef int64_t count;
typedef struct { count batch, head, row; } strides;
typedef struct { count row, head, begin, end; } part;

/* Which rows of which head the part with this number has, among `rows` of each head. */
static inline part part_of(count number, count heads, count rows) {
    const count shares = (rows + SHARE - 1) / SHARE, begin = number % shares * SHARE;
    const part found = {number / shares / heads, number / shares % heads, begin, begin + SHARE < rows ? begin + SHARE : rows};
    return found;
}

static inline count parts(count B, count H, count rows) { return B * H * ((rows + SHARE - 1) / SHARE); }

/* Inlined with a K that the compiler knows, a row is a few registers and no loop. */
#define FOR_WIDTH(K, ...)                                      \
    switch (K) {                                               \
        case 32: { enum { WIDTH = 32 }; __VA_ARGS__; } break;   \
        case 64: { enum { WIDTH = 64 }; __VA_ARGS__; } break;   \
        case 128: { enum { WIDTH = 128 }; __VA_ARGS__; } break; \
        default: { const count WIDTH = K; __VA_ARGS__; }        \
    }
#define INLINED static inline __attribute__((always_inline))

INLINED void multiply_rows(part p, count K, const float *x, strides at, float t, const float *fixed, strides fixed_at,
                           int unit, float *y, float *g) {
    for (count i = p.begin; i < p.end; i++) {
        const float *in = x + i * at.row;
        float *restrict out = y + i * K, factor = fixed ? t * fixed[i * fixed_at.row] : t;
        if (unit) {
            float square = 0;
            for (count j = 0; j < K; j++) square += in[j] * in[j];
            factor = square == 0 ? 0 : factor / sqrtf(square);
        }
        #pragma GCC ivdep
        for (count j = 0; j < K; j++) out[j] = factor * in[j];
        g[i] = factor;
    }
}

INLINED double gradient_rows(part p, count K, const float *dy, strides at, const float *y, const float *g, float t, int unit,
                             int sum, float *dx) {
    double total = 0;
    for (count i = p.begin; i < p.end; i++) {
        const float *in = dy + i * at.row, *was = y + i * K;
        float *out = dx + i * K, along = 0;
        if (unit || sum) {
            for (count j = 0; j < K; j++) along += in[j] * was[j];
            total += along;
        }
        if (unit) {
            along = along / t / t;
            #pragma GCC ivdep
            for (count j = 0; j < K; j++) out[j] = g[i] * (in[j] - along * was[j]);
        } else {
            #pragma GCC ivdep
            for (count j = 0; j < K; j++) out[j] = g[i] * in[j];
        }
    }
    return total;
}

/* `y` is contiguous, `g` has a number for each row: queries, then keys. `log_t` and `fixed` may be missing. */
void multiply(count B, count H, count T, count S, count K, int unit, const float *q, strides q_at, const float *k, strides k_at,
              const float *log_t, const float *fixed, strides fixed_at, float *y_q, float *y_k, float *g, int threads) {
    const count queries = parts(B, H, T), all = queries + parts(B, H, S);
    #pragma omp parallel for num_threads(threads) if (threads > 1 && all > 1)
    for (count n = 0; n < all; n++) {
        const int key = n >= queries;
        const part p = key ? part_of(n - queries, H, S) : part_of(n, H, T);
        const strides at = key ? k_at : q_at;
        const float *x = (key ? k : q) + p.row * at.batch + p.head * at.head, t = log_t && !key ? expf(log_t[p.head]) : 1;
        const float *r = fixed && !key ? fixed + p.row * fixed_at.batch + p.head * fixed_at.head : 0;
        const count first = (p.row * H + p.head) * (key ? S : T);
        float *y = (key ? y_k : y_q) + first * K, *factors = g + first + (key ? B * H * T : 0);
        FOR_WIDTH(K, multiply_rows(p, WIDTH, x, at, t, r, fixed_at, unit, y, factors))
    }
}

/* `dx` may be `dy` itself. `dlog_t` may be missing; `sums` has room for a number for each part of the queries. */
void gradient(count B, count H, count T, count S, count K, int unit, const float *dy_q, strides q_at, const float *dy_k,
              strides k_at, const float *y_q, const float *y_k, const float *g, const float *log_t, float *dx_q, float *dx_k,
              double *sums, float *dlog_t, int threads) {
    const count queries = parts(B, H, T), all = queries + parts(B, H, S);
    #pragma omp parallel for num_threads(threads) if (threads > 1 && all > 1)
    for (count n = 0; n < all; n++) {
        const int key = n >= queries;
        const part p = key ? part_of(n - queries, H, S) : part_of(n, H, T);
        const strides at = key ? k_at : q_at;
        const float *dy = (key ? dy_k : dy_q) + p.row * at.batch + p.head * at.head;
        const float t = log_t && !key ? expf(log_t[p.head]) : 1;
        const count first = (p.row * H + p.head) * (key ? S : T);
        const float *y = (key ? y_k : y_q) + first * K, *factors = g + first + (key ? B * H * T : 0);
        float *dx = (key ? dx_k : dx_q) + first * K;
        double sum;
        FOR_WIDTH(K, sum = gradient_rows(p, WIDTH, dy, at, y, factors, t, unit, dlog_t != 0, dx))
        if (!key && dlog_t) sums[n] = sum;
    }
    for (count h = 0; dlog_t && h < H; h++) {
        const count shares = parts(1, 1, T);
        double sum = 0;
        for (count b = 0; b < B; b++)
            for (count n = 0; n < shares; n++) sum += sums[(b * H + h) * shares + n];
        dlog_t[h] = (float)sum;
    }
}
