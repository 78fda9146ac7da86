#include "bench/cache/memory_per_block.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace ebcache::bench {
namespace {

// From /proc/self/status, in bytes; 0 when it does not say.
uint64_t AnonymousBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long kilobytes = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %lu kB", &kilobytes) == 1) {
      return uint64_t{kilobytes} << 10;
    }
  }
  return 0;
}

double FillAndMeasure(const ContenderKind& kind, uint64_t blocks, uint32_t node_bytes) {
  const uint64_t before = AnonymousBytes();
  const auto contender =
      kind.make({.node_bytes = node_bytes, .capacity_blocks = blocks, .touch_payload = true});
  contender->Fill(blocks);
  const uint64_t after = AnonymousBytes();
  return static_cast<double>(after - before) / static_cast<double>(blocks) - node_bytes;
}

}  // namespace

std::optional<double> ResidentBytesPerBlock(const ContenderKind& kind, uint64_t blocks,
                                            uint32_t node_bytes) {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const pid_t child = fork();
  if (child == 0) {
    const double bytes = FillAndMeasure(kind, blocks, node_bytes);
    const bool told = write(ends[1], &bytes, sizeof(bytes)) == sizeof(bytes);
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  double bytes = 0;
  const bool told = child > 0 && read(ends[0], &bytes, sizeof(bytes)) == sizeof(bytes);
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return told ? std::optional(bytes) : std::nullopt;
}

}  // namespace ebcache::bench
