#include "examples/reading_choice.h"

#include <algorithm>

namespace ebcache::examples {

void ReadingChoice::AddFlags(CommandLine& line) {
  line.AddFlag("threads", "threads that read and verify (default 0: one for each processor)", 64,
               &threads);
  line.AddFlag("queue-depth", "reads under way at once for each thread (default 64; 1: none ahead)",
               4096, &queue_depth);
  line.AddFlag("direct", "read past the page cache (O_DIRECT)", &direct);
}

FileDeviceOptions ReadingChoice::device() const {
  return {.direct = direct,
          .queue_depth = static_cast<uint32_t>(std::max<uint64_t>(1, queue_depth))};
}

std::unique_ptr<Readahead> ReadingChoice::MakeReadahead(BufferCache& cache) const {
  if (threads == 1) return nullptr;
  ReadaheadOptions options{.threads = static_cast<uint32_t>(threads == 0 ? 0 : threads - 1)};
  // Out of the page cache, small batches stay in the processor's cache until they are verified. A
  // disk wants all that it can take.
  if (direct) options.batch = device().queue_depth;
  return std::make_unique<Readahead>(&cache, options);
}

}  // namespace ebcache::examples
