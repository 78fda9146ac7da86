#include "ebcache/preview.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ebcache/device_use.h"
#include "lib/base/messages.h"
#include "lib/device/borrowed_device.h"
#include "lib/device/overlay_device.h"
#include "lib/fs/preview_state.h"
#include "lib/volume/superblock_images.h"
#include "lib/volume/superblock_reader.h"

namespace ebcache {
namespace {

bool IsSuperblock(uint64_t offset) {
  return std::find(kSuperblockOffsets.begin(), kSuperblockOffsets.end(), offset) !=
         kSuperblockOffsets.end();
}

absl::StatusOr<std::vector<SuperblockImage>> ImagesOf(BlockDevice& device) {
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  if (!found.ok()) return found.status();
  return ReadSuperblockImages(device, found->superblock.device);
}

// One device: what is below, what is written, and the superblocks that it began with.
struct Layer {
  std::unique_ptr<BlockDevice> below;
  std::unique_ptr<OverlayDevice> overlay;
  std::vector<SuperblockImage> began_with;
};

// Whether the superblocks of `target` are those that the preview began with. Where superblocks of it
// were begun to be written, each may also be the new one, or be torn.
absl::Status CheckUnchanged(BlockDevice& target, const Layer& layer,
                            const std::vector<SuperblockImage>& next, bool begun) {
  for (size_t i = 0; i < layer.began_with.size(); ++i) {
    const SuperblockImage& old = layer.began_with[i];
    SuperblockImage now;
    DeviceRead read{.offset = old.offset, .segments = {absl::MakeSpan(now.bytes)}};
    target.Read(absl::MakeSpan(&read, 1));
    if (!read.status.ok()) return read.status;
    if (now.bytes == old.bytes) continue;
    const bool is_next = i < next.size() && now.bytes == next[i].bytes;
    const bool ours = begun && (is_next || !ParseSuperblock(now.bytes, old.offset).ok());
    if (ours) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(target.name(), " was changed since the preview began"));
  }
  return absl::OkStatus();
}

}  // namespace

struct Preview::Impl {
  static absl::StatusOr<std::unique_ptr<Preview>> Make(
      std::vector<std::string> paths, std::vector<std::unique_ptr<BlockDevice>> devices,
      const PreviewOptions& options);

  absl::Status CheckMayApply() const;
  // The devices to write to. `opened` is what keeps them open.
  absl::StatusOr<std::vector<BlockDevice*>> Targets(
      std::vector<std::unique_ptr<BlockDevice>>& opened) const;
  absl::Status ApplyBlocks(absl::Span<BlockDevice* const> targets);

  std::vector<std::string> paths;  // none: the devices are the caller's
  std::vector<Layer> layers;
  std::shared_ptr<internal::PreviewState> state;  // and those of filesystems open for writing
  bool begun = false;                             // superblocks may be written
  bool applied = false;                           // all of them are
};

