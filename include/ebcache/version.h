/* The version of ebcache, for the preprocessor. Plain C, and C++. */

#ifndef EBCACHE_VERSION_H_
#define EBCACHE_VERSION_H_

/* Before 1.0.0 any minor version may change the API. */
#define EBCACHE_VERSION_MAJOR 0
/* Rises with what is new. */
#define EBCACHE_VERSION_MINOR 1
/* Rises with what is repaired. */
#define EBCACHE_VERSION_PATCH 0

/* Its argument, macros replaced, as a string. For EBCACHE_VERSION_STRING. */
#define EBCACHE_STRING_OF(text) EBCACHE_STRING_OF_PLAIN(text)
/* Its argument as it stands. */
#define EBCACHE_STRING_OF_PLAIN(text) #text

/* "0.1.0" */
#define EBCACHE_VERSION_STRING             \
  EBCACHE_STRING_OF(EBCACHE_VERSION_MAJOR) \
  "." EBCACHE_STRING_OF(EBCACHE_VERSION_MINOR) "." EBCACHE_STRING_OF(EBCACHE_VERSION_PATCH)

#endif /* EBCACHE_VERSION_H_ */
