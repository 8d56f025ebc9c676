// Attention over keys and values where they lie, each sequence over its own, without padding.
//
// What a token gets depends on its position and its own sequence alone, to the last bit: keys are taken in
// blocks of 16 that begin at fixed positions, each sum runs in the order of the positions, and keys that the
// token must not see add exactly zero. So neither the company nor how a prompt was cut changes a result.
#pragma once

#include "product.h"

namespace neoserve {
namespace {

inline void put(float *to, float x) { *to = x; }
inline void put(Half *to, float x) { to->bits = _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT); }

// Tokens that attend together: no more than a ring has places beyond its window.
constexpr long TILE = 16;
constexpr float LOWEST = -__builtin_inff();

// Where positions lie.
struct Places {
    const Attention &layer;
    const Span &span;

    // First place of the block of 16 positions.
    long of(long block) const {
        const long position = block * PANEL;
        if (layer.window) return span.ring + position % layer.ring_places;
        return span.table[position / layer.page_places] + position % layer.page_places;
    }
};

// Some tokens of one sequence, in one head.
struct Tile {
    long row, tokens, start; // As in Span.
    long seen_from;          // The first position that one of them sees.

    Tile(const Attention &layer, const Span &span, long from)
        : row(span.row + from), tokens(span.tokens - from < TILE ? span.tokens - from : TILE),
          start(span.start + from) {
        seen_from = layer.window && start >= layer.window ? start - layer.window + 1 : 0;
    }
    long end() const { return start + tokens; }
    long first_block() const { return seen_from / PANEL; }
    long last_block() const { return (end() - 1) / PANEL; }
    long base() const { return first_block() * PANEL; }
    // Length of a row of scores: the keys from base on, in whole blocks.
    long keys() const { return (last_block() + 1) * PANEL - base(); }
};

template <class T> struct Head {
    const Attention &layer;
    long head;

    const float *input(long row, int which) const {
        return layer.query_key_value + ((row * 3 + which) * layer.heads + head) * layer.size;
    }
    T *keys(long place) const {
        return static_cast<T *>(layer.memory) + (head * layer.places + place) * layer.size;
    }
    T *values(long place) const {
        return static_cast<T *>(layer.memory) + ((layer.heads + head) * layer.places + place) * layer.size;
    }

    void remember(const Tile &tile, const Places &places) const {
        for (long t = 0; t < tile.tokens; t++) {
            const long position = tile.start + t, first = places.of(position / PANEL), lane = position % PANEL;
            const float *key = input(tile.row + t, 1), *value = input(tile.row + t, 2);
            T *to = keys(first) + lane;
            for (long d = 0; d < layer.size; d++) put(to + d * PANEL, key[d]);
            T *values_to = values(first + lane);
            for (long d = 0; d < layer.size; d += WIDTH) store(values_to + d, load(value + d));
        }
    }

    // scores[t, key] = query · key, not scaled: GPT-Neo was trained so.
    template <int ROWS> void score_rows(const Tile &tile, const Places &places, const float *queries, float *scores) const {
        constexpr int together = panels_for(ROWS);
        long block = tile.first_block();
        while (block <= tile.last_block()) {
            const long end = block + together, first = places.of(block);
            // Where a page or a ring ends, the next block lies elsewhere.
            if (end - 1 <= tile.last_block() && places.of(end - 1) == first + (together - 1) * PANEL) {
                score_blocks<ROWS, together>(tile, first, queries, scores + block * PANEL - tile.base());
                block = end;
            } else {
                score_blocks<ROWS, 1>(tile, first, queries, scores + block * PANEL - tile.base());
                block++;
            }
        }
    }
    template <int ROWS, int BLOCKS>
    void score_blocks(const Tile &tile, long first, const float *queries, float *scores) const {
        Vector sums[ROWS][BLOCKS * LANES] = {};
        accumulate(sums, queries, TILE, 1, keys(first), PANEL, PANEL * layer.size, layer.size);
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < BLOCKS * LANES; v++)
                store(scores + r * tile.keys() + v * WIDTH, sums[r][v]);
    }
    template <int ROWS = MOST_ROWS>
    void score(const Tile &tile, const Places &places, long rows, const float *queries, float *scores) const {
        if constexpr (ROWS > 1) {
            if (rows < ROWS) return score<ROWS - 1>(tile, places, rows, queries, scores);
        }
        score_rows<ROWS>(tile, places, queries, scores);
    }

