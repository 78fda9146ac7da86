// ExtentBuffer: one metadata block in memory, and ExtentBufferRef: the reference that keeps it
// there.
//
// The state of a buffer (its references and its flags) is one 64-bit word, and changes by
// compare-and-swap from one legal state to another; docs/lifecycle.md tells the whole story. The
// flags carry the names they have in the kernel.
//
// Thread safety: references may be taken and put from any thread. The bytes of a buffer are the
// business of the holders of references: any number may read. REQUIRES of a holder that writes: no
// other thread reads or writes meanwhile (the kernel's tree locks are not part of this library).

#ifndef EBCACHE_EXTENT_BUFFER_H_
#define EBCACHE_EXTENT_BUFFER_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ebcache/block_bytes.h"
#include "ebcache/internal/extent_buffer_fields.h"
#include "ebcache/internal/little_endian.h"
#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

// The flags of a buffer's state. The kernel's, and three of our own at the end.
enum class BufferFlag : uint32_t {
  kUptodate = 1u << 0,      // the bytes are those of the block
  kDirty = 1u << 1,         // the bytes are newer than the disk's
  kWriteback = 1u << 2,     // being written
  kTreeRef = 1u << 3,       // one of the references is the cache's own
  kStale = 1u << 4,         // the block is not wanted any more: goes with its last user
  kUnmapped = 1u << 5,      // dummy or clone: not in the index, no cache reference
  kWriteErr = 1u << 6,      // the last write failed; DIRTY, or being written again
  kZonedZeroout = 1u << 7,  // to be written as zeroes on a zoned device
  kReading = 1u << 8,       // being read
  kMigrating = 1u << 9,     // frozen while its pages move; no reference can be taken
  kAccessed = 1u << 10,     // found since reclaim last looked
  kParked = 1u << 11,       // passed over by reclaim, which wants to hear when it is idle
};

// A state as a value: what a load of the state word gives.
struct BufferState {
  uint32_t refs = 0;
  uint32_t flags = 0;  // of BufferFlag

  // Whether that flag is set.
  constexpr bool has(BufferFlag flag) const { return (flags & static_cast<uint32_t>(flag)) != 0; }
  // DIRTY or WRITEBACK: the bytes must not go.
  constexpr bool under_io() const { return has(BufferFlag::kDirty) || has(BufferFlag::kWriteback); }
  friend constexpr bool operator==(BufferState, BufferState) = default;

  // "refs 2 UPTODATE|TREE_REF".
  std::string ToString() const;
};

// Why a buffer can, or cannot, be released. In the order in which the reasons are looked for.
enum class ReleaseVerdict : uint8_t {
  kEligible,   // idle: one reference, the cache's
  kDead,       // no references: already on its way out
  kUnmapped,   // a dummy or clone: only its holder can free it
  kMigrating,  // its pages are moving
  kReading,    // being read
  kWriteback,  // being written
  kDirty,      // has to be written first
  kInUse,      // a user holds a reference
  kNoTreeRef,  // the one reference is a user's, not the cache's
};
inline constexpr int kReleaseVerdicts = 9;
// "in use", "dirty", ...
std::string_view ReleaseVerdictName(ReleaseVerdict verdict);

// One metadata block in memory. Made and destroyed by a BufferCache; reached by ExtentBufferRef.
// This class is the descriptor: exactly one cache line, apart from the payload. Memory that was a
// descriptor stays one for as long as the cache lives.
class alignas(64) ExtentBuffer : private internal::ExtentBufferFields {
 public:
  ExtentBuffer(const ExtentBuffer&) = delete;
  ExtentBuffer& operator=(const ExtentBuffer&) = delete;

  // Logical address of the block, in bytes.
  uint64_t start() const { return start_; }
  // Size of the block (the node size), in bytes.
  uint32_t length() const { return uint32_t{1} << length_shift_; }

  // The folios behind the block, for reports. They stay what they are for as long as the caller
  // holds its reference.
  absl::Span<const Folio> folios() const;

  // A snapshot; may be out of date when it returns.
  BufferState state() const;
  bool uptodate() const { return state().has(BufferFlag::kUptodate); }
  bool dirty() const { return state().has(BufferFlag::kDirty); }
  bool stale() const { return state().has(BufferFlag::kStale); }

  // The copy (mirror number, from 1) that the bytes were read from; 0 when they were not read.
  int mirror() const { return mirror_; }
  static constexpr int kMostMirrors = 255;
  // REQUIRES: 0 to kMostMirrors (CHECK).
  void set_mirror(int mirror);

  // What users of the cache keep with the buffer: BufferCacheOptions::user_bytes of it, zero when the
  // buffer is made, aligned as malloc's memory is; null where none were asked for. They are the
  // buffer's as long as it is there, whatever becomes of its bytes (ReinitAsNewBlock, GiveUpWrite and
  // a migration leave them), and BlockSource::Forget is told of them when it goes. No look-up.
  // REQUIRES: users that hold the buffer at the same time agree on which of them writes.
  std::byte* user() const;

