/* The header as C99 has it, and nothing in front of it. */

#include "ebcache/ebcache.h"

int main(void) {
  const struct ebcache_session_options options = {.size = sizeof options};
  return options.size == sizeof options && ebcache_abi_version() == EBCACHE_ABI_VERSION ? 0 : 1;
}
