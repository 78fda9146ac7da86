// Checksums of a node's body, against the libraries that compute them called directly.

#include <absl/strings/str_cat.h>
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <gcrypt.h>
#include <isa-l/crc.h>
#include <xxhash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bench/scorecard/card.h"
#include "bench/scorecard/clock.h"
#include "lib/format/checksum.h"

namespace ebcache::scorecard {
namespace {

constexpr size_t kNode = 16384;
constexpr size_t kBody = kNode - kChecksumAreaBytes;
constexpr size_t kNodes = 16;  // hot: they stay in the processor's caches

// Where a piece of code that does nothing but jump through a pointer leads: "endbr64; jmp
// *pointer", as ISA-L's dispatchers and the linker's stubs are. Anything else is where it is.
const unsigned char* FollowJump(const unsigned char* code) {
  constexpr std::array<unsigned char, 4> kEndbr64 = {0xf3, 0x0f, 0x1e, 0xfa};
  constexpr std::array<unsigned char, 2> kJump = {0xff, 0x25};
  const unsigned char* at = code;
  if (std::memcmp(at, kEndbr64.data(), kEndbr64.size()) == 0) at += kEndbr64.size();
  if (*at == 0xf2) ++at;  // a prefix of jumps, without effect
  if (std::memcmp(at, kJump.data(), kJump.size()) != 0) return code;
  int32_t distance;
  at += kJump.size();
  std::memcpy(&distance, at, sizeof(distance));
  std::memcpy(&code, at + sizeof(distance) + distance, sizeof(code));
  return code;
}

// Which of ISA-L's implementations crc32_iscsi leads to on this machine, by name. The pointers have
// been set by a first call, and reading them is the only way to ask.
std::string DispatchedCrc32c() {
  std::array<unsigned char, 8> some{};
  crc32_iscsi(some.data(), static_cast<int>(some.size()), 0);
  const auto* code = static_cast<const unsigned char*>(dlsym(RTLD_DEFAULT, "crc32_iscsi"));
  if (code == nullptr) return "unknown: ISA-L is not a shared library";
  // The dispatcher, and a stub of the linker's behind it.
  const unsigned char* target = FollowJump(FollowJump(code));
  Dl_info info;
  if (dladdr(target, &info) == 0 || info.dli_sname == nullptr) return "unknown: has no name";
  return info.dli_sname;
}

struct Algorithm {
  ChecksumType type;
  const char* name;
  const char* library;
  void (*direct)(const std::byte* body, std::byte* checksum);
};

template <int kAlgorithm>
void Gcrypt(const std::byte* body, std::byte* checksum) {
  gcry_md_hash_buffer(kAlgorithm, checksum, body, kBody);
}

const Algorithm kAlgorithms[] = {
    {ChecksumType::kCrc32c, "crc32c", "ISA-L",
     [](const std::byte* body, std::byte* checksum) {
       auto* bytes = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(body));
       const uint32_t crc = ~crc32_iscsi(bytes, static_cast<int>(kBody), ~uint32_t{0});
       std::memcpy(checksum, &crc, sizeof(crc));
     }},
    {ChecksumType::kXxhash64, "xxhash64", "libxxhash",
     [](const std::byte* body, std::byte* checksum) {
       const uint64_t hash = XXH64(body, kBody, 0);
       std::memcpy(checksum, &hash, sizeof(hash));
     }},
    {ChecksumType::kSha256, "sha256", "libgcrypt", Gcrypt<GCRY_MD_SHA256>},
    {ChecksumType::kBlake2b, "blake2b", "libgcrypt", Gcrypt<GCRY_MD_BLAKE2B_256>},
};

void MeasureAlgorithm(Card& card, const Algorithm& algorithm, const std::vector<std::byte>& nodes) {
  const double seconds = card.settings().turn_seconds();
  const auto ours = [&]() -> absl::StatusOr<double> {
    return NanosecondsEach(seconds, kNodes, [&] {
      for (size_t i = 0; i < kNodes; ++i) {
        const absl::Span<const std::byte> piece(nodes.data() + i * kNode, kNode);
        auto checksum = ComputeBlockChecksum(algorithm.type, absl::MakeConstSpan(&piece, 1));
        benchmark::DoNotOptimize(checksum);
      }
    });
  };
  const auto theirs = [&]() -> absl::StatusOr<double> {
    return NanosecondsEach(seconds, kNodes, [&] {
      for (size_t i = 0; i < kNodes; ++i) {
        std::array<std::byte, kMaxChecksumBytes> checksum;
        algorithm.direct(nodes.data() + i * kNode + kChecksumAreaBytes, checksum.data());
        benchmark::DoNotOptimize(checksum);
      }
    });
  };
  std::string work = absl::StrCat(kBody, " bytes, hot");
  if (algorithm.type == ChecksumType::kCrc32c) {
    absl::StrAppend(&work, "; dispatched to ", DispatchedCrc32c());
  }
  card.Measure({.row = absl::StrCat("checksum of a node body, ", algorithm.name),
                .theirs = absl::StrCat(algorithm.library, " called directly"),
                .unit = "ns",
                .work = work,
                .goal = RatioAtMost(1.02),
                .ratio = Comparison::Ratio::kOursToTheirs},
               ours, theirs);
}

// The base implementation is a table look-up a byte, twenty times slower: nobody would notice that
// both sides are.
void CheckDispatch(Card& card) {
  const std::string name = DispatchedCrc32c();
  card.Measure(
      {.row = "crc32c runs on the processor's own instructions",
       .theirs = "1: yes",
       .unit = "",
       .work = absl::StrCat("which implementation ISA-L dispatched: ", name),
       .goal = OursAtLeast(1),
       .ratio = Comparison::Ratio::kOursToTheirs},
      [&]() -> absl::StatusOr<double> {
        const bool known = name.rfind("crc32_iscsi_", 0) == 0;
        return known && name.find("base") == name.npos ? 1.0 : 0.0;
      },
      []() -> absl::StatusOr<double> { return 1.0; });
}

}  // namespace

void MeasureChecksums(Card& card) {
  std::vector<std::byte> nodes(kNodes * kNode);
  std::mt19937_64 random(1);
  for (std::byte& byte : nodes) byte = static_cast<std::byte>(random());
  CheckDispatch(card);
  for (const Algorithm& algorithm : kAlgorithms) MeasureAlgorithm(card, algorithm, nodes);
}

}  // namespace ebcache::scorecard
