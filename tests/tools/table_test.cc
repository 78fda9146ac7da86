#include "tools/table.h"

#include <gtest/gtest.h>

#include <string>

namespace ebcache::tools {
namespace {

TEST(Table, AlignsNamesLeftAndNumbersRight) {
  Table table({"tree", "items", "level 1"});
  table.AddRow({"FS_TREE", "5", "12345678"});
  table.AddRow({"256", "100000"});
  ::testing::internal::CaptureStdout();
  table.Print();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "tree      items   level 1\n"
            "FS_TREE       5  12345678\n"
            "256      100000\n");
}

TEST(HumanBytes, UsesTheLargestUnitThatFits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(16384), "16 KiB");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(uint64_t{112} << 20), "112 MiB");
  EXPECT_EQ(HumanBytes(~uint64_t{0}), "16 EiB");
}

}  // namespace
}  // namespace ebcache::tools
