// For processors with AMX-BF16 (Sapphire Rapids and later), which multiply small tiles of bfloat16 at ten times
// the rate of fused multiply-add.
//
// A weight in half precision is the sum of two bfloat16 exactly, an activation within 2⁻¹⁷ of itself. Three
// products of the four parts are added in float32, so the result is as good as half-precision weights with
// float32 activations; the product of both small parts, below 2⁻¹⁸, is left out. The splitting of float32 into
// several bfloat16 is that of Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence
// datatype for higher-precision computations", 2019.
#include "largest.h"
#include "pass.h"

namespace neoserve {
namespace {

using Bfloat = uint16_t;

// A tile: 16 rows of 64 bytes. Of activations: rows × 32 inputs; of weights: 16 pairs of inputs × 16 outputs.
constexpr long TILE_BYTES = 1024;
// Panels that are taken together.
constexpr long PAIR = 2;
// Steps in depth that all rows take before the next ones: their weights stay in the fastest cache.
constexpr long CHUNK = 2;

struct __attribute__((packed)) Shape {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
};

// The last two registers hold weights, the others have a row for each of the activations'.
inline void configure(long rows) {
    Shape shape;
    for (int tile = 0; tile < 8; tile++) {
        shape.row_bytes[tile] = 64;
        shape.rows[tile] = tile < 6 ? least(rows, PANEL) : PANEL;
    }
    _tile_loadconfig(&shape);
}

inline __m512 widen(__m256i parts) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(parts), 16));
}

