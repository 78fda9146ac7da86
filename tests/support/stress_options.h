// How long a stress test goes on, and what it draws, as the environment says:
//
//   EBCACHE_STRESS_SECONDS  of each test (2)
//   EBCACHE_STRESS_SEED     the first seed (1); thread t draws from the seed plus t
//
// Threads take turns as they please: a seed says what each of them does, not in which order.

#ifndef EBCACHE_TESTS_SUPPORT_STRESS_OPTIONS_H_
#define EBCACHE_TESTS_SUPPORT_STRESS_OPTIONS_H_

#include <cstdint>
#include <cstdlib>
#include <random>

namespace ebcache {

inline double StressSeconds() {
  const char* text = std::getenv("EBCACHE_STRESS_SECONDS");
  return text != nullptr ? std::atof(text) : 2.0;
}

inline std::mt19937_64 StressRandom(uint64_t thread) {
  const char* text = std::getenv("EBCACHE_STRESS_SEED");
  return std::mt19937_64((text != nullptr ? std::strtoull(text, nullptr, 10) : 1) + thread);
}

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_STRESS_OPTIONS_H_
