// The switch that mutants stand behind; put before every source of a mutated build (build.py).
//
//   EBCACHE_MUTANT=N           mutant N is active; without it none is
//   EBCACHE_MUTANTS_REACHED=F  F is a file of one byte a mutant, set to 1 when the switch is asked

#ifndef EBCACHE_TESTS_MUTATION_SWITCH_H_
#define EBCACHE_TESTS_MUTATION_SWITCH_H_

#ifdef __cplusplus

bool EbcacheMutantIsActive(unsigned number) noexcept;

// What the compiler evaluates is the original.
constexpr bool EBCACHE_MUTANT(unsigned number) noexcept {
  if (__builtin_is_constant_evaluated()) return false;
  return EbcacheMutantIsActive(number);
}

#endif  // __cplusplus

#endif  // EBCACHE_TESTS_MUTATION_SWITCH_H_
