/* The attention core on a CPU, a head at a time. The formulas stand in native.py, the products in native.h.
 *
 * A thread takes a head, copies its keys and values to where they stand together, and goes through its queries in blocks.
 * Scores and their gradients stay in its cache, up to a thousand keys; only weights, kept for the backward pass, go through
 * memory, in order.
 *
 * Shape letters: B rows of the batch, H heads, T queries, S keys, K head width, V width of values. Single precision; sums over
 * more than a head in double. No sum depends on how many threads there are.
 */

#include <math.h>
#include <string.h>

#include "native.h"

/* Numbers from one row of the batch, head or place to the next; those of a place stand together. Without `x` there is none. */
typedef struct { float *x; count batch, head, row; } tensor;
static inline float *head_of(tensor it, count b, count h) { return it.x ? it.x + b * it.batch + h * it.head : 0; }

typedef struct {
    count B, H, T, S, K, V;
    float scale;
    tensor q, k, v, z;
    tensor bias;                     /* [B, H, T, S] */
    tensor table;                    /* the same of bytes: whether query t sees key s, asked only for s in [first, stop) */
    const count *first, *stop;       /* query t of row b sees no keys but [first, stop) */
    count interval_row;              /* from one row of the batch to the next in these; 0: all rows see the same */
    const float *t;                  /* [H] temperatures, see `multiply` */
    tensor r;                        /* [B, H, T, 1], as well */
    count unit;
    float *weights;                  /* those of row b begin at weights_of[b] */
    const count *weights_of;
    tensor dz, dq, dk, dv;
    tensor dbias;                    /* [rows of the bias, H, T, S] */
    float *dlog_t;                   /* [H] */
    float *work;                     /* `work_of_call` numbers */
    count threads;
} call;

/* Numbers that the weights of a head take, that a thread works with, and that a call does. */
count weights_of_head(const count *first, const count *stop, count T, count S) {
    count all = 0;
    for (count begin = 0; begin < T; begin += BLOCK) {
        const block it = block_of(first, stop, begin, T, S);
        all += it.rows * it.step;
    }
    return all;
}

static count work_of_thread(const call *c) {
    /* As laid out in backward_head; forward_head needs no more: keys, across, dk, dv; q, dq, dz; ds; g. */
    const count S = c->S, K = up(c->K), V = up(c->V);
    return S * K + (S + WIDE) * most(K, V) + S * (K + V) + BLOCK * (2 * K + V) + BLOCK * (up(S) + LANES) + S + BLOCK;
}

/* In the beginning d log t of each head of each row in double, then each thread's that has a head to do. */
count work_of_call(const call *c) { return 2 * c->B * c->H + least(c->threads, c->B * c->H) * work_of_thread(c); }

/* ---- rows of queries, keys and values ---- */

/* Written out: a row is a few vectors, and calling the library's would take as long as copying. */
INLINED void copy_row(const float *x, count width, float factor, float *out) {
    count j = 0;
    for (; j + LANES <= width; j += LANES) *(vec *)(out + j) = *(const vec *)(x + j) * factor;
    if (j < width) {
        vec rest = {0};
        for (count i = j; i < width; i++) rest[i - j] = x[i] * factor;
        *(vec *)(out + j) = rest;
    }
}

/* With a K that the compiler knows, a row is a few registers and no loop. */
#define FOR_WIDTH(K, ...)                                      \
    switch (K) {                                               \
        case 32: { enum { WIDTH = 32 }; __VA_ARGS__; } break;   \
        case 64: { enum { WIDTH = 64 }; __VA_ARGS__; } break;   \
        case 128: { enum { WIDTH = 128 }; __VA_ARGS__; } break; \
        default: { const count WIDTH = K; __VA_ARGS__; }        \
    }

/* scale g x of each row, and its factor g without the scale, for the way back: t r of a query or, with `unit`, t / |x| of a
 * query and 1 / |x| of a key; 0 of a row of zeros. An r that is missing is 1. */
