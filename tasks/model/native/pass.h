// All blocks of the model in one go, by one team of threads: between them lie no calls from Python, which take
// as long as the sums of a few rows.
#pragma once

#include "attention.h"

namespace neoserve {
namespace {

inline float sum_of(Vector (&sums)[LANES]) {
    float lanes[PANEL];
    for (int lane = 0; lane < LANES; lane++) store(lanes + lane * WIDTH, sums[lane]);
    for (int width = PANEL / 2; width; width /= 2)
        for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
    return lanes[0];
}

// One row; its size is a multiple of 16.
inline void normalize(const Norm &norm, const float *x, long size, float *out) {
    Vector sums[LANES] = {}, squares[LANES] = {};
    for (long i = 0; i < size; i += PANEL)
        for (int lane = 0; lane < LANES; lane++) sums[lane] += load(x + i + lane * WIDTH);
    const Vector mean = fill(sum_of(sums) / size);
    for (long i = 0; i < size; i += PANEL)
        for (int lane = 0; lane < LANES; lane++) {
            const Vector difference = load(x + i + lane * WIDTH) - mean;
            squares[lane] = multiply_add(difference, difference, squares[lane]);
        }
    const Vector scale = fill(1.0f / __builtin_sqrtf(sum_of(squares) / size + norm.epsilon));
    for (long i = 0; i < size; i += WIDTH)
        store(out + i, multiply_add((load(x + i) - mean) * scale, load(norm.weight + i), load(norm.bias + i)));
}

inline void normalize_in_team(const Norm &norm, const Pass &pass) {
#pragma omp for schedule(static)
    for (long row = 0; row < pass.tokens; row++)
        normalize(norm, pass.hidden + row * pass.size, pass.size, pass.normed + row * pass.size);
}

template <Multiply by_float, Multiply by_half>
void multiply_in_pass(const Pass &pass, const Matrix &matrix, const float *x, float *y, Epilogue epilogue, void *room) {
    const float *residual = epilogue == ADD ? y : nullptr;
    const Product product{x,           pass.tokens, matrix.inputs, matrix.outputs, matrix.packed,
                          matrix.bias, residual,    y,             epilogue,       pass.threads};
    matrix.half ? by_half(product, room) : by_float(product, room);
}

template <Multiply by_float, Multiply by_half> void run(const Pass &pass) {
    static thread_local Scratch scratch;
    size_t size = 0;
    for (long i = 0; i < pass.num_blocks; i++) {
        const Block &block = pass.blocks[i];
        // The other matrices read rows of the model's size.
        const long widest = block.mlp_output.inputs > pass.size ? block.mlp_output.inputs : pass.size;
        if (room_for(pass.tokens, widest) > size) size = room_for(pass.tokens, widest);
    }
    void *room = scratch.take(size);
#pragma omp parallel num_threads(pass.threads)
    for (long i = 0; i < pass.num_blocks; i++) {
        const Block &block = pass.blocks[i];
        Attention layer = pass.layers[i];
        layer.query_key_value = pass.wide;
        layer.attended = pass.attended;
        const auto multiply = multiply_in_pass<by_float, by_half>;
        normalize_in_team(block.attention_norm, pass);
        multiply(pass, block.query_key_value, pass.normed, pass.wide, NONE, room);
        pass.half ? attend_in_team<Half>(layer) : attend_in_team<float>(layer);
        multiply(pass, block.attention_output, pass.attended, pass.hidden, ADD, room);
        normalize_in_team(block.mlp_norm, pass);
        multiply(pass, block.mlp_input, pass.normed, pass.wide, GELU, room);
        multiply(pass, block.mlp_output, pass.wide, pass.hidden, ADD, room);
    }
}

} // namespace
} // namespace neoserve
