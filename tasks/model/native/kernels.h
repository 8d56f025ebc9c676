// What each build of the kernels (AVX2, AVX-512, AMX) offers, and what they share. No C++ library: this code
// is compiled several times for different processors, and an inline function of a header would be merged into
// one of them, which not every processor runs.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace neoserve {

// A number in IEEE half precision.
struct Half {
    uint16_t bits;
};

// Matrices are stored in panels of 16 outputs, keys in blocks of 16 places.
constexpr long PANEL = 16;
// Inputs of a panel are filled up to a multiple of this, with zeros.
constexpr long DEPTH = 32;

enum Epilogue { NONE = 0, GELU = 1, ADD = 2 };

inline long divide_up(long a, long b) { return (a + b - 1) / b; }
inline long padded(long inputs) { return divide_up(inputs, DEPTH) * DEPTH; }

// One product y = x·Wᵀ + bias, and what is done to it on the way out.
struct Product {
    const float *x;  // [rows, inputs]
    long rows, inputs, outputs;
    const void *packed;    // [outputs / 16, inputs, 16], both filled up.
    const float *bias;     // [outputs] or null
    const float *residual; // [rows, outputs], for ADD
    float *y;              // [rows, outputs]
    Epilogue epilogue;
    int threads;
};

// The tokens of one sequence in a step.
struct Span {
    long row, tokens;   // Of the step's tensors.
    long start;         // Position of the first.
    const int64_t *table; // Its pages in a layer that sees everything: the first place of each.
    long ring;          // In a layer with a window: the first place of its ring.
};

// Attention of every span over its own sequence, in one layer.
struct Attention {
    const float *query_key_value; // [tokens, 3, heads, size]
    void *memory; // keys [heads, places / 16, size, 16], then values [heads, places, size]
    long heads, size, places;
    const Span *spans;
    long num_spans;
    long window;      // Keys that a token sees; 0: all before it.
    long ring_places; // Length of a ring: at least window + 15, a multiple of 16.
    long page_places; // Length of a page, a multiple of 16.
    float *attended;  // [tokens, heads, size]
    int threads;
};

// Makes the numbers of a row comparable: (x - mean) / deviation · weight + bias.
struct Norm {
    const float *weight, *bias;
    float epsilon;
};

// A matrix where it lies, as Product has it.
struct Matrix {
    const void *packed;
    const float *bias;
    long inputs, outputs;
    bool half;
};

// The parts of one transformer block.
struct Block {
    Norm attention_norm;
    Matrix query_key_value, attention_output;
    Norm mlp_norm;
    Matrix mlp_input, mlp_output;
};

// All blocks, for the tokens of a step.
struct Pass {
    const Block *blocks;
    Attention *layers; // Of each block: what it remembers, and for whom.
    long num_blocks;
    long tokens, size;
    bool half;       // Keys and values.
    float *hidden;   // [tokens, size], in and out.
    float *normed;   // [tokens, size]
    float *wide;     // [tokens, 3 · size or what the MLP has inside]
    float *attended; // [tokens, size]
    int threads;
};

// Of a group whose largest number is looked at first.
constexpr long STRIDES = 16;

struct Kernels {
    void (*multiply)(const Product &);      // Weights are float32.
    void (*multiply_half)(const Product &); // Weights are in half precision.
    void (*attend)(const Attention &);      // Keys and values are float32.
    void (*attend_half)(const Attention &); // Keys and values are in half precision.
    void (*run)(const Pass &);
    // The largest of each `STRIDES` numbers that lie 16 apart, in no order; returns how many there are.
    long (*maxima)(const float *numbers, long count, float *maxima);
    // Those not below `least` and their places, in order; returns how many.
    long (*not_below)(const float *numbers, long count, float least, float *values, int *places);
};

extern const Kernels avx2_kernels, avx512_kernels, amx_kernels;

} // namespace neoserve
