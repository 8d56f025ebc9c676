// What one pass over memory and the float32 multiply-add units reach at most: one line of JSON.
//     roofline THREADS BYTES SECONDS
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef float Vector __attribute__((vector_size(kVectorBytes)));
constexpr size_t kHugePage = 2 << 20;
constexpr int kLanes = kVectorBytes / sizeof(float);
// Enough independent sums to hide the latency of two multiply-add units, few enough for the registers.
constexpr int kSums = 12;

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Work per second of all threads together: each repeats `pass`, which returns what it did, until time is up.
static double rate(int threads, double seconds, const std::function<double(int)>& pass) {
  std::vector<std::thread> workers;
  std::vector<double> done(threads);
  std::atomic<int> ready{0};
  for (int thread = 0; thread < threads; thread++)
    workers.emplace_back([&, thread] {
      pass(thread);
      for (ready++; ready < threads;) {
      }
      double started = now(), work = 0;
      do work += pass(thread);
      while (now() - started < seconds);
      done[thread] = work / (now() - started);
    });
  double sum = 0;
  for (int thread = 0; thread < threads; thread++) {
    workers[thread].join();
    sum += done[thread];
  }
  return sum;
}

static float sum_of(const Vector* sums) {
  float sum = 0;
  for (int each = 0; each < kSums; each++)
    for (int lane = 0; lane < kLanes; lane++) sum += sums[each][lane];
  return sum;
}

int main(int, char** arguments) {
  const int threads = std::atoi(arguments[1]);
  const size_t bytes = std::strtoull(arguments[2], nullptr, 10);
  const double seconds = std::atof(arguments[3]);
  std::vector<float> results(threads);

  const size_t vectors = bytes / kVectorBytes / threads / kSums * kSums;
  std::vector<Vector*> parts;
  for (int thread = 0; thread < threads; thread++) {
    const size_t whole = (vectors * kVectorBytes + kHugePage - 1) / kHugePage * kHugePage;
    parts.push_back(static_cast<Vector*>(std::aligned_alloc(kHugePage, whole)));
#ifdef MADV_HUGEPAGE
    madvise(parts[thread], whole, MADV_HUGEPAGE);  // A bound should not depend on the page table.
#endif
    for (size_t place = 0; place < vectors; place++) parts[thread][place] = Vector{} + 1.0f;
  }
  const double read = rate(threads, seconds, [&](int thread) {
    Vector sums[kSums] = {};
    for (size_t place = 0; place < vectors; place += kSums)
#pragma GCC unroll 12
      for (int each = 0; each < kSums; each++) sums[each] += parts[thread][place + each];
    results[thread] = sum_of(sums);
    return double(vectors) * kVectorBytes;
  });

  const double multiplied = rate(threads, seconds, [&](int thread) {
    constexpr int kRepeats = 1 << 20;
    Vector sums[kSums], factor = Vector{} + (0.5f + 0.01f * thread), term = Vector{} + 1.0f;
    for (int each = 0; each < kSums; each++) sums[each] = Vector{} + float(each);
    for (int repeat = 0; repeat < kRepeats; repeat++)
#pragma GCC unroll 12
      for (int each = 0; each < kSums; each++) sums[each] = sums[each] * factor + term;
    results[thread] = sum_of(sums);
    return 2.0 * kRepeats * kSums * kLanes;
  });

  // Whoever prints the sums needs them: none of the work can be left out.
  for (float each : results) std::fprintf(stderr, "%g\n", double(each));
  std::printf("{\"read\": %.6g, \"multiply_add\": %.6g}\n", read, multiplied);
}
