/* Checks for tests in C: the first that fails says where, and ends the program. */

#ifndef EBCACHE_TESTS_CAPI_CHECK_H_
#define EBCACHE_TESTS_CAPI_CHECK_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebcache/ebcache.h"

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, \
              ebcache_last_error());                                                  \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

#define CHECK_EQUAL(actual, expected)                                                              \
  do {                                                                                             \
    const long long actual_value = (long long)(actual);                                            \
    const long long expected_value = (long long)(expected);                                        \
    if (actual_value != expected_value) {                                                          \
      fprintf(stderr, "%s:%d: %s is %lld, not %s (last error: %s)\n", __FILE__, __LINE__, #actual, \
              actual_value, #expected, ebcache_last_error());                                      \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

/* The call fails with this number, and its words have this in them. */
#define CHECK_FAILS(call, number, words)                \
  do {                                                  \
    CHECK_EQUAL(call, -(number));                       \
    CHECK(strstr(ebcache_last_error(), words) != NULL); \
  } while (0)

#define RUN(test)                           \
  do {                                      \
    fprintf(stderr, "[ run ] %s\n", #test); \
    test();                                 \
  } while (0)

#endif
