// What parsers and encoders say of what they refuse, and items that hold several entries.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "ebcache/items.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

template <typename T>
std::string ParseError(const Bytes& bytes) {
  const absl::Status status = ParseItem<T>(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  return std::string(status.message());
}

template <typename T>
std::string AppendError(const T& value) {
  Bytes bytes(3);
  const absl::Status status = AppendItem(value, bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(bytes, Bytes(3));
  return std::string(status.message());
}

TEST(Items, LengthsThatTheirTypesDoNotHave) {
  EXPECT_EQ(ParseError<InodeItem>(Bytes(159)), "inode item: 159 bytes, it has 160");
  EXPECT_EQ(ParseError<InodeItem>(Bytes(161)), "inode item: 161 bytes, it has 160");
  EXPECT_EQ(ParseError<EmptyItem>(Bytes(1)), "item without data: 1 bytes, it has 0");
  // Between the two lengths that there are.
  EXPECT_EQ(ParseError<BlockGroupItem>(Bytes(25)), "block group item: 25 bytes, it has 24");
  EXPECT_EQ(ParseError<QgroupStatus>(Bytes(41)), "quota status: 41 bytes, it has 40");
  EXPECT_EQ(ParseError<FileExtentItem>(Bytes(20)),
            "file extent: 20 bytes, the fields in front have 21");
  Bytes regular(52);
  regular[20] = std::byte{1};
  EXPECT_EQ(ParseError<FileExtentItem>(regular), "file extent: 52 bytes, of type 1 it has 53");
  EXPECT_EQ(ParseError<InlineRef>({}), "inline reference: 0 bytes");
  EXPECT_EQ(ParseError<InlineRef>({std::byte{177}, std::byte{0}}),
            "inline reference: unknown type 177");
  EXPECT_EQ(ParseError<InlineRef>({std::byte{176}, std::byte{0}}),
            "tree block reference: 1 bytes, it has 8");
}

TEST(Items, LengthsThatLeadOutside) {
  Bytes ref(12);
  ref[8] = std::byte{3};
  EXPECT_EQ(ParseError<InodeRef>(ref),
            "inode reference: 3 bytes of name or data at 10, there are 2");
  Bytes entry(33);
  entry[27] = std::byte{2};
  entry[25] = std::byte{2};
  EXPECT_EQ(ParseError<DirEntry>(entry),
            "directory entry: 2 bytes of name or data at 32, there are 1");
  Bytes chunk(48 + 32);
  chunk[44] = std::byte{2};
  EXPECT_EQ(ParseError<ChunkItem>(chunk), "chunk item: 80 bytes, with 2 stripes it has 112");
  EXPECT_EQ(ParseError<SystemChunk>(Bytes(16)), "system chunk: 16 bytes, its key has 17");
}

TEST(Items, WhatFieldsCannotSay) {
  const std::string long_name(65536, 'n');
  EXPECT_EQ(AppendError(InodeRef{.name = long_name}),
            "inode reference: name or data of 65536 bytes, its length can be 65535");
  EXPECT_THAT(AppendError(DirEntry{.name = "x", .data = long_name}), HasSubstr("65536 bytes"));
  Bytes bytes;
  EXPECT_TRUE(AppendItem(InodeRef{.name = std::string_view(long_name).substr(1)}, bytes).ok());
  EXPECT_EQ(bytes.size(), 10 + 65535);

  EXPECT_THAT(AppendError(ChunkItem{.stripes = std::vector<ChunkStripe>(65536)}),
              HasSubstr("65536 stripes, there can be 65535"));
  EXPECT_THAT(AppendError(SystemChunk{.chunk = {.stripes = std::vector<ChunkStripe>(65536)}}),
              HasSubstr("65536 stripes"));
  EXPECT_THAT(AppendError(FileExtentItem{.type = 0, .place = FileExtentPlace{}}),
              HasSubstr("inline, and in another place"));
  EXPECT_THAT(AppendError(FileExtentItem{.type = 1}), HasSubstr("not inline, and in no place"));
  EXPECT_THAT(
      AppendError(FileExtentItem{.type = 2, .place = FileExtentPlace{}, .inline_data = "x"}),
      HasSubstr("inline data, and of type 2"));
}

TEST(Items, ExtentItemErrors) {
  const auto error = [](uint8_t type, const Bytes& bytes) {
    return std::string(ParseExtentItem(type, bytes).status().message());
  };
  EXPECT_EQ(error(kExtentItemType, Bytes(23)), "extent item: 23 bytes, the head alone has 24");
  Bytes block(24 + 17);
  block[16] = std::byte{2};
  EXPECT_EQ(error(kExtentItemType, block), "extent item: 41 bytes, of a tree block 42");
  EXPECT_EQ(error(kInodeItemType, block), "extent item: key type 1 is none of extents");
  // The skinny one has no more than its head in front of the references.
  const absl::StatusOr<ExtentItem> skinny = ParseExtentItem(kMetadataItemType, block);
  ASSERT_TRUE(skinny.ok());
  EXPECT_FALSE(skinny->block.has_value());
  EXPECT_EQ(skinny->inline_refs.size(), 17);

  Bytes out(1);
  const absl::Status status = AppendExtentItem({.flags = kExtentData}, TreeBlockInfo{}, {}, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(out.size(), 1);
}

TEST(Items, ReferencesThatAreCounted) {
  EXPECT_EQ(ReferencesOf(TreeBlockRef{7}), 1);
  EXPECT_EQ(ReferencesOf(SharedBlockRef{7}), 1);
  EXPECT_EQ(ReferencesOf(ExtentDataRef{.count = 3}), 3);
  EXPECT_EQ(ReferencesOf(SharedDataRef{.count = 4}), 4);
  EXPECT_EQ(ReferencesOf(ExtentOwnerRef{7}), 0);
}

TEST(Items, RecordsOfDirectories) {
  Bytes item;
  ASSERT_TRUE(AppendItem(DirEntry{.location = {257, kInodeItemType, 0}, .name = "one"}, item).ok());
  ASSERT_TRUE(AppendItem(DirEntry{.type = 8, .name = "two", .data = "value"}, item).ok());
  ItemRecords<DirEntry> entries(item);
  std::optional<DirEntry> entry = entries.Next();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->name, "one");
  EXPECT_EQ(entries.position(), 0);
  entry = entries.Next();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->data, "value");
  EXPECT_EQ(entries.position(), 33);
  EXPECT_FALSE(entries.Next());
  EXPECT_TRUE(entries.status().ok());

  // What is behind the last one is no entry.
  item.resize(item.size() + 29);
  ItemRecords<DirEntry> damaged(item);
  std::vector<std::string> names;
  while ((entry = damaged.Next())) names.emplace_back(entry->name);
  EXPECT_EQ(names, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(damaged.status().message(), "at byte 71: directory entry: 29 bytes, it has 30");
  EXPECT_EQ(damaged.position(), 71);
  EXPECT_FALSE(damaged.Next());
}

TEST(Items, DataChecksums) {
  Bytes item(12);
  item[4] = std::byte{7};
  const absl::StatusOr<DataChecksums> checksums = ParseDataChecksums(item, 4);
  ASSERT_TRUE(checksums.ok());
  EXPECT_EQ(checksums->size(), 3);
  EXPECT_EQ((*checksums)[1].data(), &item[4]);
  EXPECT_EQ((*checksums)[1].size(), 4);
  EXPECT_EQ(ParseDataChecksums(item, 8).status().message(), "checksums: 12 bytes, each has 8");
  EXPECT_EQ(ParseDataChecksums(item, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Items, FreeSpaceBits) {
  Bytes bits(256);
  SetFree(absl::MakeSpan(bits), 9, true);
  SetFree(absl::MakeSpan(bits), 2047, true);
  EXPECT_EQ(bits[1], std::byte{2});
  EXPECT_EQ(bits[255], std::byte{0x80});
  const absl::StatusOr<FreeSpaceBitmap> bitmap = ParseItem<FreeSpaceBitmap>(bits);
  ASSERT_TRUE(bitmap.ok());
  EXPECT_TRUE(bitmap->free(9));
  EXPECT_FALSE(bitmap->free(8));
  SetFree(absl::MakeSpan(bits), 9, false);
  EXPECT_FALSE(bitmap->free(9));
  EXPECT_EQ(bits[1], std::byte{0});
  EXPECT_EQ(ParseItem<FreeSpaceBitmap>({}).status().message(),
            "free space bitmap: 0 bytes, it has 1 to 256");
  bits.resize(257);
  EXPECT_FALSE(ParseItem<FreeSpaceBitmap>(bits).ok());
  EXPECT_FALSE(EncodeItem(FreeSpaceBitmap{bits}, absl::MakeSpan(bits)).ok());
}

}  // namespace
}  // namespace ebcache
