/* Attention on a CPU, one head at a time. The formulas are in native.py, the matrix products in native.h.
 *
 * A thread takes a head, copies its keys and values to contiguous memory, and computes its queries in blocks. Scores and their
 * gradients stay in the cache, up to a thousand keys. Only the weights, saved for the backward pass, are written to memory.
 *
 * Shape letters: B rows of the batch, H heads, T queries, S keys, K head width, V width of values. Single precision. No sum
 * depends on the number of threads.
 */

#include <math.h>
#include <string.h>

#include "native.h"

/* Strides, in numbers, of the batch, the head and the place; the numbers of a place are contiguous. A null `x` means no tensor. */
typedef struct { float *x; count batch, head, row; } tensor;
static inline float *head_of(tensor it, count b, count h) { return it.x ? it.x + b * it.batch + h * it.head : 0; }

typedef struct {
    count B, H, T, S, K, V;
    float scale;
    tensor q, k, v, z;
    tensor bias;                     /* [B, H, T, S] */
    tensor table;                    /* bytes of the same shape: whether query t sees key s; read for s in [first, stop) */
    const count *first, *stop;       /* query t of row b sees only keys in [first, stop) */
    count interval_row;              /* stride of the batch in these; 0: all rows see the same */
    float *weights;                  /* those of row b begin at weights_of[b] */
    const count *weights_of;
    tensor dz, dq, dk, dv;
    tensor dbias;                    /* [rows of the bias, H, T, S] */
    float *work;                     /* `work_of_call` numbers */
    count threads;
} call;

/* Size, in numbers, of the weights of a head; of the scratch memory of a thread; of the scratch memory of a call. */
count weights_of_head(const count *first, const count *stop, count T, count S) {
    count all = 0;
    for (count begin = 0; begin < T; begin += BLOCK) {
        const block it = block_of(first, stop, begin, T, S);
        all += it.rows * it.step;
    }
    return all;
}

static count work_of_thread(const call *c) {
    /* The layout of backward_head, the larger one: keys, across, dk, dv; q, dq, dz; ds. */
    const count S = c->S, K = up(c->K), V = up(c->V);
    return S * K + (S + WIDE) * most(K, V) + S * (K + V) + BLOCK * (2 * K + V) + BLOCK * (up(S) + LANES);
}

count work_of_call(const call *c) { return least(c->threads, c->B * c->H) * work_of_thread(c); }

/* ---- rows of queries, keys and values ---- */

/* Written out, because a row is a few vectors, and a call of memcpy takes as long as the copy. */
INLINED void copy_row(const float *x, count width, float factor, float *out) {
    count j = 0;
    for (; j + LANES <= width; j += LANES) *(vec *)(out + j) = *(const vec *)(x + j) * factor;
    if (j < width) {
        vec rest = {0};
        for (count i = j; i < width; i++) rest[i - j] = x[i] * factor;
        *(vec *)(out + j) = rest;
    }
}

/* With a width that is a constant, the compiler turns the loop over a row into a few instructions. */
#define FOR_WIDTH(K, ...)                                      \
    switch (K) {                                               \
        case 32: { enum { WIDTH = 32 }; __VA_ARGS__; } break;   \
        case 64: { enum { WIDTH = 64 }; __VA_ARGS__; } break;   \
        case 128: { enum { WIDTH = 128 }; __VA_ARGS__; } break; \
        default: { const count WIDTH = K; __VA_ARGS__; }        \
    }

INLINED void copy_rows(const float *x, count row, count rows, const count width, float factor, float *out) {
    for (count i = 0; i < rows; i++) copy_row(x + i * row, width, factor, out + i * up(width));
}

/* factor x, its rows contiguous and padded with zeros to whole vectors. */
static void gather(const float *x, count row, count rows, count width, float factor, float *out) {
    FOR_WIDTH(width, copy_rows(x, row, rows, WIDTH, factor, out))
}

static void scatter(const float *x, count rows, count width, float *out, count row) {
    for (count i = 0; i < rows; i++, x += up(width), out += row) {
        count j = 0;
        for (; j + LANES <= width; j += LANES) *(vec *)(out + j) = *(const vec *)(x + j);
        for (; j < width; j++) out[j] = x[j];
    }
}

/* The transpose of x in panels of WIDE rows, as `against_keys` reads it: number j of all rows of a panel before number j + 1. */
static void lay_across(const float *x, count row, count rows, count width, float *out) {
    for (count at = 0; at < rows; at += LANES) {
        float *to = out + at / WIDE * WIDE * width + at % WIDE;
        const count here = least(LANES, rows - at);
        for (count j = 0; j < width; j += LANES) {
            const count columns = least(LANES, width - j);
            vec square[LANES] = {{0}};
            if (here == LANES && columns == LANES) for (int i = 0; i < LANES; i++) square[i] = *(vec *)(x + (at + i) * row + j);
            else for (count i = 0; i < here; i++) copy_row(x + (at + i) * row + j, columns, 1, (float *)(square + i));
            transpose(square);
            for (count i = 0; i < columns; i++) *(vec *)(to + (j + i) * WIDE) = square[i];
        }
    }
}

/* ---- rows of weights ---- */

/* Turns scores of the keys [low, high), of which [first, stop) are seen, into e^(score - largest) and returns one over their sum.
 * `kept`, if not null, gets the weights: the product of the two. */