INLINED void multiply(const count K, const int unit, const float *x, count x_row, count rows, float t, const float *r,
                      count r_row, float scale, float *out, float *g) {
    for (count i = 0; i < rows; i++, x += x_row, out += up(K)) {
        float factor = r ? t * r[i * r_row] : t;
        if (unit) {
            vec squares = {0};
            float rest = 0;
            count j = 0;
            for (; j + LANES <= K; j += LANES) squares += *(const vec *)(x + j) * *(const vec *)(x + j);
            for (; j < K; j++) rest += x[j] * x[j];
            const float square = sum_of(squares) + rest;
            factor = square == 0 ? 0 : t / sqrtf(square);
        }
        g[i] = factor;
        copy_row(x, K, factor * scale, out);
    }
}

/* No semicolon before `else`: the macro is a whole switch. */
static void multiply_rows(const call *c, const float *x, count x_row, count rows, float t, const float *r, count r_row,
                          float scale, float *out, float *g) {
    if (c->unit) FOR_WIDTH(c->K, multiply(WIDTH, 1, x, x_row, rows, t, r, r_row, scale, out, g))
    else FOR_WIDTH(c->K, multiply(WIDTH, 0, x, x_row, rows, t, r, r_row, scale, out, g))
}

/* dx = g dy, or with `unit` g (dy - y <y, dy> / t^2), in the place of dy; the sum of all <y, dy> is returned. K is whole
 * vectors. */
INLINED double multiply_back(const count K, const int unit, const float *y, float *dy, const float *g, float t, count rows) {
    double total = 0;
    for (count i = 0; i < rows; i++, y += K, dy += K) {
        vec sum = {0};
        for (count j = 0; j < K; j += LANES) sum += *(const vec *)(y + j) * *(vec *)(dy + j);
        const float along = sum_of(sum), share = unit ? along / t / t : 0, factor = g[i];
        for (count j = 0; j < K; j += LANES) *(vec *)(dy + j) = factor * (*(vec *)(dy + j) - share * *(const vec *)(y + j));
        total += along;
    }
    return total;
}

static double rows_back(const call *c, const float *y, float *dy, const float *g, float t, count rows) {
    double total;
    if (c->unit) FOR_WIDTH(up(c->K), total = multiply_back(WIDTH, 1, y, dy, g, t, rows))
    else FOR_WIDTH(up(c->K), total = multiply_back(WIDTH, 0, y, dy, g, t, rows))
    return total;
}

static void gather(const float *x, count row, count rows, count width, float *out) {
    for (count i = 0; i < rows; i++) copy_row(x + i * row, width, 1, out + i * up(width));
}

static void scatter(const float *x, count rows, count width, float *out, count row) {
    for (count i = 0; i < rows; i++, x += up(width), out += row) {
        count j = 0;
        for (; j + LANES <= width; j += LANES) *(vec *)(out + j) = *(const vec *)(x + j);
        for (; j < width; j++) out[j] = x[j];
    }
}

/* Rows of x as `against_keys` wants them: WIDE next to each other, number j of all before number j + 1. With `unit` divided by
 * their length, of which lanes know without adding across. */
static void lay_across(const float *x, count row, count rows, count width, int unit, float *out) {
    for (count at = 0; at < rows; at += LANES) {
        float *to = out + at / WIDE * WIDE * width + at % WIDE;
        vec squares = {0};
        const count here = least(LANES, rows - at);
        for (count j = 0; j < width; j += LANES) {
            const count columns = least(LANES, width - j);
            vec square[LANES] = {{0}};
            if (here == LANES && columns == LANES) for (int i = 0; i < LANES; i++) square[i] = *(vec *)(x + (at + i) * row + j);
            else for (count i = 0; i < here; i++) copy_row(x + (at + i) * row + j, columns, 1, (float *)(square + i));
            transpose(square);
            for (count i = 0; i < columns; i++) *(vec *)(to + (j + i) * WIDE) = square[i], squares += square[i] * square[i];
        }
        if (!unit) continue;
        for (int i = 0; i < LANES; i++) squares[i] = squares[i] == 0 ? 0 : 1 / sqrtf(squares[i]);
        for (count j = 0; j < width; j++) *(vec *)(to + j * WIDE) *= squares;
    }
}

/* ---- rows of weights ---- */

/* Scores for the keys from `low` to `high`, of which [first, stop) are seen, become e^(score - largest), and `kept`, where
 * it is wanted, the weights: that over its sum. What makes the former the latter is returned. */
