// Which mutants' switches were asked (switch.h): one byte each, for listener.cc.

#ifndef EBCACHE_TESTS_MUTATION_REACHED_H_
#define EBCACHE_TESTS_MUTATION_REACHED_H_

#include <span>

// Empty when nothing is recorded.
std::span<unsigned char> ReachedMutants();

#endif  // EBCACHE_TESTS_MUTATION_REACHED_H_
