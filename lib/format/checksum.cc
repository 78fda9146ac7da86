#include "lib/format/checksum.h"

#include <absl/container/inlined_vector.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <gcrypt.h>
#include <isa-l/crc.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Gives the streaming state a size, so that it can live on the stack.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/base/bytes.h"
#include "lib/base/messages.h"

namespace ebcache {
namespace {

using Pieces = absl::Span<const absl::Span<const std::byte>>;

#if defined(__x86_64__)
__attribute__((target("avx"))) void ZeroUpperHalves() { _mm256_zeroupper(); }
#endif

// ISA-L's, in our types. It does not invert, neither before nor after.
uint32_t Crc32cUpdate(const std::byte* bytes, int length, uint32_t crc) {
  // The library only reads; its interface has no const.
  crc = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes)), length, crc);
#if defined(__x86_64__)
  // It leaves the upper halves of the vector registers in use, and as long as they are, each SSE
  // instruction waits for what was in its register before: the block after this one is checked half
  // as slowly again.
  static const bool has_avx = __builtin_cpu_supports("avx") != 0;
  if (has_avx) ZeroUpperHalves();
#endif
  return crc;
}

// Those below write into a checksum of zeroes, where it stays: to copy 32 bytes of which four were
// just stored makes the processor wait for all that is under way, which is felt beside a crc.

void Crc32c(Pieces pieces, Checksum& checksum) {
  uint32_t crc = ~uint32_t{0};
  // It takes an int for the length.
  constexpr size_t kMaxRun = size_t{1} << 30;
  for (absl::Span<const std::byte> piece : pieces) {
    while (!piece.empty()) {
      size_t run = std::min(piece.size(), kMaxRun);
      crc = Crc32cUpdate(piece.data(), static_cast<int>(run), crc);
      piece.remove_prefix(run);
    }
  }
  StoreLe32(absl::MakeSpan(checksum), 0, ~crc);
}

void Xxhash64(Pieces pieces, Checksum& checksum) {
  uint64_t hash;
  if (pieces.size() == 1) {
    hash = XXH64(pieces[0].data(), pieces[0].size(), 0);
  } else {
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    for (absl::Span<const std::byte> piece : pieces) {
      XXH64_update(&state, piece.data(), piece.size());
    }
    hash = XXH64_digest(&state);
  }
  StoreLe64(absl::MakeSpan(checksum), 0, hash);
}

// libgcrypt must be initialised once per process; the program may have done so already, in its own
// way.
void InitialiseGcrypt() {
  static const bool initialised = [] {
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) == 0) {
      gcry_check_version(nullptr);
      gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
      gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    return true;
  }();
  (void)initialised;
}

absl::Status Gcrypt(int algorithm, Pieces pieces, Checksum& checksum) {
  InitialiseGcrypt();
  absl::InlinedVector<gcry_buffer_t, 16> buffers;
  for (absl::Span<const std::byte> piece : pieces) {
    gcry_buffer_t buffer{};
    buffer.len = piece.size();
    buffer.data = const_cast<std::byte*>(piece.data());  // only read
    buffers.push_back(buffer);
  }
  gcry_error_t error = gcry_md_hash_buffers(algorithm, 0, checksum.data(), buffers.data(),
                                            static_cast<int>(buffers.size()));
  if (error != 0) {
    return absl::InternalError(
        absl::StrCat("libgcrypt: ", gcry_md_algo_name(algorithm), ": ", gcry_strerror(error)));
  }
  return absl::OkStatus();
}

absl::Status Compute(ChecksumType type, Pieces pieces, Checksum& checksum) {
  switch (type) {
    case ChecksumType::kCrc32c:
      Crc32c(pieces, checksum);
      return absl::OkStatus();
    case ChecksumType::kXxhash64:
      Xxhash64(pieces, checksum);
      return absl::OkStatus();
    case ChecksumType::kSha256:
      return Gcrypt(GCRY_MD_SHA256, pieces, checksum);
    case ChecksumType::kBlake2b:
      return Gcrypt(GCRY_MD_BLAKE2B_256, pieces, checksum);
  }
  return absl::InternalError(absl::StrCat("no checksum of type ", static_cast<int>(type)));
}

std::string HexString(const Checksum& checksum, size_t bytes) {
  absl::string_view view(reinterpret_cast<const char*>(checksum.data()), bytes);
  return absl::StrCat("0x", absl::BytesToHexString(view));
}

}  // namespace

std::optional<ChecksumType> ChecksumTypeFromDisk(uint16_t on_disk) {
  if (on_disk > static_cast<uint16_t>(ChecksumType::kBlake2b)) return std::nullopt;
  return static_cast<ChecksumType>(on_disk);
}

std::string_view ChecksumName(ChecksumType type) {
  switch (type) {
    case ChecksumType::kCrc32c:
      return "crc32c";
    case ChecksumType::kXxhash64:
      return "xxhash64";
    case ChecksumType::kSha256:
      return "sha256";
    case ChecksumType::kBlake2b:
      return "blake2b";
  }
  return "unknown";
}

size_t ChecksumBytes(ChecksumType type) {
  switch (type) {
    case ChecksumType::kCrc32c:
      return 4;
    case ChecksumType::kXxhash64:
      return 8;
    case ChecksumType::kSha256:
    case ChecksumType::kBlake2b:
      return 32;
  }
  return kMaxChecksumBytes;
}

absl::StatusOr<Checksum> ComputeChecksum(ChecksumType type, Pieces pieces) {
  absl::StatusOr<Checksum> checksum = Checksum{};
  if (absl::Status status = Compute(type, pieces, *checksum); !status.ok()) checksum = status;
  return checksum;
}

absl::StatusOr<Checksum> ComputeBlockChecksum(ChecksumType type, Pieces pieces) {
  if (pieces.size() == 1 && pieces[0].size() >= kChecksumAreaBytes) {
    const absl::Span<const std::byte> rest(pieces[0].data() + kChecksumAreaBytes,
                                           pieces[0].size() - kChecksumAreaBytes);
    return ComputeChecksum(type, absl::MakeConstSpan(&rest, 1));
  }
  absl::InlinedVector<absl::Span<const std::byte>, 16> body(pieces.begin(), pieces.end());
  size_t skip = kChecksumAreaBytes;
  for (absl::Span<const std::byte>& piece : body) {
    size_t here = std::min(skip, piece.size());
    piece.remove_prefix(here);
    skip -= here;
  }
  return ComputeChecksum(type, body);
}

absl::Status CompareChecksums(ChecksumType type, const Checksum& stored, const Checksum& computed) {
  size_t bytes = ChecksumBytes(type);
  if (std::memcmp(stored.data(), computed.data(), bytes) == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("checksum mismatch (", AbslView(ChecksumName(type)),
                                          "): wanted ", HexString(stored, bytes), ", found ",
                                          HexString(computed, bytes)));
}

uint32_t Crc32cOf(uint32_t crc, absl::Span<const std::byte> bytes) {
  return Crc32cUpdate(bytes.data(), static_cast<int>(bytes.size()), crc);
}

uint32_t NameHash(absl::Span<const std::byte> name) {
  return Crc32cUpdate(name.data(), static_cast<int>(name.size()), ~uint32_t{1});
}

}  // namespace ebcache