  // ---- Bytes ------------------------------------------------------------------------------------
  // All of these work whether the block is in one piece or a page array, and give the same result.
  // A range that leaves the block is OutOfRange (or nothing, or null) and touches nothing.

  // The whole block in one piece; null when it is a page array.
  const std::byte* contiguous() const { return in_one_piece() ? front_ : nullptr; }

  // How many bytes, from the front, lie in one piece: all, or those of the first folio when the
  // block is a page array (its other folios are as large), or none for frames without bytes.
  size_t front_bytes() const { return front_bytes_; }

  // A little-endian integer; nothing when it would leave the block.
  template <std::integral T>
  [[nodiscard]] std::optional<T> Load(size_t offset) const {
    // Where it lies in front there is no null to ask about, as there would be of View's answer.
    if (InFront(offset, sizeof(T))) [[likely]] {
      return LoadLe<T>(front_ + offset);
    }
    std::byte scratch[sizeof(T)];
    const std::byte* const at = ViewBeyondFront(offset, sizeof(T), scratch);
    if (at == nullptr) return std::nullopt;
    return LoadLe<T>(at);
  }

  // `length` bytes at `offset` as one piece: where they lie, or copied to `scratch` where they
  // straddle pages. Null when they would leave the block. One call for a field or for a group of
  // them, which is what page arrays cost behind their first page.
  [[nodiscard]] const std::byte* View(size_t offset, size_t length, std::byte* scratch) const {
    if (InFront(offset, length)) [[likely]] {
      return front_ + offset;
    }
    return ViewBeyondFront(offset, length, scratch);
  }

  // The same, as a value or an error.
  template <typename T>
  absl::StatusOr<T> Get(size_t offset) const {
    if (const std::optional<T> value = Load<T>(offset)) return *value;
    return OutOfRange("read", offset, sizeof(T));
  }

  // Stores a little-endian integer.
  template <std::integral T>
  absl::Status Set(size_t offset, std::type_identity_t<T> value) {
    std::byte bytes[sizeof(T)];
    StoreLe(static_cast<std::make_unsigned_t<T>>(value), bytes);
    return Write(offset, bytes);
  }

  // Copies out of, and into, the block.
  absl::Status Read(size_t offset, absl::Span<std::byte> destination) const;
  absl::Status Write(size_t offset, absl::Span<const std::byte> source);

  // As memcmp: below, equal to or above zero.
  absl::StatusOr<int> Compare(size_t offset, absl::Span<const std::byte> other) const;

  // Fills with zeroes.
  absl::Status Zero(size_t offset, size_t length);

  // Copies between two ranges of this block, which may overlap.
  absl::Status Move(size_t destination, size_t source, size_t length);

  // Copies from another block; the buffers must differ (within one, use Move).
  absl::Status CopyFrom(const ExtentBuffer& source, size_t source_offset, size_t destination_offset,
                        size_t length);

  // Bitmaps, as free space trees store them: bit n is bit n % 8 of the byte at offset + n / 8.
  absl::StatusOr<bool> TestBit(size_t offset, size_t bit) const;
  absl::Status SetBits(size_t offset, size_t first_bit, size_t bits);
  absl::Status ClearBits(size_t offset, size_t first_bit, size_t bits);

  // The block as the pieces of memory it is made of, in order. Empty where frames have no bytes.
  using Segments = ebcache::Segments;
  using MutableSegments = ebcache::MutableSegments;
  Segments segments() const;
  MutableSegments mutable_segments();

  // The block for functions on bytes, which know no buffers: those of on_disk.h and of the checker.
  operator BlockBytes() const {  // NOLINT: a buffer is read as what it holds
    return {front_, front_bytes_, length(), this, &ViewOf};
  }

 private:
  friend class internal::ExtentBufferAccess;

  ExtentBuffer() = default;

  bool in_one_piece() const { return front_bytes_ == length(); }
  bool InBounds(size_t offset, size_t bytes) const {
    return offset <= length() && bytes <= length() - offset;
  }
  // One question for both: is it in the block, and is it in the piece at the front. (The lengths
  // are off by one so that an empty range is no part of a piece without bytes.)
  bool InFront(size_t offset, size_t length) const {
    return offset <= front_bytes_ && length - 1 < front_bytes_ - offset;
  }
  absl::Status OutOfRange(const char* what, size_t offset, size_t bytes) const;
  const std::byte* ViewBeyondFront(size_t offset, size_t bytes, std::byte* scratch) const;
  // The same as BlockBytes wants it.
  static const std::byte* ViewOf(const void* buffer, size_t offset, size_t bytes,
                                 std::byte* scratch);
  void CopyOutOfPages(size_t offset, void* destination, size_t bytes) const;
  // Calls piece(address, bytes) for each contiguous part of a range in bounds.
  template <typename Piece>
  void ForEachPiece(size_t offset, size_t bytes, Piece piece) const;
  template <typename Change>
  absl::Status ChangeBits(size_t offset, size_t first_bit, size_t bits, Change change);
};
static_assert(sizeof(ExtentBuffer) == 64, "the hot part of a buffer is one cache line");

