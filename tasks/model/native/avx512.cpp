// For processors with AVX-512 (F, BW, DQ, VL).
#include "attention.h"

const neoserve::Kernels neoserve::avx512_kernels = {
    multiply<float>,
    multiply<Half>,
    attend<float>,
    attend<Half>,
};
