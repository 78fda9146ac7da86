/* The version of ebcache, for the preprocessor. Plain C, and C++. */

#ifndef EBCACHE_VERSION_H_
#define EBCACHE_VERSION_H_

/* Before 1.0.0 any minor version may change the API. */
#define EBCACHE_VERSION_MAJOR 0
#define EBCACHE_VERSION_MINOR 1
#define EBCACHE_VERSION_PATCH 0

#define EBCACHE_STRINGIFY_(text) #text
#define EBCACHE_JOIN_VERSION_(major, minor, patch) \
  EBCACHE_STRINGIFY_(major) "." EBCACHE_STRINGIFY_(minor) "." EBCACHE_STRINGIFY_(patch)

/* "0.1.0" */
#define EBCACHE_VERSION_STRING \
  EBCACHE_JOIN_VERSION_(EBCACHE_VERSION_MAJOR, EBCACHE_VERSION_MINOR, EBCACHE_VERSION_PATCH)

#endif /* EBCACHE_VERSION_H_ */
