// Keyed hashes of facts, 128 bits, and their sums.
//
// Two lists of facts are equal when the sums of their hashes are, whatever the order: a fact that is in
// one and not in the other leaves its hash behind. The hash is AES-128 as a CBC-MAC under a key that is
// drawn for each run, over a message that begins with its own length, so that none is the beginning of
// another; docs/check.md has the probability that a difference goes unseen.
//
// Thread safety: a HashKey may be shared; a HashBatch belongs to one thread.

#ifndef EBCACHE_TOOLS_CHECK_KEYED_HASH_H_
#define EBCACHE_TOOLS_CHECK_KEYED_HASH_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tools/check/fact.h"

namespace ebcache::tools {

// An element of the integers modulo 2^128.
struct Sum {
  unsigned __int128 value = 0;

  // Adds `hash` as often as `times` says, which may be below zero.
  void Add(Sum hash, int64_t times) {
    value += hash.value * static_cast<unsigned __int128>(static_cast<__int128>(times));
  }
  Sum& operator+=(Sum other) { return value += other.value, *this; }
  bool zero() const { return value == 0; }
  friend constexpr bool operator==(Sum, Sum) = default;
};

// The key of a run.
class HashKey {
 public:
  // Drawn by libgcrypt's strong generator.
  static HashKey Draw();

  absl::Span<const std::byte> bytes() const { return bytes_; }
  // Of addresses to buckets: 64 bits that no image can know either.
  uint64_t Scatter(uint64_t subject) const {
    uint64_t mixed = (subject ^ scatter_) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 32)) * (scatter_ | 1);
    return mixed ^ (mixed >> 29);
  }

 private:
  HashKey() = default;
  std::array<std::byte, 16> bytes_{};
  uint64_t scatter_ = 0;
};

// Hashes facts many at a time: AES is several times as fast on independent blocks as on a chain.
class HashBatch {
 public:
  // Errors: Internal, libgcrypt has no AES, as where a policy forbids it.
  static absl::StatusOr<std::unique_ptr<HashBatch>> Create(const HashKey& key);
  ~HashBatch();
  HashBatch(const HashBatch&) = delete;
  HashBatch& operator=(const HashBatch&) = delete;

  size_t size() const { return messages_.size(); }
  // Copies the fact; its hash is number size() - 1 of the next Finish.
  void Add(const Fact& fact);
  // The hashes of all that was added since the last Finish. Valid until the next Add.
  absl::Span<const Sum> Finish();

 private:
  static constexpr size_t kBlockBytes = 16;
  struct Message {
    size_t first_block;
    size_t blocks;
  };
  HashBatch() = default;
  void Encrypt(absl::Span<Sum> blocks);

  void* cipher_ = nullptr;  // gcry_cipher_hd_t
  std::vector<Sum> blocks_;
  std::vector<Message> messages_;
  std::vector<Sum> hashes_;
  std::vector<size_t> active_;
  std::vector<Sum> gathered_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_KEYED_HASH_H_
