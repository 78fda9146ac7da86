#include "lib/txn/undo_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/base/bytes.h"
#include "lib/base/status_number.h"
#include "lib/format/checksum.h"

namespace ebcache::txn {
namespace {

// "ebcUndo1", as bytes lie.
constexpr uint64_t kMagic = 0x316f646e55636265;
constexpr size_t kHeadBytes = 16;  // the magic, the number of images
constexpr size_t kImageBytes = 16 + 8 + kSuperblockBytes;
constexpr size_t kRecordBytes = 8 + 8 + 8;  // generation, hash, checksum of both
// One for each place on each device.
constexpr uint64_t kMostImages = 3 * 65536;

absl::Status SystemError(const std::string& path, const char* what) {
  const int error = errno;
  return WithNumber(absl::ErrnoToStatus(error, absl::StrCat(path, ": ", what)), error);
}

template <typename T>
void Append(T value, std::vector<std::byte>& out) {
  out.resize(out.size() + sizeof(T));
  StoreLe<T>(value, out.data() + out.size() - sizeof(T));
}

void AppendRecord(const UndoRecord& record, std::vector<std::byte>& out) {
  const size_t begin = out.size();
  Append<uint64_t>(record.generation, out);
  Append<uint64_t>(record.state_hash, out);
  Append<uint64_t>(Crc32cOf(~0u, absl::MakeConstSpan(out).subspan(begin)), out);
}

std::optional<UndoRecord> RecordAt(absl::Span<const std::byte> bytes) {
  const uint64_t crc = LoadLe<uint64_t>(bytes.data() + 16);
  if (crc != Crc32cOf(~0u, bytes.subspan(0, 16))) return std::nullopt;
  return UndoRecord{LoadLe<uint64_t>(bytes.data()), LoadLe<uint64_t>(bytes.data() + 8)};
}

// All of it at `offset`, and durable.
absl::Status WriteDurably(int fd, const std::string& path, absl::Span<const std::byte> bytes,
                          uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return SystemError(path, "writing");
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return fdatasync(fd) == 0 ? absl::OkStatus() : SystemError(path, "syncing");
}

// Takes a new file away again, unless it is kept: also where memory is out on the way.
class NewFile {
 public:
  explicit NewFile(const char* path) : path_(path) {}
  ~NewFile() {
    if (path_ != nullptr) unlink(path_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  void Keep() { path_ = nullptr; }

 private:
  const char* path_;
};

// A new name is durable with its folder.
absl::Status SyncFolderOf(const std::string& path) {
  const std::string folder = FolderOf(path);
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok() || fsync(fd.get()) != 0) return SystemError(folder, "syncing");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UndoFile> UndoFile::Create(const std::string& path,
                                          absl::Span<const SuperblockImage> images,
                                          const UndoRecord& start) {
  std::vector<std::byte> bytes;
  txn::Append<uint64_t>(kMagic, bytes);
  txn::Append<uint64_t>(images.size(), bytes);
  for (const SuperblockImage& image : images) {
    for (const auto byte : image.device_uuid) bytes.push_back(static_cast<std::byte>(byte));
    txn::Append<uint64_t>(image.offset, bytes);
    bytes.insert(bytes.end(), image.bytes.begin(), image.bytes.end());
  }
  txn::Append<uint64_t>(Crc32cOf(~0u, bytes), bytes);
  AppendRecord(start, bytes);
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.ok()) {
    if (errno != EEXIST) return SystemError(path, "making the undo file");
    return absl::AlreadyExistsError(absl::StrCat(
        path,
        ": a session that was neither settled nor undone has left it: undo it, or remove it"));
  }
  NewFile made(path.c_str());
  absl::Status status = WriteDurably(fd.get(), path, bytes, 0);
  if (status.ok()) status = SyncFolderOf(path);
  if (!status.ok()) return status;
  absl::StatusOr<UndoFile> file = UndoFile(path, std::move(fd), bytes.size());
  made.Keep();
  return file;
}

absl::Status UndoFile::Append(const UndoRecord& record) {
  std::vector<std::byte> bytes;
  AppendRecord(record, bytes);
  absl::Status status = WriteDurably(fd_.get(), path_, bytes, bytes_);
  if (status.ok()) bytes_ += bytes.size();
  return status;
}

absl::StatusOr<UndoContents> UndoFile::Load(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (!fd.ok() || fstat(fd.get(), &info) != 0) return SystemError(path, "opening the undo file");
  const auto damaged = [&](const char* why) {
    return absl::DataLossError(absl::StrCat(path, ": not an undo file, or damaged: ", why));
  };
  const uint64_t most = kHeadBytes + kMostImages * kImageBytes;
  if (!S_ISREG(info.st_mode)) return damaged("not a file");
  if (static_cast<uint64_t>(info.st_size) > most) return damaged("too long");
  std::vector<std::byte> file(static_cast<size_t>(info.st_size));
  size_t have = 0;
  while (have < file.size()) {
    const ssize_t bytes =
        pread(fd.get(), file.data() + have, file.size() - have, static_cast<off_t>(have));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return SystemError(path, "reading");
    have += static_cast<size_t>(bytes);
  }
  if (file.size() < kHeadBytes || LoadLe<uint64_t>(file.data()) != kMagic) {
    return damaged("it begins otherwise");
  }
  const uint64_t count = LoadLe<uint64_t>(file.data() + 8);
  const absl::Span<const std::byte> bytes(file);
  if (count > kMostImages || bytes.size() < kHeadBytes + count * kImageBytes + 8) {
    return damaged("it is too short");
  }
  const size_t images_end = kHeadBytes + count * kImageBytes;
  if (LoadLe<uint64_t>(&bytes[images_end]) != Crc32cOf(~0u, bytes.subspan(0, images_end))) {
    return damaged("its checksum is wrong");
  }
  UndoContents contents;
  for (uint64_t i = 0; i < count; ++i) {
    const absl::Span<const std::byte> at = bytes.subspan(kHeadBytes + i * kImageBytes, kImageBytes);
    SuperblockImage& image = contents.images.emplace_back();
    std::memcpy(image.device_uuid.data(), at.data(), image.device_uuid.size());
    image.offset = LoadLe<uint64_t>(&at[16]);
    std::copy_n(at.begin() + 24, kSuperblockBytes, image.bytes.begin());
  }
  for (size_t at = images_end + 8; at + kRecordBytes <= bytes.size(); at += kRecordBytes) {
    const std::optional<UndoRecord> record = RecordAt(bytes.subspan(at, kRecordBytes));
    if (!record) break;  // its commit has not come as far as superblocks
    contents.records.push_back(*record);
  }
  if (contents.records.empty()) return damaged("it does not say what the session began with");
  return contents;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

absl::Status RemoveUndoFile(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return SystemError(path, "removing");
  return SyncFolderOf(path);
}

}  // namespace ebcache::txn