    // attended[t] = Σ weights[t, key] · value[key]
    template <int ROWS, int VECTORS>
    void mix_columns(const Tile &tile, const Places &places, long row, const float *weights, long column) const {
        Vector sums[ROWS][VECTORS] = {};
        for (long block = tile.first_block(); block <= tile.last_block(); block++) {
            const long from = block * PANEL > tile.seen_from ? block * PANEL : tile.seen_from;
            const long to = (block + 1) * PANEL < tile.end() ? (block + 1) * PANEL : tile.end();
            accumulate(sums, weights + from - tile.base(), 1, tile.keys(),
                       values(places.of(block) + from % PANEL) + column, layer.size, PANEL, to - from);
        }
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < VECTORS; v++)
                store(layer.attended + ((tile.row + row + r) * layer.heads + head) * layer.size + column + v * WIDTH,
                      sums[r][v]);
    }
    template <int ROWS>
    void mix_rows(const Tile &tile, const Places &places, long row, const float *weights) const {
        constexpr int wide = 64 / WIDTH;
        long column = 0;
        if constexpr (ROWS * wide <= (WIDTH == 16 ? 24 : 12))
            for (; column + 64 <= layer.size; column += 64)
                mix_columns<ROWS, wide>(tile, places, row, weights, column);
        for (; column < layer.size; column += PANEL)
            mix_columns<ROWS, LANES>(tile, places, row, weights, column);
    }

    void attend(const Tile &tile, const Places &places, float *scratch) const {
        float *queries = scratch, *scores = scratch + layer.size * TILE; // [size, 16] and [tokens, keys]
        for (long t = 0; t < tile.tokens; t++)
            for (long d = 0; d < layer.size; d++) queries[d * TILE + t] = input(tile.row + t, 0)[d];
        for (long t = 0; t < tile.tokens; t += MOST_ROWS) {
            const long rows = tile.tokens - t < MOST_ROWS ? tile.tokens - t : MOST_ROWS;
            score(tile, places, rows, queries + t, scores + t * tile.keys());
        }
        for (long t = 0; t < tile.tokens; t++) soften(tile, tile.start + t, scores + t * tile.keys());
        constexpr int together = 6;
        long t = 0;
        for (; t + together <= tile.tokens; t += together)
            mix_rows<together>(tile, places, t, scores + t * tile.keys());
        for (; t < tile.tokens; t++) mix_rows<1>(tile, places, t, scores + t * tile.keys());
    }

    // Softmax over the keys that the token at `position` sees; zero for the others.
    void soften(const Tile &tile, long position, float *scores) const {
        const long from = (layer.window && position >= layer.window ? position - layer.window + 1 : 0) - tile.base();
        const long to = position + 1 - tile.base();
        for (long key = 0; key < from; key++) scores[key] = LOWEST;
        for (long key = to; key < tile.keys(); key++) scores[key] = LOWEST;
        const long first = from / PANEL * PANEL, last = divide_up(to, PANEL) * PANEL;
        Vector highest = fill(LOWEST);
        for (long key = first; key < last; key += WIDTH) highest = larger(highest, load(scores + key));
        float lanes[PANEL], top = LOWEST;
        store(lanes, highest);
        for (int lane = 0; lane < WIDTH; lane++) top = lanes[lane] > top ? lanes[lane] : top;
        Vector sums[LANES] = {};
        for (long key = first; key < last; key += PANEL)
            for (int lane = 0; lane < LANES; lane++) {
                float *at = scores + key + lane * WIDTH;
                store(at, exponential(load(at) - fill(top)));
            }
        // Those outside are held at e⁻⁸⁷ by now.
        for (long key = 0; key < from; key++) scores[key] = 0;
        for (long key = to; key < tile.keys(); key++) scores[key] = 0;
        for (long key = first; key < last; key += PANEL)
            for (int lane = 0; lane < LANES; lane++) sums[lane] += load(scores + key + lane * WIDTH);
        for (int lane = 0; lane < LANES; lane++) store(lanes + lane * WIDTH, sums[lane]);
        for (int width = PANEL / 2; width; width /= 2)
            for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
        const Vector share = fill(1.0f / lanes[0]);
        for (long key = first; key < last; key += WIDTH) store(scores + key, load(scores + key) * share);
    }
};

// By the threads of a team, as multiply_in_team.
template <class T> void attend_in_team(const Attention &layer) {
    static thread_local Scratch memory;
#pragma omp for schedule(dynamic)
    for (long item = 0; item < layer.num_spans * layer.heads; item++) {
        const Span &span = layer.spans[item / layer.heads];
        const Head<T> head{layer, item % layer.heads};
        const Places places{layer, span};
        const long most_keys = layer.window ? layer.ring_places + PANEL : span.start + span.tokens + PANEL;
        float *scratch = static_cast<float *>(memory.take((layer.size + most_keys) * TILE * sizeof(float)));
        for (long from = 0; from < span.tokens; from += TILE) {
            const Tile tile(layer, span, from);
            head.remember(tile, places);
            head.attend(tile, places, scratch);
        }
    }
}

template <class T> void attend(const Attention &layer) {
#pragma omp parallel num_threads(layer.threads)
    attend_in_team<T>(layer);
}

} // namespace
} // namespace neoserve
