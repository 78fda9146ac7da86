#include "bench/eviction/access_trace.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string_view>

#include "bench/eviction/trace_builder.h"

namespace ebcache::eviction {

namespace {

struct RecordedAccess {
  Access::Kind kind = Access::Kind::kTouch;
  uint64_t address = 0;
};

// "f1b4d". Nothing when it is nothing of that kind.
std::optional<RecordedAccess> ParseLine(std::string_view line) {
  if (line.size() < 2) return std::nullopt;
  RecordedAccess access;
  switch (line[0]) {
    case 'f':
    case 'a':
      access.kind = Access::Kind::kTouch;
      break;
    case 's':
      access.kind = Access::Kind::kFree;
      break;
    default:
      return std::nullopt;
  }
  const char* end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data() + 1, end, access.address, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return access;
}

}  // namespace

absl::StatusOr<AccessTrace> ReadRecording(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  const size_t name_at = path.find_last_of('/') + 1;
  TraceBuilder builder(path.substr(name_at));
  char buffer[64];
  for (uint64_t number = 1; gzgets(file.get(), buffer, sizeof buffer) != nullptr; ++number) {
    std::string_view line(buffer);
    if (line.ends_with('\n')) line.remove_suffix(1);
    const std::optional<RecordedAccess> access = ParseLine(line);
    if (!access) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": line ", number, " is no access"));
    }
    builder.Add(access->kind, access->address);
  }
  int error = Z_OK;
  const char* message = gzerror(file.get(), &error);
  if (error != Z_OK) return absl::DataLossError(absl::StrCat(path, ": ", message));
  return builder.Take();
}

absl::StatusOr<AccessTrace> ReadKernelRecording() {
  const char* shared = std::getenv("EBCACHE_SHARED");
  if (shared == nullptr) return absl::NotFoundError("EBCACHE_SHARED is not set");
  auto trace = ReadRecording(absl::StrCat(shared, "/traces/metadata-access.gz"));
  if (trace.ok()) trace->name = "kernel recording";
  return trace;
}

absl::StatusOr<std::vector<AccessTrace>> ReadToolRecordings() {
  const char* shared = std::getenv("EBCACHE_SHARED");
  if (shared == nullptr) return absl::NotFoundError("EBCACHE_SHARED is not set");
  std::vector<AccessTrace> traces;
  for (const std::string tool : {"check", "check-lowmem", "repair"}) {
    auto trace = ReadRecording(absl::StrCat(shared, "/traces/tool-", tool, ".gz"));
    if (!trace.ok()) return trace.status();
    trace->name = tool;
    traces.push_back(*std::move(trace));
  }
  return traces;
}

AccessTrace WalkWithLookups(uint64_t seed) {
  constexpr uint64_t kLeaves = 20'000;
  constexpr uint64_t kFanOut = 128;
  constexpr int kLevels = 4;
  constexpr int kWalks = 2;
  constexpr int kLookupsPerLeaf = 4;
  constexpr double kSkew = 0.9;

  std::mt19937_64 random(seed);
  std::vector<uint64_t> by_popularity(kLeaves);
  std::iota(by_popularity.begin(), by_popularity.end(), 0);
  std::shuffle(by_popularity.begin(), by_popularity.end(), random);
  std::vector<double> share_up_to(kLeaves);
  double total = 0;
  for (uint64_t rank = 0; rank < kLeaves; ++rank) {
    total += 1 / std::pow(static_cast<double>(rank + 1), kSkew);
    share_up_to[rank] = total;
  }

  TraceBuilder builder("walk with look-ups");
  const auto descend = [&](uint64_t leaf) {
    for (int level = kLevels - 1; level >= 0; --level) {
      uint64_t slot = leaf;
      for (int i = 0; i < level; ++i) slot /= kFanOut;
      builder.Add(Access::Kind::kTouch, static_cast<uint64_t>(level) << 32 | slot);
    }
  };
  // By hand, because the distributions of <random> differ from library to library.
  const auto look_up = [&] {
    const double at = static_cast<double>(random() >> 11) * 0x1p-53 * total;
    const auto rank = std::lower_bound(share_up_to.begin(), share_up_to.end(), at);
    descend(by_popularity[std::min<size_t>(rank - share_up_to.begin(), kLeaves - 1)]);
  };
  for (uint64_t step = 0; step < kWalks * kLeaves; ++step) {
    descend(step % kLeaves);
    for (int i = 0; i < kLookupsPerLeaf; ++i) look_up();
  }
  return builder.Take();
}

}  // namespace ebcache::eviction