// A reference to a buffer; puts it when it goes. Empty when default-made or moved from. Move-only:
// a second reference is an atomic operation, and should look like one (Share).
//
// One ExtentBufferRef belongs to one thread at a time; different ones to the same buffer are
// independent. No ExtentBufferRef may outlive its cache: that is a CHECK in the cache's destructor.
class [[nodiscard]] ExtentBufferRef {
 public:
  ExtentBufferRef() = default;
  ExtentBufferRef(ExtentBufferRef&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)) {}
  ExtentBufferRef& operator=(ExtentBufferRef&& other) noexcept {
    if (this != &other) {
      Put();
      buffer_ = std::exchange(other.buffer_, nullptr);
    }
    return *this;
  }
  ~ExtentBufferRef() { Put(); }

  explicit operator bool() const { return buffer_ != nullptr; }
  ExtentBuffer* get() const { return buffer_; }
  // REQUIRES: not empty.
  ExtentBuffer* operator->() const { return buffer_; }
  ExtentBuffer& operator*() const { return *buffer_; }

  // The reference as a pointer, for code that keeps its references by hand: the ref is empty
  // afterwards, and the reference is put by a ref that adopts it. Null when empty.
  [[nodiscard]] ExtentBuffer* Release() { return std::exchange(buffer_, nullptr); }
  // The ref of a reference that Release gave. REQUIRES: adopted once. A second ref of the same
  // reference puts that of another holder, if there is one, and that is not noticed; if there is
  // none, it is a CHECK.
  static ExtentBufferRef Adopt(ExtentBuffer* buffer) { return ExtentBufferRef(buffer); }

  // Another reference to the same buffer. The kernel's refcount_inc under a held reference.
  ExtentBufferRef Share() const;

  // Puts the reference now; the ref is empty afterwards. Nothing happens when it is empty already.
  // The kernel's free_extent_buffer: the last put of a STALE buffer that is not under IO frees it.
  void Put() {
    if (buffer_ != nullptr) PutBuffer(std::exchange(buffer_, nullptr));
  }

  // Puts the reference and marks the buffer STALE in the same step: it goes as soon as it has no
  // user and is not under IO. What COW does with the old block. The kernel's
  // free_extent_buffer_stale. REQUIRES: not empty. The ref is empty afterwards.
  void PutStale();

  // Puts the reference, and lets the buffer go in the same step if that makes it idle: nothing is
  // done to other holders, and what is DIRTY or under IO stays. What btrfs-progs calls
  // free_extent_buffer_nocache. REQUIRES: not empty. The ref is empty afterwards.
  void PutNoCache();

  // PutNoCache, but where the buffer was found (ACCESSED) it is a plain put: for a walk over blocks that it
  // needs once and that were read for it. What other readers have come for stays. REQUIRES: not empty.
  // The ref is empty afterwards.
  void PutBehind();

  // Takes back that the buffer was found (ACCESSED), for a visit that says nothing about others to
  // come: that of a walk to a block that was read ahead for it. Reclaim then takes it for a block
  // that was read and not found since. REQUIRES: not empty.
  void ForgetAccess() const;

  // Marks the buffer DIRTY: it stays in memory until it was written, or given up. Also while it is
  // being written: what was changed since that write began is written by the next.
  // REQUIRES: not empty; an uptodate buffer, no dummy or clone.
  void SetDirty() const;
  // The same in one step with the question whether it may be: false, and nothing has changed, where
  // SetDirty would be a CHECK. REQUIRES: not empty.
  [[nodiscard]] bool TrySetDirty() const;
  // Takes DIRTY away, and with it WRITE_ERR: the changes need not be written, as those of a block
  // that COW has replaced. The bytes stay UPTODATE until the buffer goes; for the disk's, see
  // BufferCache::GiveUpWrite. A write that is under way goes on, and if it fails the buffer is
  // DIRTY.
  void ClearDirty() const;
  // Says that all bytes of the block are in place, as the caller that fills a new block does.
  // REQUIRES: not empty; not being read.
  void SetUptodate() const;
  // The same in one step with the question: false, and nothing has changed, while it is being read.
  [[nodiscard]] bool TrySetUptodate() const;
  // Says that the bytes are not those of the block: the next reader reads it again. False, and nothing
  // has changed, while it is DIRTY, being written (those bytes are given up by
  // BufferCache::GiveUpWrite) or being read, and for dummies and clones. The kernel's
  // clear_extent_buffer_uptodate. For another copy's bytes at once: BufferCache::Reread. REQUIRES:
  // not empty; no other thread uses the bytes.
  [[nodiscard]] bool TryClearUptodate() const;

 private:
  explicit ExtentBufferRef(ExtentBuffer* buffer) : buffer_(buffer) {}
  static void PutBuffer(ExtentBuffer* buffer);

  ExtentBuffer* buffer_ = nullptr;
};

}  // namespace ebcache

#endif  // EBCACHE_EXTENT_BUFFER_H_
