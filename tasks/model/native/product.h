// x·Wᵀ + bias for panels of 16 outputs, by fused multiply-add.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "vector.h"

namespace neoserve {
namespace {

inline long least(long a, long b) { return a < b ? a : b; }

// Rows whose sums fit into the registers.
constexpr int MOST_ROWS = WIDTH == 16 ? 12 : 6;
// Panels that a thread takes at a time.
constexpr long PANELS_AT_ONCE = 4;

// So few rows leave the registers idle while one panel streams in: take several.
constexpr int panels_for(int rows) {
    return WIDTH == 16 ? (rows <= 4 ? 4 : 2) : (rows == 1 ? 4 : rows == 2 ? 2 : 1);
}

// Memory that a thread keeps for its next call; 64-byte aligned.
struct Scratch {
    void *memory = nullptr;
    size_t size = 0;
    ~Scratch() { free(memory); }
    void *take(size_t wanted) {
        if (wanted > size) {
            free(memory);
            size = divide_up(wanted, 4096) * 4096;
            memory = aligned_alloc(4096, size);
        }
        return memory;
    }
};

// 16 results of one row on their way out; `left` of them exist.
inline void finish(const Product &product, long row, long column, Vector (&sums)[LANES]) {
    const long left = product.outputs - column;
    float *y = product.y + row * product.outputs + column;
    float tail[PANEL];
    for (int lane = 0; lane < LANES; lane++) {
        Vector sum = sums[lane];
        const long at = lane * WIDTH;
        auto read = [&](const float *from) {
            if (left >= PANEL) return load(from + at);
            memset(tail, 0, sizeof tail);
            memcpy(tail, from, left * sizeof(float));
            return load(tail + at);
        };
        if (product.bias) sum += read(product.bias + column);
        if (product.epilogue == GELU) sum = gelu(sum);
        if (product.epilogue == ADD) sum += read(product.residual + row * product.outputs + column);
        sums[lane] = sum;
    }
    if (left >= PANEL) {
        for (int lane = 0; lane < LANES; lane++) store(y + lane * WIDTH, sums[lane]);
    } else {
        for (int lane = 0; lane < LANES; lane++) store(tail + lane * WIDTH, sums[lane]);
        memcpy(y, tail, left * sizeof(float));
    }
}

// `ROWS` rows from `row` on with the panels [first, last).
template <int ROWS, class T>
void multiply_rows(const Product &product, const float *x, long row, long first, long last) {
    constexpr int panels = panels_for(ROWS), vectors = panels * LANES;
    const long stride = padded(product.inputs) * PANEL;
    const T *weights = static_cast<const T *>(product.packed);
    long panel = first;
    for (; panel + panels <= last; panel += panels) {
        Vector sums[ROWS][vectors] = {};
        accumulate(sums, x, PANEL, 1, weights + panel * stride, PANEL, stride, product.inputs);
        for (int r = 0; r < ROWS; r++)
            for (int p = 0; p < panels; p++)
                finish(product, row + r, (panel + p) * PANEL,
                       reinterpret_cast<Vector(&)[LANES]>(sums[r][p * LANES]));
    }
    for (; panel < last; panel++) {
        Vector sums[ROWS][LANES] = {};
        accumulate(sums, x, PANEL, 1, weights + panel * stride, PANEL, stride, product.inputs);
        for (int r = 0; r < ROWS; r++) finish(product, row + r, panel * PANEL, sums[r]);
    }
}

template <class T, int ROWS = MOST_ROWS>
void multiply_some_rows(const Product &product, const float *x, long row, long rows, long first, long last) {
    if constexpr (ROWS > 1) {
        if (rows < ROWS) return multiply_some_rows<T, ROWS - 1>(product, x, row, rows, first, last);
    }
    multiply_rows<ROWS, T>(product, x, row, first, last);
}

// Rows [16·tile, …) as [inputs, 16], so that the rows of one input lie together.
inline void transpose(const Product &product, long tile, long from, long to, float *out) {
    const long first = tile * PANEL, rows = least(PANEL, product.rows - first);
    for (long r = 0; r < rows; r++) {
        const float *x = product.x + (first + r) * product.inputs;
        for (long k = from; k < to; k++) out[k * PANEL + r] = x[k];
    }
}

// What a product needs besides, in bytes: its rows in the order in which they are read.
inline size_t room_for(long rows, long inputs) {
    return divide_up(rows, PANEL) * PANEL * padded(inputs) * sizeof(float);
}

// By the threads of a team; `room` is theirs together. All of them have finished when it returns.
template <class T> void multiply_in_team(const Product &product, void *room) {
    const long tiles = divide_up(product.rows, PANEL), panels = divide_up(product.outputs, PANEL);
    const long inputs = product.inputs, parts = divide_up(inputs, 256);
    float *columns = static_cast<float *>(room);
#pragma omp for schedule(static)
    for (long part = 0; part < tiles * parts; part++) {
        const long tile = part / parts, from = part % parts * 256;
        transpose(product, tile, from, least(from + 256, inputs), columns + tile * inputs * PANEL);
    }
#pragma omp for schedule(dynamic)
    for (long first = 0; first < panels; first += PANELS_AT_ONCE) {
        const long last = least(first + PANELS_AT_ONCE, panels);
        for (long row = 0; row < product.rows;) {
            const long end = least((row / PANEL + 1) * PANEL, product.rows);
            const long rows = divide_up(end - row, divide_up(end - row, MOST_ROWS));
            const float *x = columns + row / PANEL * inputs * PANEL + row % PANEL;
            multiply_some_rows<T>(product, x, row, rows, first, last);
            row += rows;
        }
    }
}

using Multiply = void (*)(const Product &, void *);

template <Multiply in_team> void multiply(const Product &product) {
    static thread_local Scratch scratch;
    void *room = scratch.take(room_for(product.rows, product.inputs));
#pragma omp parallel num_threads(product.threads)
    in_team(product, room);
}

} // namespace
} // namespace neoserve
