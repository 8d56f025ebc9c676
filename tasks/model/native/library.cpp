// The C interface that Python loads, and the choice of the processor's best kernels.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels.h"

namespace {

using namespace neoserve;

enum Level { AVX2 = 1, AVX512 = 2, AMX = 3 };

const Kernels &kernels(int level) {
    return level == AMX ? amx_kernels : level == AVX512 ? avx512_kernels : avx2_kernels;
}

// Linux gives a process the state of the tile registers on request only (arch_prctl(2)).
bool may_use_tiles() {
    constexpr long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

bool has_bfloat_tiles() {
    unsigned a = 7, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    constexpr unsigned bfloat = 1u << 22, tiles = 1u << 24;
    return (d & bfloat) && (d & tiles);
}

bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// The `wanted` largest of `count` numbers in descending order, equal ones by their places.
void find_largest(const Kernels &kernels, const float *numbers, long count, long wanted, float *values, int64_t *places) {
    std::vector<float> found(count);
    std::vector<int> at(count), order;
    // As many groups have a number that is not below the last of these largest ones of a group.
    long candidates = kernels.maxima(numbers, count, found.data());
    std::nth_element(found.begin(), found.begin() + wanted - 1, found.begin() + candidates, std::greater<float>());
    candidates = kernels.not_below(numbers, count, found[wanted - 1], found.data(), at.data());
    order.resize(candidates);
    std::iota(order.begin(), order.end(), 0);
    const auto before = [&](int a, int b) { return found[a] > found[b] || (found[a] == found[b] && a < b); };
    std::nth_element(order.begin(), order.begin() + wanted - 1, order.end(), before);
    std::sort(order.begin(), order.begin() + wanted, before);
    for (long i = 0; i < wanted; i++) {
        values[i] = found[order[i]];
        places[i] = at[order[i]];
    }
}

} // namespace

extern "C" {

// What the library was built from.
const char *neoserve_sources() { return SOURCES; }

// The best level of this processor; 0: none.
int neoserve_level() {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c"))
        return 0;
    if (!has_avx512()) return AVX2;
    const bool tiles = __builtin_cpu_supports("avx512bf16") && has_bfloat_tiles() && may_use_tiles();
    return tiles ? AMX : AVX512;
}

// Ask for large pages before memory is written: the processor finds its way in them faster.
void neoserve_use_large_pages(void *memory, long bytes) {
    constexpr uintptr_t page = 1 << 21;
    const uintptr_t first = divide_up(reinterpret_cast<uintptr_t>(memory), page) * page;
    const uintptr_t end = reinterpret_cast<uintptr_t>(memory) + bytes;
    if (first < end) madvise(reinterpret_cast<void *>(first), end - first, MADV_HUGEPAGE);
}

void neoserve_multiply(int level, const Product *product, bool half) {
    (half ? kernels(level).multiply_half : kernels(level).multiply)(*product);
}

void neoserve_attend(int level, const Attention *attention, bool half) {
    (half ? kernels(level).attend_half : kernels(level).attend)(*attention);
}

void neoserve_run(int level, const Pass *pass) { kernels(level).run(*pass); }

// Of each row. wanted: at most a sixteenth of count; values and places: [rows, wanted].
void neoserve_largest(int level, const float *numbers, long rows, long count, long wanted, float *values,
                      int64_t *places, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (long row = 0; row < rows; row++)
        find_largest(kernels(level), numbers + row * count, count, wanted, values + row * wanted, places + row * wanted);
}
}