static float softmax(float *p, float *kept, count low, count high, count first, count stop, const float *bias,
                     const uint8_t *table) {
    const count begin = down(first), end = up(stop);
    if (first >= stop) {
        memset(p, 0, 4 * (high - low));
        if (kept) memset(kept, 0, 4 * (high - low));
        return 0;
    }
    p -= low; /* from here on, p[s] belongs to key s */
    if (bias) for (count s = first; s < stop; s++) p[s] += bias[s];
    if (table) for (count s = first; s < stop; s++) p[s] = table[s] ? p[s] : -INFINITY;
    for (count s = begin; s < first; s++) p[s] = -INFINITY;
    for (count s = stop; s < end; s++) p[s] = -INFINITY;
    vec top = (vec){0} - INFINITY, sum = {0};
    for (count s = begin; s < end; s += LANES) top = larger(*(vec *)(p + s), top);
    const float largest = largest_of(top), shift = largest == -INFINITY ? 0 : largest;
    for (count s = begin; s < end; s += LANES) sum += *(vec *)(p + s) = exponential(*(vec *)(p + s) - shift);
    /* The sum is 0 where a table, or a bias of minus infinity, hides all keys. */
    const float all = sum_of(sum), inverse = all == 0 ? 0 : 1 / all;
    memset(p + low, 0, 4 * (begin - low));
    memset(p + end, 0, 4 * (high - end));
    if (kept) for (count s = low; s < high; s += LANES) *(vec *)(kept + s - low) = *(vec *)(p + s) * inverse;
    return inverse;
}

/* dS = P * (dP - sum of P * dP), written over dP. */
static void softmax_back(const float *p, float *dp, count low, count high, count first, count stop) {
    const count begin = first < stop ? down(first) : low, end = first < stop ? up(stop) : low;
    p -= low, dp -= low;
    /* These come from values that the query does not see, which may be nan. */
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
    float *p = z + BLOCK * V, inverse[BLOCK];
    const float *bias = head_of(c->bias, b, h);
    const uint8_t *table = c->table.x ? (uint8_t *)c->table.x + b * c->table.batch + h * c->table.head : 0;
    float *kept = c->weights ? c->weights + c->weights_of[b] + h * weights_of_head(first, stop, c->T, S) : 0;
    lay_across(head_of(c->k, b, h), c->k.row, S, c->K, across);
    gather(head_of(c->v, b, h), c->v.row, S, c->V, 1, values);
    for (count begin = 0; begin < c->T; begin += BLOCK) {
        const block it = block_of(first, stop, begin, c->T, S);
        gather(head_of(c->q, b, h) + begin * c->q.row, c->q.row, it.rows, c->K, c->scale, q);
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
    float *dz = q + BLOCK * K, *dq = dz + BLOCK * V, *ds = dq + BLOCK * K;
    const float *p = c->weights + c->weights_of[b] + h * weights_of_head(first, stop, c->T, S);
    gather(head_of(c->k, b, h), c->k.row, S, c->K, 1, keys);
    lay_across(head_of(c->v, b, h), c->v.row, S, c->V, across);
    memset(dk, 0, 4 * S * (K + V));
    for (count begin = 0; begin < c->T; begin += BLOCK) {
        const block it = block_of(first, stop, begin, c->T, S);
        gather(head_of(c->q, b, h) + begin * c->q.row, c->q.row, it.rows, c->K, 1, q);
        gather(head_of(c->dz, b, h) + begin * c->dz.row, c->dz.row, it.rows, c->V, 1, dz);
        against_keys(&it, dz, V, c->V, across, ds);
        for (count i = 0; i < it.rows; i++) {
            float *row = ds + i * it.step, *sum = c->dbias.x ? head_of(c->dbias, b, h) + (begin + i) * c->dbias.row : 0;
            const count low = first[begin + i], high = stop[begin + i];
            softmax_back(p + i * it.step, row, it.low, it.low + it.step, low, high);
            if (sum) for (count s = low; s < high; s++) sum[s] += row[s - it.low];
            for (count s = 0; s < it.step; s++) row[s] *= c->scale;
        }
        /* This reads P by columns, which the processor cannot prefetch. It comes last, when the rows are in the cache. */
        over_queries(&it, p, dz, V, S, dv);
        over_keys(&it, ds, keys, K, dq);
        over_queries(&it, ds, q, K, S, dk);
        scatter(dq, it.rows, c->K, head_of(c->dq, b, h) + begin * c->dq.row, c->dq.row);
        p += it.rows * it.step;
    }
    scatter(dk, S, c->K, head_of(c->dk, b, h), c->dk.row);
    scatter(dv, S, c->V, head_of(c->dv, b, h), c->dv.row);
}

/* Each thread takes the next head until none is left. With `share`, rows of the batch add to one bias gradient, so one thread
 * computes a head of all rows. */
static void run(const call *c, void (*head)(const call *, count, count, float *), int share) {
    const count rows = share ? c->B : 1, heads = c->B / rows * c->H, each = work_of_thread(c);
    count next = 0, workers = 0;
    /* All of torch's threads, even if there are fewer heads: OpenMP ends the threads that a smaller team leaves out. */
    #pragma omp parallel num_threads(c->threads) if (c->threads > 1 && heads > 1)
    {
        float *work = 0;
        for (count n; (n = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < heads;) {
            if (!work) work = c->work + __atomic_fetch_add(&workers, 1, __ATOMIC_RELAXED) * each;
            for (count b = n / c->H * rows; b < (n / c->H + 1) * rows; b++) head(c, b, n % c->H, work);
        }
    }
}

void forward(const call *c) { run(c, forward_head, 0); }

void backward(const call *c) { run(c, backward_head, c->dbias.x && c->dbias.batch == 0); }
