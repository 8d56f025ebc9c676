// The processor's widest registers under one name. Included by the builds only; everything is local to them.
#pragma once

#include <immintrin.h>

#include "kernels.h"

namespace neoserve {
namespace {

#if defined(__AVX512F__)

using Vector = __m512;
using Integers = __m512i;
constexpr int WIDTH = 16;

inline Vector zero() { return _mm512_setzero_ps(); }
inline Vector fill(float x) { return _mm512_set1_ps(x); }
inline Vector load(const float *p) { return _mm512_loadu_ps(p); }
inline Vector load(const Half *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
}
inline void store(float *p, Vector x) { _mm512_storeu_ps(p, x); }
inline void store(Half *p, Vector x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
// The second where one of them is not a number.
inline Vector smaller(Vector a, Vector b) { return _mm512_min_ps(a, b); }
inline Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }
inline bool reaches(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
inline Vector nearest(Vector x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT); }
inline Integers whole(Vector x) { return _mm512_cvtps_epi32(x); }
// 2ⁿ for n between -126 and 127.
inline Vector power_of_two(Integers n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}

#else

using Vector = __m256;
using Integers = __m256i;
constexpr int WIDTH = 8;

inline Vector zero() { return _mm256_setzero_ps(); }
inline Vector fill(float x) { return _mm256_set1_ps(x); }
inline Vector load(const float *p) { return _mm256_loadu_ps(p); }
inline Vector load(const Half *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
}
inline void store(float *p, Vector x) { _mm256_storeu_ps(p, x); }
inline void store(Half *p, Vector x) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }
inline Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
inline bool reaches(Vector a, Vector b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }
inline Vector nearest(Vector x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Integers whole(Vector x) { return _mm256_cvtps_epi32(x); }
inline Vector power_of_two(Integers n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

#endif

// Bytes between what is read and what the cache is asked for: weights come from memory in every step.
constexpr long AHEAD = 2048;

// Vectors to a panel.
constexpr int LANES = PANEL / WIDTH;

// Within 2 units in the last place between -87 and 88, and held there beyond; NaN stays NaN.
// The polynomial is Cephes' expf (S. Moshier, netlib.org/cephes).
inline Vector exponential(Vector x) {
    x = larger(fill(-87.0f), smaller(fill(88.0f), x));
    const Vector n = nearest(x * fill(1.44269504f));
    Vector r = multiply_add(n, fill(-0.693359375f), x);
    r = multiply_add(n, fill(2.12194440e-4f), r);
    Vector p = fill(1.9875691500e-4f);
    p = multiply_add(p, r, fill(1.3981999507e-3f));
    p = multiply_add(p, r, fill(8.3334519073e-3f));
    p = multiply_add(p, r, fill(4.1665795894e-2f));
    p = multiply_add(p, r, fill(1.6666665459e-1f));
    p = multiply_add(p, r, fill(5.0000001201e-1f));
    p = multiply_add(p, r * r, r + fill(1.0f));
    return p * power_of_two(whole(n));
}

// GELU by tanh, as GPT-2 has it (Hendrycks and Gimpel, 2016): x/2·(1 + tanh u) = x / (1 + e⁻²ᵘ).
inline Vector gelu(Vector x) {
    const Vector u = x * multiply_add(x * x, fill(0.7978845608f * 0.044715f), fill(0.7978845608f));
    return x / (fill(1.0f) + exponential(fill(-2.0f) * u));
}

// sums[r][v] += x[k, r] · w[k, v] for every k in turn: the same order, and so the same rounding, whatever the
// number of rows. x has stride x_k and x_row; w holds a panel, or several of them panel_stride apart.
template <int ROWS, int VECTORS, class T>
inline void accumulate(Vector (&sums)[ROWS][VECTORS], const float *x, long x_k, long x_row, const T *w,
                       long w_k, long panel_stride, long num_k) {
    for (long k = 0; k < num_k; k++, x += x_k, w += w_k) {
        Vector weights[VECTORS];
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; v += LANES)
            _mm_prefetch(reinterpret_cast<const char *>(w + v / LANES * panel_stride) + AHEAD, _MM_HINT_T0);
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; v++)
            weights[v] = load(w + (v / LANES) * panel_stride + (v % LANES) * WIDTH);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            const Vector factor = fill(x[r * x_row]);
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] = multiply_add(factor, weights[v], sums[r][v]);
        }
    }
}

} // namespace
} // namespace neoserve