static float softmax(float *p, float *kept, count low, count high, count first, count stop, const float *bias,
                     const uint8_t *table) {
    const count begin = down(first), end = up(stop);
    if (first >= stop) {
        memset(p, 0, 4 * (high - low));
        if (kept) memset(kept, 0, 4 * (high - low));
        return 0;
    }
    p -= low; /* from here on p[s] is that of key s */
    if (bias) for (count s = first; s < stop; s++) p[s] += bias[s];
    if (table) for (count s = first; s < stop; s++) p[s] = table[s] ? p[s] : -INFINITY;
    for (count s = begin; s < first; s++) p[s] = -INFINITY;
    for (count s = stop; s < end; s++) p[s] = -INFINITY;
    vec top = (vec){0} - INFINITY, sum = {0};
    for (count s = begin; s < end; s += LANES) top = larger(*(vec *)(p + s), top);
    const float largest = largest_of(top), shift = largest == -INFINITY ? 0 : largest;
    for (count s = begin; s < end; s += LANES) sum += *(vec *)(p + s) = exponential(*(vec *)(p + s) - shift);
    /* Nothing to divide by where a table, or a bias of minus infinity, hides all keys. */
    const float all = sum_of(sum), inverse = all == 0 ? 0 : 1 / all;
    memset(p + low, 0, 4 * (begin - low));
    memset(p + end, 0, 4 * (high - end));
    if (kept) for (count s = low; s < high; s += LANES) *(vec *)(kept + s - low) = *(vec *)(p + s) * inverse;
    return inverse;
}

/* dS = P * (dP - sum of P * dP), into dP. */
static void softmax_back(const float *p, float *dp, count low, count high, count first, count stop) {
    const count begin = first < stop ? down(first) : low, end = first < stop ? up(stop) : low;
    p -= low, dp -= low;
    /* What stands there came from values that this query does not see, and may be no number. */
    for (count s = begin; s < least(first, end); s++) dp[s] = 0;
    for (count s = most(begin, stop); s < end; s++) dp[s] = 0;
    vec sum = {0};
    for (count s = begin; s < end; s += LANES) sum += *(const vec *)(p + s) * *(vec *)(dp + s);
    const float all = sum_of(sum);
    for (count s = begin; s < end; s += LANES) *(vec *)(dp + s) = *(const vec *)(p + s) * (*(vec *)(dp + s) - all);
    memset(dp + low, 0, 4 * (begin - low));
    memset(dp + end, 0, 4 * (high - end));
}

/* ---- heads ---- */

static void forward_head(const call *c, count b, count h, float *work) {
    const count K = up(c->K), V = up(c->V), S = c->S;
    const count *first = c->first + b * c->interval_row, *stop = c->stop + b * c->interval_row;
    float *across = work, *values = across + (S + WIDE) * K, *q = values + S * V, *z = q + BLOCK * K;
    float *p = z + BLOCK * V, *g = p + BLOCK * (up(S) + LANES), inverse[BLOCK];
    const float *given = head_of(c->q, b, h), *r = head_of(c->r, b, h), t_h = c->t ? c->t[h] : 1;
    const float *bias = head_of(c->bias, b, h);
    const uint8_t *table = c->table.x ? (uint8_t *)c->table.x + b * c->table.batch + h * c->table.head : 0;
    float *kept = c->weights ? c->weights + c->weights_of[b] + h * weights_of_head(first, stop, c->T, S) : 0;
    lay_across(head_of(c->k, b, h), c->k.row, S, c->K, c->unit, across);
    gather(head_of(c->v, b, h), c->v.row, S, c->V, values);
    for (count begin = 0; begin < c->T; begin += BLOCK) {
        const block it = block_of(first, stop, begin, c->T, S);
        multiply_rows(c, given + begin * c->q.row, c->q.row, it.rows, t_h, r ? r + begin * c->r.row : 0, c->r.row, c->scale,
                      q, g);
        against_keys(&it, q, K, c->K, across, p);
        for (count i = 0, t = begin; i < it.rows; i++, t++)
            inverse[i] = softmax(p + i * it.step, kept ? kept + i * it.step : 0, it.low, it.low + it.step, first[t], stop[t],
                                 bias ? bias + t * c->bias.row : 0, table ? table + t * c->table.row : 0);
        over_keys(&it, p, values, V, z);
        for (count i = 0; i < it.rows; i++)
            for (count j = 0; j < V; j++) z[i * V + j] *= inverse[i];
        scatter(z, it.rows, c->V, head_of(c->z, b, h) + begin * c->z.row, c->z.row);
        if (kept) kept += it.rows * it.step;
    }
}

