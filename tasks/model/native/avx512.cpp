// For processors with AVX-512 (F, BW, DQ, VL).
#include "largest.h"
#include "pass.h"

using namespace neoserve;

const Kernels neoserve::avx512_kernels = {
    multiply<multiply_in_team<float>>,
    multiply<multiply_in_team<Half>>,
    attend<float>,
    attend<Half>,
    run<multiply_in_team<float>, multiply_in_team<Half>>,
    maxima,
    not_below,
};
