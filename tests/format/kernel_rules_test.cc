// The rules of today's kernels, each at its boundary: what is just inside is let pass, what is just
// outside is refused, by the name of that rule and no other. Here those for files and roots; those
// for extents and for space are in extent_rules_test.cc and space_rules_test.cc.

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "tests/format/rule_checks.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kChecksums = static_cast<uint64_t>(-10);
constexpr uint64_t kNewChecksums = static_cast<uint64_t>(-13);

// ---- Files --------------------------------------------------------------------------------------

// Five kinds of items may only follow an item of the same inode: in a tree of files, and but for
// the first of a leaf.
TEST(KernelRules, ItemsOfAnInodeFollowIt) {
  const uint64_t hash = HashOf("name");
  const Items followers = {
      {{257, kInodeRefType, 256}, InodeRef("name")},
      {{257, kXattrItemType, hash}, DirectoryEntry("name", 8, "value")},
      {{257, kDirItemType, hash}, DirectoryEntry("name")},
      {{257, kDirIndexType, 2}, DirectoryEntry("name")},
      {{257, kExtentDataType, 0}, InlineExtent("data")},
  };
  const LeafItem inode{{257, kInodeItemType, 0}, InodeItem()};
  const LeafItem other{{256, kInodeItemType, 0}, InodeItem(040755)};
  for (const LeafItem& follower : followers) {
    Passes({inode, follower});
    Passes({follower});
    Refused(Rejection::kInodeMissing, {other, follower});
    Refused(Rejection::kInodeMissing, {other, follower}, 256);
    // A log has what changed; the root tree has entries of its own.
    for (uint64_t owner : {kTreeLogId, kRootTreeId, kDataRelocTreeId}) {
      Passes({other, follower}, owner);
    }
  }
  // Any item of the inode will do, and other kinds may stand alone.
  Passes({other, inode, followers[0], followers[1], followers[4]});
  Passes({other, {{257, kOrphanItemType, 0}, ""}, followers[4]});
  Passes({other, {{257, kInodeExtrefType, 99}, InodeExtref("name")}});
}

TEST(KernelRules, InodeKeys) {
  for (uint64_t objectid : {uint64_t{6}, uint64_t{256}, kLastFreeObjectId, kFreeInodes}) {
    Passes(One({objectid, kInodeItemType, 0}, InodeItem()));
  }
  for (uint64_t objectid : {uint64_t{0}, uint64_t{5}, uint64_t{7}, uint64_t{255},
                            kLastFreeObjectId + 1, kFreeInodes - 1, kFreeInodes + 1}) {
    Refused(Rejection::kInodeKey, One({objectid, kInodeItemType, 0}, InodeItem()));
  }
  Refused(Rejection::kInodeKey, One({256, kInodeItemType, 1}, InodeItem()));
}

TEST(KernelRules, InodeFields) {
  const Key key{257, kInodeItemType, 0};
  Refused(Rejection::kItemSize, One(key, std::string(InodeItem()).substr(1)));
  for (size_t generation_at : {0, 8}) {
    Passes(One(key, InodeItem().Put<uint64_t>(generation_at, 0)));
    Passes(One(key, InodeItem().Put<uint64_t>(generation_at, 8)));
    Refused(Rejection::kInodeGeneration, One(key, InodeItem().Put<uint64_t>(generation_at, 9)));
  }
  Passes(One(key, InodeItem(0107777)));
  Refused(Rejection::kInodeMode, One(key, InodeItem(0307777)));
  Refused(Rejection::kInodeMode, One(key, InodeItem(0030644)));
  for (uint32_t links : {0, 1}) Passes(One(key, InodeItem(040755).Put<uint32_t>(40, links)));
  Refused(Rejection::kInodeLinks, One(key, InodeItem(040755).Put<uint32_t>(40, 2)));
  Passes(One(key, InodeItem(0100644).Put<uint32_t>(40, 65535)));
}

TEST(KernelRules, InodeFlags) {
  const Key key{257, kInodeItemType, 0};
  const auto inode = [](int bit) { return InodeItem().Put<uint64_t>(64, uint64_t{1} << bit); };
  const TreeBlockLimits writable = With(&TreeBlockLimits::writable, true);
  for (int bit = 0; bit < 64; ++bit) {
    const bool known = bit <= 11 || bit == 31 || bit == 32;
    if (known || bit > 32) {
      Passes(One(key, inode(bit)));
    } else {
      Refused(Rejection::kInodeFlags, One(key, inode(bit)));
    }
    if (known) {
      Passes(One(key, inode(bit)), kFsTreeId, writable);
    } else {
      Refused(Rejection::kInodeFlags, One(key, inode(bit)), kFsTreeId, writable);
    }
  }
}

