// The two blocks that programs of edits work on, beside a model of what is in them.

#ifndef EBCACHE_TESTS_TREE_EDIT_EDITED_PAIR_H_
#define EBCACHE_TESTS_TREE_EDIT_EDITED_PAIR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "lib/format/check/tree_block_checker.h"
#include "lib/tree/edit/mutable_block.h"
#include "lib/tree/edit/result.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"
#include "tests/tree/edit/edit_entries.h"
#include "tests/tree/edit/edit_program.h"

namespace ebcache::testing {

using edit::MutableBlock;
using edit::Result;
using fuzz::FuzzInput;

// Two blocks, what is in them, and what has to hold after each edit of them.
class EditedPair {
 protected:
  EditedPair(uint32_t node_bytes, uint8_t level, EditCounts* counts)
      : node_bytes_(node_bytes), level_(level), counts_(counts) {
    for (int side : {0, 1}) bytes_[side].assign(node_bytes, std::byte{0xee});
    for (int side : {0, 1}) {
      blocks_.push_back(*MutableBlock::Init(absl::MakeSpan(bytes_[side]), Header(side)));
    }
  }

  bool leaf() const { return level_ == 0; }
  MutableBlock& block() { return blocks_[side_]; }
  Entries& entries() { return entries_[side_]; }
  size_t area() const { return node_bytes_ - kHeaderBytes; }
  size_t FreeOf(int side) const { return area() - RoomOf(entries_[side], leaf()); }
  bool InOrder() const {
    return entries_[0].empty() || entries_[1].empty() ||
           entries_[0].back().key < entries_[1].front().key;
  }

  edit::NewBlock Header(int side) const {
    return {.bytenr = uint64_t{65536} * (side + 1),
            .generation = 7,
            .owner = kCsumTreeId,  // whose leaves may be empty
            .level = level_};
  }

  // ---- What holds -------------------------------------------------------------------------------

  // Makes an edit whose answer the model knows, and compares.
  void Make(Result expected, const std::function<Result()>& edit,
            const std::function<void()>& on_model) {
    for (int side : {0, 1}) before_[side] = bytes_[side];
    const Result answer = edit();
    EBCACHE_ORACLE("answer", answer == expected);
    if (answer == Result::kDone && expected == Result::kDone) {
      if (counts_ != nullptr) ++counts_->done[kind_];
      on_model();
      CheckBlock(0);
      CheckBlock(1);
    } else if (answer != Result::kDone) {
      if (counts_ != nullptr) ++counts_->refused[static_cast<size_t>(answer)];
      EBCACHE_ORACLE("refused-unchanged", Unchanged(0) && Unchanged(1));
    }
  }

  // By memcmp: a vector compares bytes one by one, and a fuzzer counts each.
  bool Unchanged(int side) const {
    return std::memcmp(before_[side].data(), bytes_[side].data(), node_bytes_) == 0;
  }

  void CheckBlock(int side) const {
    EBCACHE_ORACLE("contents", Holds(blocks_[side], entries_[side]));
    const UnusedBytes unused = FindUnusedBytes(bytes_[side]);
    EBCACHE_ORACLE("stale-bytes", AllZero(bytes_[side].data() + unused.offset, unused.length));
    if (!leaf() && entries_[side].empty()) return;  // no node on a disk is, nor passes
    EBCACHE_ORACLE("checker", CheckTreeBlockBytes(bytes_[side], {.sector_bytes = 4096}).ok());
  }

  // ---- From bytes to arguments ------------------------------------------------------------------

  // Types without rules, whose data may be anything, so that all of the check is for the edits.
  static Key TakeKey(FuzzInput& input) {
    const auto number = input.Take<uint16_t>();
    const uint8_t types[] = {2, kStringItemType, 254};
    return {.objectid = uint64_t{256} + number / 12,
            .type = types[number % 3],
            .offset = uint64_t{number} / 3 % 4 * 0x40000000000000};
  }

  // Mostly keeps the pair in order, by going to the block where the key belongs.
  Key TakeKeyAndSide(FuzzInput& input) {
    const Key key = TakeKey(input);
    if (input.Take<uint8_t>() != 255) {
      side_ = !entries_[1].empty() && key >= entries_[1].front().key  ? 1
              : !entries_[0].empty() && key <= entries_[0].back().key ? 0
                                                                      : side_;
    }
    return key;
  }

  size_t TakeSize(FuzzInput& input, size_t room) {
    const auto choice = input.Take<uint8_t>();
    switch (choice % 8) {
      case 0:
        return room;
      case 1:
        return room + 1;
      case 2:
        return 0;
      case 3:
        return input.Take<uint16_t>() % (area() + 64);
      case 4:
        return area() - kItemBytes + choice / 128;
      default:
        return choice + input.Take<uint8_t>() % 64;
    }
  }

  // The slot that is meant, now and then another one.
  uint32_t TakeSlot(FuzzInput& input, size_t meant) {
    const auto choice = input.Take<uint8_t>();
    if (choice < 248) return static_cast<uint32_t>(meant);
    return choice == 255 ? ~uint32_t{0} : static_cast<uint32_t>(meant) + choice - 250;
  }

  uint32_t TakeAnySlot(FuzzInput& input) {
    const auto number = input.Take<uint16_t>();
    return number == 0xffff ? ~uint32_t{0} : static_cast<uint32_t>(number % (entries().size() + 1));
  }

  std::string NewValue(size_t size) {
    // No two bytes near each other are equal, and none is zero; values differ in where they begin.
    static const std::string* const kBytes = [] {
      auto* const bytes = new std::string(size_t{65536} + 512, '\0');
      for (size_t i = 0; i < bytes->size(); ++i) (*bytes)[i] = static_cast<char>(1 + i % 251);
      return bytes;
    }();
    return kBytes->substr(++serial_ * 31 % 251, size);
  }

  size_t LowerBound(const Key& key) {
    return static_cast<size_t>(
        std::lower_bound(entries().begin(), entries().end(), key,
                         [](const Entry& entry, const Key& k) { return entry.key < k; }) -
        entries().begin());
  }

  // Whether they could take the place of `skipped` entries at `slot`.
  bool FitsBetween(size_t slot, size_t skipped, const Entries& added) {
    // The keys alone: values are long.
    Entries all;
    for (size_t i = 0; i < slot; ++i) all.push_back({entries()[i].key, ""});
    for (const Entry& entry : added) all.push_back({entry.key, ""});
    for (size_t i = slot + skipped; i < entries().size(); ++i) {
      all.push_back({entries()[i].key, ""});
    }
    return Rises(all);
  }

  const uint32_t node_bytes_;
  const uint8_t level_;
  EditCounts* const counts_;
  std::vector<std::byte> bytes_[2];
  std::vector<std::byte> before_[2];  // of the step; kept for their memory
  std::vector<MutableBlock> blocks_;
  Entries entries_[2];
  int side_ = 0;
  int kind_ = 0;
  uint64_t serial_ = 0;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_EDIT_EDITED_PAIR_H_
