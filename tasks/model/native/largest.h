// Looking for the largest of many numbers.
#pragma once

#include "vector.h"

namespace neoserve {
namespace {

long maxima(const float *numbers, long count, float *out) {
    float *to = out;
    long i = 0;
    for (; i + STRIDES * WIDTH <= count; i += STRIDES * WIDTH, to += WIDTH) {
        Vector top = load(numbers + i);
        for (long stride = 1; stride < STRIDES; stride++) top = larger(top, load(numbers + i + stride * WIDTH));
        store(to, top);
    }
    for (; i < count; i++) *to++ = numbers[i];
    return to - out;
}

// Most blocks hold none: they are passed over at the speed of reading.
long not_below(const float *numbers, long count, float least, float *values, int *places) {
    long found = 0, i = 0;
    auto take = [&](long end) {
        for (; i < end; i++)
            if (numbers[i] >= least) {
                values[found] = numbers[i];
                places[found++] = static_cast<int>(i);
            }
    };
    const Vector limit = fill(least);
    while (i + PANEL <= count) {
        bool any = false;
        for (int lane = 0; lane < LANES; lane++) any |= reaches(load(numbers + i + lane * WIDTH), limit);
        if (any)
            take(i + PANEL);
        else
            i += PANEL;
    }
    take(count);
    return found;
}

} // namespace
} // namespace neoserve
