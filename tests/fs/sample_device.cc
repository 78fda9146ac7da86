#include "tests/fs/sample_device.h"

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "tests/device/memory_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

std::string MakeFiles(int files) {
  const std::string directory = ::testing::TempDir() + "/sample-files";
  std::filesystem::create_directories(directory);
  for (int i = 0; i < files; ++i) {
    std::ofstream(absl::StrCat(directory, "/file-", i)) << std::string(i * 7 % 900, 'x');
  }
  return directory;
}

std::unique_ptr<MemoryDevice> Load(const std::string& path) {
  auto device = std::make_unique<MemoryDevice>("sample", std::filesystem::file_size(path));
  std::ifstream file(path, std::ios::binary);
  constexpr std::array<std::byte, 4096> kZeroes{};
  std::array<std::byte, 4096> page;
  for (uint64_t offset = 0; file.read(reinterpret_cast<char*>(page.data()), page.size());
       offset += page.size()) {
    if (std::memcmp(page.data(), kZeroes.data(), page.size()) != 0) device->Store(offset, page);
  }
  return device;
}

}  // namespace

std::vector<std::unique_ptr<BlockDevice>> Borrow(BlockDevice& device) {
  std::vector<std::unique_ptr<BlockDevice>> devices;
  devices.push_back(std::make_unique<BorrowedDevice>(&device));
  return devices;
}

std::unique_ptr<MemoryDevice> MakeSampleDevice(const std::string& mkfs_options, int files) {
  const std::string directory = MakeFiles(files);
  const std::vector<std::string> images =
      MakeImages(absl::StrCat(mkfs_options, " --rootdir ", directory), 1, uint64_t{128} << 20);
  std::filesystem::remove_all(directory);
  if (images.empty()) return nullptr;
  std::unique_ptr<MemoryDevice> device = Load(images[0]);
  std::filesystem::remove(images[0]);
  return device;
}

}  // namespace ebcache::testing
