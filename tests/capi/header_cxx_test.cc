// The header as C++ has it, and nothing in front of it: its functions are those of C.

#include "ebcache/ebcache.h"

int main() {
  ebcache_session_options options = {};
  options.size = sizeof options;
  ebcache_session* session = nullptr;
  return ebcache_session_open(nullptr, &options, &session) < 0 && session == nullptr ? 0 : 1;
}
