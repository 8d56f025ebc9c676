// For processors with AVX2, FMA and F16C: those of 2013 and later.
#include "attention.h"

const neoserve::Kernels neoserve::avx2_kernels = {
    multiply<float>,
    multiply<Half>,
    attend<float>,
    attend<Half>,
};
