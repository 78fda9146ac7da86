// How a program reads: flags, and what they mean.

#ifndef EBCACHE_EXAMPLES_READING_CHOICE_H_
#define EBCACHE_EXAMPLES_READING_CHOICE_H_

#include <cstdint>
#include <memory>

#include "ebcache/block_device.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/readahead.h"
#include "examples/command_line.h"

namespace ebcache::examples {

struct ReadingChoice {
  uint64_t threads = 0;  // 0: one for each processor
  uint64_t queue_depth = 64;
  bool direct = false;

  void AddFlags(CommandLine& line);
  FileDeviceOptions device() const;
  // What reads ahead of the program's own thread; null when one thread is to do all.
  std::unique_ptr<Readahead> MakeReadahead(BufferCache& cache) const;
};

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_READING_CHOICE_H_
