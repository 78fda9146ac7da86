#include "tests/tree/edit/edit_program.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lib/tree/edit/leaf_edit.h"
#include "lib/tree/edit/leaf_pair.h"
#include "lib/tree/edit/node_edit.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"
#include "tests/tree/edit/edited_pair.h"
#include "tests/tree/edit/split_model.h"

namespace ebcache::testing {
namespace {

using edit::ItemEnd;

absl::Span<const std::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class EditWorld : private EditedPair {
 public:
  EditWorld(uint32_t node_bytes, uint8_t level, EditCounts* counts)
      : EditedPair(node_bytes, level, counts) {}

  void Step(FuzzInput& input) {
    kind_ = input.Take<uint8_t>() % 13;
    side_ = input.Take<uint8_t>() & 1;
    if (counts_ != nullptr) ++counts_->steps;
    switch (kind_) {
      case 0:
      case 1:
        return Insert(input);
      case 2:
        return Remove(input);
      case 3:
        return leaf() ? Resize(input) : ReplacePointer(input);
      case 4:
        return leaf() ? ReplaceData(input) : ReplacePointer(input);
      case 5:
        return ChangeKey(input);
      case 6:
        return Push(input, true);
      case 7:
        return Push(input, false);
      case 8:
        return Merge();
      case 9:
        return leaf() ? SplitLeaf(input) : SplitNode(input);
      case 10:
        return Copy(input);
      case 11:
        return Look(input);
      default:
        return leaf() ? SplitToResize(input) : SplitNode(input);
    }
  }

 private:
  // ---- One block --------------------------------------------------------------------------------

  void Insert(FuzzInput& input) {
    Key key = TakeKeyAndSide(input);
    const size_t count = input.Take<uint8_t>() % 8 % 5;
    const uint32_t slot = TakeSlot(input, LowerBound(key));
    Entries added;
    std::vector<edit::NewItem> items;
    std::vector<KeyPointer> pointers;
    Result expected = slot > entries().size() ? Result::kBadSlot
                      : count == 0            ? Result::kBadCount
                                              : Result::kDone;
    for (size_t i = 0; i < count; ++i, ++key.offset) {
      if (leaf()) {
        const size_t free = FreeOf(side_);
        added.push_back(
            {key, NewValue(TakeSize(input, free < kItemBytes ? 0 : free - kItemBytes))});
      } else {
        const uint64_t bytenr = input.Take<uint8_t>() * uint64_t{4096};
        added.push_back({key, PointerValue(bytenr, ++serial_)});
        pointers.push_back({key, bytenr, serial_});
        if (bytenr == 0 && expected == Result::kDone) expected = Result::kBadPointer;
      }
    }
    const uint8_t form = input.Take<uint8_t>();
    if (count > 1 && form < 4) std::swap(added[0].key, added[1].key);
    if (count > 1 && form < 4 && !leaf()) std::swap(pointers[0].key, pointers[1].key);
    const bool zeroes = leaf() && form % 8 == 7;
    for (Entry& entry : added) {
      if (zeroes) entry.value.assign(entry.value.size(), '\0');
      items.push_back({entry.key, static_cast<uint32_t>(entry.value.size()),
                       zeroes ? absl::Span<const std::byte>() : BytesOf(entry.value)});
    }
    if (leaf() && count > 0 && form == 8) {
      items.back().size += items.back().data.empty() ? 0 : 1;
      if (!items.back().data.empty() && expected == Result::kDone) expected = Result::kBadData;
    }
    if (expected == Result::kDone) expected = InsertAnswer(slot, added);
    Make(
        expected,
        [&] {
          return leaf() ? edit::InsertItems(block(), slot, items)
                        : edit::InsertPointers(block(), slot, pointers);
        },
        [&] { entries().insert(entries().begin() + slot, added.begin(), added.end()); });
  }

  Result InsertAnswer(size_t slot, const Entries& added) {
    for (const Entry& entry : added) {
      if (leaf() && RoomOf(entry, true) > area()) return Result::kTooLarge;
    }
    if (!FitsBetween(slot, 0, added)) return Result::kKeyOrder;
    return RoomOf(added, leaf()) > FreeOf(side_) ? Result::kNoRoom : Result::kDone;
  }

  void Remove(FuzzInput& input) {
    const uint32_t slot = TakeAnySlot(input);
    const uint8_t number = input.Take<uint8_t>();
    const uint32_t count = number == 255   ? ~uint32_t{0}
                           : number == 254 ? static_cast<uint32_t>(entries().size())
                                           : number % 16 % 5;
    const Result expected = slot >= entries().size()                        ? Result::kBadSlot
                            : count == 0 || count > entries().size() - slot ? Result::kBadCount
                                                                            : Result::kDone;
    Make(
        expected,
        [&] {
          return leaf() ? edit::RemoveItems(block(), slot, count)
                        : edit::RemovePointers(block(), slot, count);
        },
        [&] { entries().erase(entries().begin() + slot, entries().begin() + slot + count); });
  }

  Result ResizeAnswer(size_t slot, size_t size) {
    if (slot >= entries().size()) return Result::kBadSlot;
    if (size > area() - kItemBytes) return Result::kTooLarge;
    return size > entries()[slot].value.size() + FreeOf(side_) ? Result::kNoRoom : Result::kDone;
  }

  size_t RoomAt(uint32_t slot) {
    return slot < entries().size() ? entries()[slot].value.size() + FreeOf(side_) : 0;
  }

  void Resize(FuzzInput& input) {
    const uint32_t slot = TakeAnySlot(input);
    const auto size = static_cast<uint32_t>(TakeSize(input, RoomAt(slot)));
    const bool front = (input.Take<uint8_t>() & 1) != 0;
    Make(
        ResizeAnswer(slot, size),
        [&] {
          return edit::ResizeItem(block(), slot, size, front ? ItemEnd::kFront : ItemEnd::kBack);
        },
        [&] {
          std::string& value = entries()[slot].value;
          if (front) std::reverse(value.begin(), value.end());
          value.resize(size, '\0');
          if (front) std::reverse(value.begin(), value.end());
        });
  }

  void ReplaceData(FuzzInput& input) {
    const uint32_t slot = TakeAnySlot(input);
    const std::string value = NewValue(TakeSize(input, RoomAt(slot)));
    Make(
        ResizeAnswer(slot, value.size()),
        [&] { return edit::ReplaceData(block(), slot, BytesOf(value)); },
        [&] { entries()[slot].value = value; });
  }

  Result KeyAnswer(size_t slot, const Key& key) {
    return FitsBetween(slot, 1, {{key, ""}}) ? Result::kDone : Result::kKeyOrder;
  }

  void ReplacePointer(FuzzInput& input) {
    const uint32_t slot = TakeAnySlot(input);
    const KeyPointer pointer{TakeNearKey(input, slot), input.Take<uint8_t>() * uint64_t{4096},
                             ++serial_};
    const Result expected = slot >= entries().size() ? Result::kBadSlot
                            : pointer.bytenr == 0    ? Result::kBadPointer
                                                     : KeyAnswer(slot, pointer.key);
    Make(
        expected, [&] { return edit::ReplacePointer(block(), slot, pointer); },
        [&] {
          entries()[slot] = {pointer.key, PointerValue(pointer.bytenr, pointer.generation)};
        });
  }

  // Beside the key that is there, or any.
  Key TakeNearKey(FuzzInput& input, size_t slot) {
    const auto choice = input.Take<uint8_t>();
    if (slot >= entries().size() || choice < 16) return TakeKey(input);
    Key key = entries()[slot].key;
    key.offset += choice % 8;
    if (choice >= 128 && slot > 0) key = entries()[slot - 1].key, key.offset += choice % 2;
    if (choice >= 192 && slot + 1 < entries().size()) {
      key = entries()[slot + 1].key, key.offset -= choice % 2;
    }
    return key;
  }

  void ChangeKey(FuzzInput& input) {
    const uint32_t slot = TakeAnySlot(input);
    const Key key = TakeNearKey(input, slot);
    Make(
        slot >= entries().size() ? Result::kBadSlot : KeyAnswer(slot, key),
        [&] { return edit::ChangeKey(block(), slot, key); }, [&] { entries()[slot].key = key; });
  }

  // ---- Two blocks -------------------------------------------------------------------------------

  // How many of `from` fit into what is free in the other one.
  uint32_t Fits(bool right) const {
    const Entries& from = entries_[right ? 0 : 1];
    size_t room = FreeOf(right ? 1 : 0);
    uint32_t count = 0;
    while (InOrder() && count < from.size()) {
      const size_t bytes = RoomOf(from[right ? from.size() - 1 - count : count], leaf());
      if (bytes > room) break;
      room -= bytes;
      ++count;
    }
    return count;
  }

  Result PushAnswer(bool right, uint32_t count) const {
    if (count == 0 || count > entries_[right ? 0 : 1].size()) return Result::kBadCount;
    if (!InOrder()) return Result::kKeyOrder;
    return count > Fits(right) ? Result::kNoRoom : Result::kDone;
  }

  void MoveEntries(bool right, size_t count) {
    Entries& left = entries_[0];
    Entries& other = entries_[1];
    const auto n = static_cast<std::ptrdiff_t>(count);
    if (right) {
      other.insert(other.begin(), left.end() - n, left.end());
      left.erase(left.end() - n, left.end());
    } else {
      left.insert(left.end(), other.begin(), other.begin() + n);
      other.erase(other.begin(), other.begin() + n);
    }
  }

  void Push(FuzzInput& input, bool right) {
    const uint32_t fit = Fits(right);
    const uint32_t told = leaf() ? (right ? edit::ItemsThatFitRight(blocks_[0], blocks_[1])
                                          : edit::ItemsThatFitLeft(blocks_[0], blocks_[1]))
                                 : (right ? edit::PointersThatFitRight(blocks_[0], blocks_[1])
                                          : edit::PointersThatFitLeft(blocks_[0], blocks_[1]));
    EBCACHE_ORACLE("fits", told == fit);
    const auto choice = input.Take<uint8_t>();
    const uint32_t count = choice < 64 ? fit : choice < 128 ? fit + 1 : choice % 16u;
    Make(
        PushAnswer(right, count),
        [&] {
          if (leaf()) {
            return right ? edit::PushItemsRight(blocks_[0], blocks_[1], count)
                         : edit::PushItemsLeft(blocks_[0], blocks_[1], count);
          }
          return right ? edit::PushPointersRight(blocks_[0], blocks_[1], count)
                       : edit::PushPointersLeft(blocks_[0], blocks_[1], count);
        },
        [&] { MoveEntries(right, count); });
  }

  void Merge() {
    const size_t count = entries_[1].size();
    Make(
        count == 0 ? Result::kDone : PushAnswer(false, static_cast<uint32_t>(count)),
        [&] {
          return leaf() ? edit::MergeLeaves(blocks_[0], blocks_[1])
                        : edit::MergeNodes(blocks_[0], blocks_[1]);
        },
        [&] { MoveEntries(false, count); });
  }

  // The answer of a split at `at`, which needs an empty right block.
  Result SplitAnswer(size_t at) const {
    if (at > entries_[0].size()) return Result::kBadSlot;
    if (!entries_[1].empty()) return Result::kBadCount;
    return Result::kDone;
  }

  void SplitNode(FuzzInput& input) {
    const uint32_t slot = TakeSlot(input, LowerBoundLeft(TakeKey(input)));
    const uint32_t plan = edit::PlanNodeSplit(blocks_[0], slot);
    const size_t count = entries_[0].size();
    EBCACHE_ORACLE("plan", plan == (slot >= count ? count : (count + 1) / 2));
    SplitAt(TakeSlot(input, plan));
  }

  void SplitAt(uint32_t at) {
    Make(
        SplitAnswer(at),
        [&] {
          return leaf() ? edit::SplitLeaf(blocks_[0], blocks_[1], at)
                        : edit::SplitNode(blocks_[0], blocks_[1], at);
        },
        [&] { MoveEntries(true, entries_[0].size() - at); });
  }

  size_t LowerBoundLeft(const Key& key) {
    side_ = 0;
    return LowerBound(key);
  }

  void SplitLeaf(FuzzInput& input) {
    const Key key = TakeKey(input);
    const size_t slot = LowerBoundLeft(key);
    const Entry entry{key, NewValue(TakeSize(input, FreeOf(0)))};
    const edit::LeafSplit plan = edit::PlanLeafSplit(blocks_[0], static_cast<uint32_t>(slot),
                                                     static_cast<uint32_t>(entry.value.size()));
    const Result expected = entries_[0].empty()            ? Result::kBadCount
                            : RoomOf(entry, true) > area() ? Result::kTooLarge
                                                           : Result::kDone;
    EBCACHE_ORACLE("answer", plan.result == expected);
    if (plan.result != Result::kDone || expected != Result::kDone) return;
    bool holds = plan.at == slot && plan.home == edit::LeafSplit::Home::kRight && plan.slot == 0;
    if (slot < entries_[0].size()) {
      std::vector<size_t> wanted = RoomsOf(entries_[0]);
      wanted.insert(wanted.begin() + static_cast<std::ptrdiff_t>(slot), RoomOf(entry, true));
      holds = IsMostEqualSplit(plan, wanted, slot, true, area());
    }
    EBCACHE_ORACLE("plan", holds);
    if (holds) SplitAt(TakeSlot(input, plan.at));
  }

  void SplitToResize(FuzzInput& input) {
    side_ = 0;
    const uint32_t slot = TakeAnySlot(input);
    const size_t size = TakeSize(input, RoomAt(slot));
    const edit::LeafSplit plan =
        edit::PlanLeafSplitToResize(blocks_[0], slot, static_cast<uint32_t>(size));
    const Result expected = slot >= entries().size()     ? Result::kBadSlot
                            : entries().size() == 1      ? Result::kBadCount
                            : size > area() - kItemBytes ? Result::kTooLarge
                                                         : Result::kDone;
    EBCACHE_ORACLE("answer", plan.result == expected);
    if (plan.result != Result::kDone || expected != Result::kDone) return;
    std::vector<size_t> wanted = RoomsOf(entries());
    wanted[slot] = kItemBytes + size;
    const bool holds = IsMostEqualSplit(plan, wanted, slot, false, area());
    EBCACHE_ORACLE("plan", holds);
    if (holds) SplitAt(TakeSlot(input, plan.at));
  }

  // ---- The rest ---------------------------------------------------------------------------------

  // A copy, over bytes of something else, takes the block's place.
  void Copy(FuzzInput& input) {
    const edit::CopyPlace place{.bytenr = input.Take<uint16_t>() * uint64_t{4096},
                                .generation = input.Take<uint8_t>(),
                                .owner = kCsumTreeId};
    block().set_flags(kHeaderWritten);
    std::vector<std::byte> bytes(node_bytes_, std::byte{0xdd});
    const auto copy = MutableBlock::CopyForCow(block(), absl::MakeSpan(bytes), place);
    EBCACHE_ORACLE("copy", copy.ok() && copy->bytenr() == place.bytenr && copy->flags() == 0 &&
                               copy->generation() == place.generation &&
                               copy->backref_revision() == kMixedBackrefRevision);
    if (!copy.ok()) return;
    bytes_[side_].swap(bytes);  // vectors that swap take their memory along
    blocks_[side_] = *copy;
    if (counts_ != nullptr) ++counts_->done[kind_];
    CheckBlock(side_);
  }

  void Look(FuzzInput& input) {
    const Key key = TakeNearKey(input, TakeAnySlot(input));
    const size_t slot = LowerBound(key);
    const bool found = slot < entries().size() && entries()[slot].key == key;
    const edit::Place place = edit::FindSlot(block(), key);
    EBCACHE_ORACLE("place", place.slot == slot && place.found == found);
    EBCACHE_ORACLE("opens", MutableBlock::Open(absl::MakeSpan(bytes_[side_])).ok());
    if (counts_ != nullptr) ++counts_->done[kind_];
  }
};

}  // namespace

void RunEditProgram(const uint8_t* data, size_t size, EditCounts* counts) {
  FuzzInput input(data, size);
  const auto mode = input.Take<uint8_t>();
  const uint32_t sizes[] = {4096, 4096, 16384, 65536};
  EditWorld world(sizes[mode & 3], (mode & 4) != 0 ? static_cast<uint8_t>(1 + mode % 7) : 0,
                  counts);
  while (!input.empty()) world.Step(input);
}

}  // namespace ebcache::testing