static void backward_head(const call *c, count b, count h, float *work) {
    const count K = up(c->K), V = up(c->V), S = c->S;
    const count *first = c->first + b * c->interval_row, *stop = c->stop + b * c->interval_row;
    float *keys = work, *across = keys + S * K, *dk = across + (S + WIDE) * V, *dv = dk + S * K, *q = dv + S * V;
    float *dz = q + BLOCK * K, *dq = dz + BLOCK * V, *ds = dq + BLOCK * K, *g = ds + BLOCK * (up(S) + LANES), *g_q = g + S;
    const float *given = head_of(c->q, b, h), *r = head_of(c->r, b, h), t_h = c->t ? c->t[h] : 1;
    const float *p = c->weights + c->weights_of[b] + h * weights_of_head(first, stop, c->T, S);
    double along = 0;
    multiply_rows(c, head_of(c->k, b, h), c->k.row, S, 1, 0, 0, 1, keys, g);
    lay_across(head_of(c->v, b, h), c->v.row, S, c->V, 0, across);
    memset(dk, 0, 4 * S * (K + V));
    for (count begin = 0; begin < c->T; begin += BLOCK) {
        const block it = block_of(first, stop, begin, c->T, S);
        multiply_rows(c, given + begin * c->q.row, c->q.row, it.rows, t_h, r ? r + begin * c->r.row : 0, c->r.row, 1, q, g_q);
        gather(head_of(c->dz, b, h) + begin * c->dz.row, c->dz.row, it.rows, c->V, dz);
        against_keys(&it, dz, V, c->V, across, ds);
        for (count i = 0; i < it.rows; i++) {
            float *row = ds + i * it.step, *sum = c->dbias.x ? head_of(c->dbias, b, h) + (begin + i) * c->dbias.row : 0;
            const count low = first[begin + i], high = stop[begin + i];
            softmax_back(p + i * it.step, row, it.low, it.low + it.step, low, high);
            if (sum) for (count s = low; s < high; s++) sum[s] += row[s - it.low];
            for (count s = 0; s < it.step; s++) row[s] *= c->scale;
        }
        /* After the rows have brought P to the cache in order: down its columns nothing foresees which lines come next. */
        over_queries(&it, p, dz, V, S, dv);
        over_keys(&it, ds, keys, K, dq);
        over_queries(&it, ds, q, K, S, dk);
        if (c->t || c->r.x || c->unit) along += rows_back(c, q, dq, g_q, t_h, it.rows);
        scatter(dq, it.rows, c->K, head_of(c->dq, b, h) + begin * c->dq.row, c->dq.row);
        p += it.rows * it.step;
    }
    if (c->unit) rows_back(c, keys, dk, g, 1, S);
    scatter(dk, S, c->K, head_of(c->dk, b, h), c->dk.row);
    scatter(dv, S, c->V, head_of(c->dv, b, h), c->dv.row);
    ((double *)c->work)[b * c->H + h] = along;
}

/* A thread that has done one head takes the next. Where rows of the batch add to one bias, a head is that of all of them. */
static void run(const call *c, void (*head)(const call *, count, count, float *), int share) {
    const count rows = share ? c->B : 1, heads = c->B / rows * c->H, each = work_of_thread(c);
    count next = 0, workers = 0;
    /* All of torch's threads, also where there are fewer heads: a smaller team would end those it leaves out. */
    #pragma omp parallel num_threads(c->threads) if (c->threads > 1 && heads > 1)
    {
        float *work = 0;
        for (count n; (n = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < heads;) {
            if (!work) work = c->work + 2 * c->B * c->H + __atomic_fetch_add(&workers, 1, __ATOMIC_RELAXED) * each;
            for (count b = n / c->H * rows; b < (n / c->H + 1) * rows; b++) head(c, b, n % c->H, work);
        }
    }
}

void forward(const call *c) { run(c, forward_head, 0); }

void backward(const call *c) {
    run(c, backward_head, c->dbias.x && c->dbias.batch == 0);
    for (count h = 0; c->dlog_t && h < c->H; h++) {
        double sum = 0;
        for (count b = 0; b < c->B; b++) sum += ((double *)c->work)[b * c->H + h];
        c->dlog_t[h] = (float)sum;
    }
}