// 32 numbers as the bfloat16 next to each, and the bfloat16 next to what is left.
inline void split(__m512 low, __m512 high, void *large, void *small) {
    const __m512i nearest = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    _mm512_store_si512(large, nearest);
    low -= widen(_mm512_castsi512_si256(nearest));
    high -= widen(_mm512_extracti64x4_epi64(nearest, 1));
    _mm512_store_si512(small, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// Tiles of 16 rows × 32 inputs from `row` on: the large parts, then the small ones.
void split_activations(const Product &product, long row, long depth, char *to) {
    const long left = product.inputs - depth * DEPTH;
    for (long r = 0; r < PANEL; r++) {
        alignas(64) float tail[DEPTH] = {};
        const float *x = product.x + (row + r) * product.inputs + depth * DEPTH;
        if (row + r >= product.rows) {
            x = tail;
        } else if (left < DEPTH) {
            memcpy(tail, x, left * sizeof(float));
            x = tail;
        }
        split(load(x), load(x + 16), to + r * 64, to + TILE_BYTES + r * 64);
    }
}

// 32 inputs of a panel as the pairs that the tiles want. The large part is cut off instead of rounded: what is
// left of half precision's 11 bits fits into a bfloat16 either way.
inline void split_weights(const Half *weights, char *to) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    for (long pair = 0; pair < 16; pair++, weights += 2 * PANEL, to += 64) {
        _mm_prefetch(reinterpret_cast<const char *>(weights) + AHEAD, _MM_HINT_T0);
        const __m512 even = load(weights), odd = load(weights + PANEL);
        const __m512i large_even = _mm512_and_si512(_mm512_castps_si512(even), upper);
        const __m512i large_odd = _mm512_and_si512(_mm512_castps_si512(odd), upper);
        const __m512i small_even = _mm512_castps_si512(even - _mm512_castsi512_ps(large_even));
        const __m512i small_odd = _mm512_castps_si512(odd - _mm512_castsi512_ps(large_odd));
        _mm512_store_si512(to, _mm512_or_si512(_mm512_srli_epi32(large_even, 16), large_odd));
        _mm512_store_si512(to + TILE_BYTES, _mm512_or_si512(_mm512_srli_epi32(small_even, 16), small_odd));
    }
}

// Tile registers: two panels have a sum of large parts and one of what the small parts add.
inline void load_activations(const char *x) {
    _tile_loadd(4, x, 64);
    _tile_loadd(5, x + TILE_BYTES, 64);
}

inline void add_first_panel(const char *w) {
    _tile_loadd(6, w, 64);
    _tile_loadd(7, w + TILE_BYTES, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(1, 5, 6);
}

inline void add_second_panel(const char *w) {
    _tile_loadd(6, w, 64);
    _tile_loadd(7, w + TILE_BYTES, 64);
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(3, 4, 7);
    _tile_dpbf16ps(3, 5, 6);
}

inline void zero_sums() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

inline void load_sums(const float *sums) {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + 256, 64);
    _tile_loadd(2, sums + 512, 64);
    _tile_loadd(3, sums + 768, 64);
}

inline void store_sums(float *sums) {
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

inline void finish_tile(const Product &product, long row, long panel, const float *sums) {
    for (long r = 0; r < PANEL && row + r < product.rows; r++, sums += PANEL) {
        Vector one[LANES] = {load(sums) + load(sums + PANEL * PANEL)};
        finish(product, row + r, panel * PANEL, one);
    }
}

// One or two panels with all rows. `w` has room for two chunks of split weights, `sums` for four tiles to every
// 16 rows.
template <bool SECOND_PANEL>
void multiply_panels(const Product &product, const char *x, long panel, char *w, float *sums) {
    constexpr long panel_step = 2 * TILE_BYTES, step = 2 * panel_step;
    const long depth = padded(product.inputs) / DEPTH, tile_rows = divide_up(product.rows, PANEL);
    const Half *weights = static_cast<const Half *>(product.packed) + panel * depth * DEPTH * PANEL;
    auto prepared = [&](long d, long p) { return w + d % (2 * CHUNK) * step + p * panel_step; };
    auto prepare = [&](long d, long p) { split_weights(weights + (p * depth + d) * DEPTH * PANEL, prepared(d, p)); };
    prepare(0, 0);
    if constexpr (SECOND_PANEL) prepare(0, 1);
    for (long from = 0; from < depth; from += CHUNK) {
        const long to = least(from + CHUNK, depth);
        for (long tile = 0; tile < tile_rows; tile++) {
            float *of_rows = sums + tile * 4 * PANEL * PANEL;
            if (from)
                load_sums(of_rows);
            else
                zero_sums();
            for (long d = from; d < to; d++) {
                // One step ahead: tiles cannot be read while they are on their way to the cache. And in turn with
                // the products, which the tile unit computes meanwhile.
                const bool ahead = tile == 0 && d + 1 < depth;
                load_activations(x + (tile * depth + d) * 2 * TILE_BYTES);
                add_first_panel(prepared(d, 0));
                if (ahead) prepare(d + 1, 0);
                if constexpr (SECOND_PANEL) {
                    add_second_panel(prepared(d, 1));
                    if (ahead) prepare(d + 1, 1);
                }
            }
            store_sums(of_rows);
        }
    }
    for (long tile = 0; tile < tile_rows; tile++, sums += 4 * PANEL * PANEL) {
        finish_tile(product, tile * PANEL, panel, sums);
        if constexpr (SECOND_PANEL) finish_tile(product, tile * PANEL, panel + 1, sums + 2 * PANEL * PANEL);
    }
}

// As multiply_in_team.
void multiply_tiles_in_team(const Product &product, void *room) {
    static thread_local Scratch own;
    const long depth = padded(product.inputs) / DEPTH, tile_rows = divide_up(product.rows, PANEL);
    const long panels = divide_up(product.outputs, PANEL);
    constexpr long split = 2 * CHUNK * 4 * TILE_BYTES;
    char *x = static_cast<char *>(room);
    char *w = static_cast<char *>(own.take(split + tile_rows * 4 * TILE_BYTES));
    float *sums = reinterpret_cast<float *>(w + split);
    configure(product.rows);
#pragma omp for schedule(static)
    for (long tile = 0; tile < tile_rows * depth; tile++)
        split_activations(product, tile / depth * PANEL, tile % depth, x + tile * 2 * TILE_BYTES);
#pragma omp for schedule(dynamic)
    for (long panel = 0; panel < panels; panel += PAIR) {
        if (panel + 1 < panels)
            multiply_panels<true>(product, x, panel, w, sums);
        else
            multiply_panels<false>(product, x, panel, w, sums);
    }
    _tile_release();
}

} // namespace
} // namespace neoserve

using namespace neoserve;

// float32 has no use for tiles: it would take six products, and its weights are limited by the memory anyway.
const Kernels neoserve::amx_kernels = {
    multiply<multiply_in_team<float>>,
    multiply<multiply_tiles_in_team>,
    attend<float>,
    attend<Half>,
    run<multiply_in_team<float>, multiply_tiles_in_team>,
    maxima,
    not_below,
};