TEST(KernelRules, NamesOfInodes) {
  const Key ref{257, kInodeRefType, 256};
  const Key extref{257, kInodeExtrefType, 9};
  Passes(One(ref, InodeRef("n")));
  Passes(One(ref, Joined(InodeRef("n"), InodeRef(std::string(256, 'n')))));  // no limit of 255
  Passes(One(extref, InodeExtref(std::string(256, 'n'))));
  Refused(Rejection::kNameLength, One(ref, InodeRef("")));
  Refused(Rejection::kNameLength, One(extref, InodeExtref("")));
  Refused(Rejection::kNameTruncated, One(ref, InodeRef("abc").Put<uint16_t>(8, 4)));
  Refused(Rejection::kNameTruncated, One(extref, InodeExtref("abc").Put<uint16_t>(16, 4)));
  Refused(Rejection::kNameTruncated, One(ref, Joined(InodeRef("abc"), "x")));
}

ItemBytes EntryTo(const Key& location, uint8_t type = 1) {
  return DirectoryEntry("name", type)
      .Put<uint64_t>(0, location.objectid)
      .Put<uint8_t>(8, location.type)
      .Put<uint64_t>(9, location.offset);
}

TEST(KernelRules, WhereEntriesLead) {
  const uint64_t hash = HashOf("name");
  for (uint8_t type : {kDirItemType, kDirIndexType}) {
    const Key key{256, type, hash};
    for (uint8_t location : {kInodeItemType, kUntypedType}) {
      for (uint64_t inode : {uint64_t{6}, uint64_t{256}, kLastFreeObjectId}) {
        Passes(One(key, EntryTo({inode, location, 0})));
      }
      for (uint64_t inode : {uint64_t{0}, uint64_t{5}, uint64_t{255}, kLastFreeObjectId + 1}) {
        Refused(Rejection::kDirectoryLocation, One(key, EntryTo({inode, location, 0})));
      }
      Refused(Rejection::kDirectoryLocation, One(key, EntryTo({256, location, 1})));
    }
    for (uint64_t tree : {kFsTreeId, uint64_t{256}}) {
      Passes(One(key, EntryTo({tree, kRootItemType, 0}, 2)));
      Passes(One(key, EntryTo({tree, kRootItemType, ~uint64_t{0}}, 2)));
    }
    for (uint64_t tree : {uint64_t{0}, kExtentTreeId, uint64_t{255}, kDataRelocTreeId}) {
      Refused(Rejection::kDirectoryLocation, One(key, EntryTo({tree, kRootItemType, 0}, 2)));
    }
    for (uint8_t location : {kInodeRefType, kDirItemType, kChunkItemType}) {
      Refused(Rejection::kDirectoryLocation, One(key, EntryTo({256, location, 0})));
    }
  }
  const Key xattr{256, kXattrItemType, hash};
  Passes(One(xattr, EntryTo(kMinKey, 8)));
  Refused(Rejection::kDirectoryLocation, One(xattr, EntryTo({256, kInodeItemType, 0}, 8)));
  Refused(Rejection::kDirectoryLocation, One(xattr, EntryTo({1, 0, 0}, 8)));
  Refused(Rejection::kDirectoryLocation, One(xattr, EntryTo({0, 0, 1}, 8)));
}

TEST(KernelRules, FieldsOfEntries) {
  const uint64_t hash = HashOf("name");
  const Key entry{256, kDirItemType, hash};
  const Key index{256, kDirIndexType, 2};
  const Key xattr{256, kXattrItemType, hash};
  for (uint8_t type = 0; type < 8; ++type) Passes(One(entry, DirectoryEntry("name", type)));
  Passes(One(entry, DirectoryEntry("name", 0x81)));  // encrypted
  for (uint8_t type : {8, 9}) {
    Refused(Rejection::kDirectoryType, One(entry, EntryTo({256, kInodeItemType, 0}, type)));
  }
  Refused(Rejection::kDirectoryType, One(xattr, EntryTo(kMinKey, 7)));
  Passes(One(xattr, DirectoryEntry("name", 8, "value")));
  Refused(Rejection::kDirectoryData, One(entry, DirectoryEntry("name", 1, "value")));
  const std::string long_name(255, 'n');
  Passes(One({256, kDirItemType, HashOf(long_name)}, DirectoryEntry(long_name)));
  Refused(Rejection::kNameLength,
          One({256, kDirItemType, HashOf(long_name + "n")}, DirectoryEntry(long_name + "n")));
  Refused(Rejection::kDirectoryHash, One({256, kDirItemType, hash + 1}, DirectoryEntry("name")));
  Refused(Rejection::kDirectoryHash,
          One({256, kXattrItemType, hash + 1}, DirectoryEntry("name", 8)));
  // The number of an index is no hash, and nothing says that it has one entry only.
  Passes(One(index, DirectoryEntry("name")));
  Passes(One(index, Joined(DirectoryEntry("name"), DirectoryEntry("other"))));
}