Preview::Preview(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Preview::~Preview() = default;

absl::StatusOr<std::unique_ptr<Preview>> Preview::Impl::Make(
    std::vector<std::string> paths, std::vector<std::unique_ptr<BlockDevice>> devices,
    const PreviewOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->paths = std::move(paths);
  impl->state = std::make_shared<internal::PreviewState>(
      internal::PreviewState{.applicable = options.applicable});
  for (std::unique_ptr<BlockDevice>& device : devices) {
    const size_t number = impl->layers.size() + 1;
    const std::string file = options.file.empty() || number == 1
                                 ? options.file
                                 : absl::StrCat(options.file, ".", number);
    absl::StatusOr<std::vector<SuperblockImage>> images = ImagesOf(*device);
    if (!images.ok()) return images.status();
    absl::StatusOr<std::unique_ptr<OverlayDevice>> overlay =
        OverlayDevice::Create(device.get(), file);
    if (!overlay.ok()) return overlay.status();
    impl->layers.push_back({.below = std::move(device),
                            .overlay = *std::move(overlay),
                            .began_with = *std::move(images)});
  }
  return std::unique_ptr<Preview>(new Preview(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Preview>> Preview::Open(const std::vector<std::string>& paths,
                                                       PreviewOptions options) {
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (const std::string& path : paths) {
    if (const std::optional<std::string> use = FindDeviceUse(path)) {
      return absl::FailedPreconditionError(absl::StrCat(path, " ", *use));
    }
    absl::StatusOr<std::unique_ptr<BlockDevice>> device = OpenFileDevice(path);
    if (!device.ok()) return device.status();
    devices.push_back(*std::move(device));
  }
  return Impl::Make(paths, std::move(devices), options);
}

absl::StatusOr<std::unique_ptr<Preview>> Preview::OpenDevices(
    std::vector<std::unique_ptr<BlockDevice>> devices, PreviewOptions options) {
  return Impl::Make({}, std::move(devices), options);
}

absl::StatusOr<std::unique_ptr<Filesystem>> Preview::OpenFilesystem(FilesystemOptions options) {
  if (impl_->begun) return absl::FailedPreconditionError("the preview was applied");
  if (options.writable && impl_->state.use_count() > 1) {
    return absl::FailedPreconditionError("a filesystem of the preview is open for writing");
  }
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (const Layer& layer : impl_->layers) {
    devices.push_back(std::make_unique<BorrowedDevice>(layer.overlay.get()));
  }
  const bool writable = options.writable;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::OpenDevices(std::move(devices), std::move(options));
  if (filesystem.ok() && writable) (*filesystem)->preview_ = impl_->state;
  return filesystem;
}

uint64_t Preview::changed_bytes() const {
  uint64_t blocks = 0;
  for (const Layer& layer : impl_->layers) blocks += layer.overlay->changed_blocks();
  return blocks * OverlayDevice::kBlockBytes;
}

// ---- Applying -----------------------------------------------------------------------------------

absl::Status Preview::Impl::CheckMayApply() const {
  const char* why_not = nullptr;
  if (applied) why_not = "it was applied before";
  if (!state->applicable) why_not = "the preview was not begun as one that can be applied";
  if (state->lost) why_not = "memory was out for what it must not overwrite";
  if (state.use_count() > 1) why_not = "a filesystem of the preview is open for writing";
  if (why_not == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(why_not);
}

absl::StatusOr<std::vector<BlockDevice*>> Preview::Impl::Targets(
    std::vector<std::unique_ptr<BlockDevice>>& opened) const {
  std::vector<BlockDevice*> targets;
  for (const std::string& path : paths) {
    absl::StatusOr<std::unique_ptr<BlockDevice>> device = OpenFileDevice(path, {.writable = true});
    if (!device.ok()) return device.status();
    targets.push_back(device->get());
    opened.push_back(*std::move(device));
  }
  for (const Layer& layer : layers) {
    if (paths.empty()) targets.push_back(layer.below.get());
  }
  return targets;
}

// Nothing that the devices' state reaches is written over: up to here it stays whole.
absl::Status Preview::Impl::ApplyBlocks(absl::Span<BlockDevice* const> targets) {
  for (size_t i = 0; i < layers.size(); ++i) {
    absl::Status status = layers[i].overlay->Apply(
        *targets[i], [](uint64_t offset) { return !IsSuperblock(offset); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Preview::Apply() {
  absl::Status status = impl_->CheckMayApply();
  if (!status.ok()) return Prefixed("not applied", status);
  std::vector<std::unique_ptr<BlockDevice>> opened;
  const absl::StatusOr<std::vector<BlockDevice*>> targets = impl_->Targets(opened);
  if (!targets.ok()) return Prefixed("not applied", targets.status());
  std::vector<DeviceImages> next;
  for (size_t i = 0; i < impl_->layers.size(); ++i) {
    Layer& layer = impl_->layers[i];
    absl::StatusOr<std::vector<SuperblockImage>> images = ImagesOf(*layer.overlay);
    if (!images.ok()) return Prefixed("not applied", images.status());
    status = CheckUnchanged(*(*targets)[i], layer, *images, impl_->begun);
    if (!status.ok()) return Prefixed("not applied", status);
    next.push_back({.device = (*targets)[i], .images = *std::move(images)});
  }
  status = impl_->ApplyBlocks(*targets);
  if (!status.ok()) return Prefixed("not applied", status);
  impl_->begun = true;
  status = WriteSuperblockImages(next);
  if (!status.ok()) return Prefixed("not applied to all devices, to be done again", status);
  impl_->applied = true;
  return absl::OkStatus();
}

}  // namespace ebcache
