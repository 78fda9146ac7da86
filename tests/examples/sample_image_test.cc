#include "examples/sample_image.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace ebcache::examples {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(TemporaryDirectory, GoesWithAllThatIsInIt) {
  setenv("TMPDIR", ::testing::TempDir().c_str(), 1);
  std::string path;
  {
    absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
    ASSERT_TRUE(directory.ok()) << directory.status();
    path = directory->path();
    EXPECT_THAT(path, StartsWith(::testing::TempDir()));
    ASSERT_TRUE(MakeFiles(path, 300, [](uint64_t) {}).ok());
    EXPECT_TRUE(std::filesystem::exists(path + "/directory-0001/file-000299"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryDirectory, StaysWhenKept) {
  setenv("TMPDIR", ::testing::TempDir().c_str(), 1);
  std::string path;
  {
    TemporaryDirectory directory = *TemporaryDirectory::Create();
    path = directory.path();
    directory.Keep();
    EXPECT_EQ(directory.path(), path);
  }
  EXPECT_TRUE(std::filesystem::remove(path));
}

TEST(TemporaryDirectory, SaysWhereItCannotBe) {
  setenv("TMPDIR", "/no/such/place", 1);
  EXPECT_THAT(std::string(TemporaryDirectory::Create().status().message()),
              HasSubstr("/no/such/place"));
}

TEST(MakeImage, PassesOnWhatMkfsSays) {
  const std::string directory = ::testing::TempDir() + "/empty";
  std::filesystem::create_directories(directory);
  const absl::Status status =
      MakeImage(directory, ::testing::TempDir() + "/image", {"--nodesize", "12345"});
  if (absl::IsNotFound(status)) GTEST_SKIP() << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("12345"));
}

}  // namespace
}  // namespace ebcache::examples