TEST(KernelRules, FileExtents) {
  const Key key{257, kExtentDataType, 4096};
  Passes(One(key, FileExtent()));
  Refused(Rejection::kFileExtentAlign, One({257, kExtentDataType, 4097}, FileExtent()));
  for (uint8_t type : {1, 2}) Passes(One(key, FileExtent().Put<uint8_t>(20, type)));
  Refused(Rejection::kFileExtentType, One(key, FileExtent().Put<uint8_t>(20, 3)));
  Passes(One(key, FileExtent().Put<uint8_t>(16, 3)));
  Refused(Rejection::kFileExtentEncoding, One(key, FileExtent().Put<uint8_t>(16, 4)));
  Refused(Rejection::kFileExtentEncoding, One(key, FileExtent().Put<uint8_t>(17, 1)));
  Passes(One(key, FileExtent().Put<uint16_t>(18, 0xffff)));  // the other encoding
  Refused(Rejection::kFileExtentSize, One(key, Joined(FileExtent(), "x")));
  for (size_t at : {8, 21, 29, 37, 45}) {
    Passes(One(key, FileExtent().Put<uint64_t>(at, 8192)));
    Refused(Rejection::kFileExtentAlign, One(key, FileExtent().Put<uint64_t>(at, 8193)));
  }
  // Only where it ends in its file counts.
  Passes(One(key, FileExtent().Put<uint64_t>(21, kLast).Put<uint64_t>(37, kLast)));
  Passes(One({257, kExtentDataType, kLast - 4096}, FileExtent(4096)));
  Refused(Rejection::kFileExtentRange, One({257, kExtentDataType, kLast}, FileExtent(4096 * 2)));
}

TEST(KernelRules, FileExtentsDoNotReachIntoTheNext) {
  const auto next = [](uint64_t offset) {
    return LeafItem{{257, kExtentDataType, offset}, FileExtent(4096)};
  };
  const LeafItem first{{257, kExtentDataType, 0}, FileExtent(8192)};
  Passes({first, next(8192)});
  Refused(Rejection::kFileExtentOverlap, {first, next(4096)});
  Passes({first,
          {{258, kInodeItemType, 0}, InodeItem()},
          {{258, kExtentDataType, 4096}, FileExtent()}});
  // What is inline takes whole sectors.
  const auto packed = [](uint64_t file_bytes) {
    return LeafItem{{257, kExtentDataType, 0},
                    InlineExtent("packed").Put<uint8_t>(16, 1).Put<uint64_t>(8, file_bytes)};
  };
  Passes({packed(4096), next(4096)});
  Refused(Rejection::kFileExtentOverlap, {packed(4097), next(4096)});
  Refused(Rejection::kFileExtentOverlap, {packed(~uint64_t{0}), next(4096)});
}

TEST(KernelRules, InlineExtents) {
  const Key key{257, kExtentDataType, 0};
  Passes(One(key, InlineExtent("data")));
  Refused(Rejection::kFileExtentInline, One({257, kExtentDataType, 4096}, InlineExtent("data")));
  Refused(Rejection::kFileExtentInline, One(key, InlineExtent("data").Put<uint64_t>(8, 5)));
  Passes(One(key, InlineExtent("data").Put<uint64_t>(8, 5).Put<uint8_t>(16, 2)));
  Passes(One(key, InlineExtent("")));
  Refused(Rejection::kFileExtentSize, One(key, std::string(20, '\0')));
}

TEST(KernelRules, DataChecksums) {
  const auto sums = [](uint64_t offset, size_t count, size_t bytes = 4) {
    return LeafItem{{kChecksums, kExtentCsumType, offset}, std::string(count * bytes, 'c')};
  };
  Passes({sums(kMiB, 2), sums(kMiB + 8192, 1)});
  Refused(Rejection::kChecksumOverlap, {sums(kMiB, 3), sums(kMiB + 8192, 1)});
  Passes({sums(kMiB, 0)});  // nothing is a multiple of everything
  Refused(Rejection::kChecksumSize, {sums(kMiB, 5, 1)});
  Refused(Rejection::kChecksumKey, {sums(kMiB + 512, 1)});
  Refused(Rejection::kChecksumKey, One({kChecksums - 1, kExtentCsumType, kMiB}, "csum"));
}

