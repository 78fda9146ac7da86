#include "tools/check/keyed_hash.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <gcrypt.h>

#include <cstring>
#include <exception>

namespace ebcache::tools {
namespace {

void PrepareLibrary() {
  if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) != 0) return;
  gcry_check_version(nullptr);
  gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
  gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

}  // namespace

HashKey HashKey::Draw() {
  PrepareLibrary();
  HashKey key;
  gcry_randomize(key.bytes_.data(), key.bytes_.size(), GCRY_STRONG_RANDOM);
  gcry_randomize(&key.scatter_, sizeof(key.scatter_), GCRY_STRONG_RANDOM);
  return key;
}

absl::StatusOr<std::unique_ptr<HashBatch>> HashBatch::Create(const HashKey& key) {
  PrepareLibrary();
  std::unique_ptr<HashBatch> batch(new HashBatch());
  gcry_cipher_hd_t cipher = nullptr;
  gcry_error_t error = gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_ECB, 0);
  if (error == 0) {
    batch->cipher_ = cipher;
    error = gcry_cipher_setkey(cipher, key.bytes().data(), key.bytes().size());
  }
  if (error != 0) return absl::InternalError(absl::StrCat("no AES: ", gcry_strerror(error)));
  return batch;
}

HashBatch::~HashBatch() {
  if (cipher_ != nullptr) gcry_cipher_close(static_cast<gcry_cipher_hd_t>(cipher_));
}

void HashBatch::Add(const Fact& fact) {
  // A head that tells type and length, then the words, then the name: prefix-free.
  const size_t words = 2 + fact.words.size();
  const size_t bytes = words * sizeof(uint64_t) + fact.name.size();
  const size_t blocks = bytes / kBlockBytes + (bytes % kBlockBytes == 0 ? 0 : 1);
  const Message message{blocks_.size(), blocks};
  blocks_.resize(message.first_block + message.blocks);
  auto* const out = reinterpret_cast<std::byte*>(&blocks_[message.first_block]);
  const uint64_t head = uint64_t{fact.name.size()} << 8 | static_cast<uint64_t>(fact.type);
  std::memcpy(out, &head, sizeof(head));
  std::memcpy(out + 8, &fact.subject, sizeof(fact.subject));
  std::memcpy(out + 16, fact.words.data(), sizeof(fact.words));
  if (!fact.name.empty()) std::memcpy(out + words * 8, fact.name.data(), fact.name.size());
  messages_.push_back(message);
}

void HashBatch::Encrypt(absl::Span<Sum> blocks) {
  const size_t bytes = blocks.size() * kBlockBytes;
  const gcry_error_t error =
      gcry_cipher_encrypt(static_cast<gcry_cipher_hd_t>(cipher_), blocks.data(), bytes, nullptr, 0);
  if (error != 0) std::terminate();  // whole blocks under a key that was set: cannot fail
}

absl::Span<const Sum> HashBatch::Finish() {
  hashes_.assign(messages_.size(), Sum{});
  active_.clear();
  for (size_t i = 0; i < messages_.size(); ++i) active_.push_back(i);
  for (size_t round = 0; !active_.empty(); ++round) {
    gathered_.clear();
    for (const size_t i : active_) {
      gathered_.push_back({hashes_[i].value ^ blocks_[messages_[i].first_block + round].value});
    }
    Encrypt(absl::MakeSpan(gathered_));
    size_t kept = 0;
    for (size_t n = 0; n < active_.size(); ++n) {
      const size_t i = active_[n];
      hashes_[i] = gathered_[n];
      if (round + 1 < messages_[i].blocks) active_[kept++] = i;
    }
    active_.resize(kept);
  }
  messages_.clear();
  blocks_.clear();
  return hashes_;
}

}  // namespace ebcache::tools
