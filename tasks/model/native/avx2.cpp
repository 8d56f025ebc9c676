// For processors with AVX2, FMA and F16C: those of 2013 and later.
#include "largest.h"
#include "pass.h"

using namespace neoserve;

const Kernels neoserve::avx2_kernels = {
    multiply<multiply_in_team<float>>,
    multiply<multiply_in_team<Half>>,
    attend<float>,
    attend<Half>,
    run<multiply_in_team<float>, multiply_in_team<Half>>,
    maxima,
    not_below,
};