// New checksums stand beside the old ones, of a type that no item tells, and at last in their
// place.
TEST(KernelRules, DataChecksumsThatAreBeingChanged) {
  const TreeBlockLimits changing = With(&TreeBlockLimits::changing_checksums, true);
  for (uint64_t objectid : {kChecksums, kNewChecksums}) {
    for (size_t bytes : {4, 8, 32}) {
      const LeafItem first{{objectid, kExtentCsumType, kMiB}, std::string(3 * bytes, 'c')};
      const LeafItem next{{objectid, kExtentCsumType, kMiB + 3 * 4096}, std::string(bytes, 'c')};
      Passes({first, next}, kCsumTreeId, changing);
    }
    Refused(Rejection::kChecksumSize, One({objectid, kExtentCsumType, kMiB}, "odd"), kCsumTreeId,
            changing);
    Refused(Rejection::kChecksumOverlap,
            {{{objectid, kExtentCsumType, kMiB}, std::string(64, 'c')},
             {{objectid, kExtentCsumType, kMiB + 4096}, "csum"}},
            kCsumTreeId, changing);
  }
  Refused(Rejection::kChecksumKey, One({kNewChecksums, kExtentCsumType, kMiB}, "csum"));
  Refused(Rejection::kChecksumKey, One({257, kExtentCsumType, kMiB}, "csum"), kCsumTreeId,
          changing);
}

// ---- Roots --------------------------------------------------------------------------------------

TEST(KernelRules, Roots) {
  const Key key{257, kRootItemType, 0};
  Passes(One({1, kRootItemType, 0}, RootItemOf()));
  Refused(Rejection::kRootKey, One({0, kRootItemType, 0}, RootItemOf()));
  for (uint64_t tree : {kFsTreeId, uint64_t{256}, kDataRelocTreeId}) {
    Passes(One({kTreeRelocId, kRootItemType, tree}, RootItemOf()));
  }
  for (uint64_t tree : {uint64_t{0}, kExtentTreeId, uint64_t{255}}) {
    Refused(Rejection::kRootKey, One({kTreeRelocId, kRootItemType, tree}, RootItemOf()));
  }
  const std::string root = RootItemOf();
  Passes(One(key, root.substr(0, 239)));
  for (size_t size : {238, 240, 438, 440}) {
    Refused(Rejection::kRootItem, One(key, (root + "x").substr(0, size)));
  }
  for (size_t at : {160, 200, 239}) {
    Passes(One(key, RootItemOf().Put<uint64_t>(at, 8)));
    Refused(Rejection::kRootGeneration, One(key, RootItemOf().Put<uint64_t>(at, 9)));
  }
  Passes(One(key, RootItemOf(0)));
  Refused(Rejection::kRootItem, One(key, RootItemOf(kMiB + 512)));
  TreeBlockLimits large_sectors = kLimits;
  large_sectors.sector_bytes = 65536;
  Refused(Rejection::kRootItem, One(key, RootItemOf(kMiB + 4096)), kFsTreeId, large_sectors);
  for (size_t at : {237, 238}) {
    Passes(One(key, RootItemOf().Put<uint8_t>(at, 7)));
    Refused(Rejection::kRootItem, One(key, RootItemOf().Put<uint8_t>(at, 8)));
  }
  Passes(One(key, RootItemOf().Put<uint64_t>(220, 5)));  // drop progress, at level 0
  for (int bit = 0; bit < 64; ++bit) {
    const Items items = One(key, RootItemOf().Put<uint64_t>(208, uint64_t{1} << bit));
    bit == 0 || bit == 48 ? Passes(items) : Refused(Rejection::kRootFlags, items);
  }
}

// ---- Anything else ------------------------------------------------------------------------------

TEST(KernelRules, OtherTypesMayHoldAnything) {
  const std::set<int> with_rules = {1,   12,  13,  24,  84,  96,  108, 128, 132, 168,
                                    169, 176, 178, 182, 184, 192, 204, 216, 228, 230};
  for (int type = 0; type < 256; ++type) {
    if (with_rules.contains(type)) continue;
    for (size_t bytes : {0, 1, 17}) {
      Passes(One({3, static_cast<uint8_t>(type), 3}, std::string(bytes, 'x')));
    }
  }
}

}  // namespace
}  // namespace ebcache::testing
