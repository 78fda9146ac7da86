// Previews: changes beside the devices.

#include "ebcache/preview.h"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/capi/callback_device.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

int Inside(const ebcache_preview_options* given, PreviewOptions& options) {
  ebcache_preview_options full;
  if (const int error = CopyIn(given, full, "options"); error != 0) return error;
  if (full.file != nullptr) {
    if (*full.file == '\0') return Fail(EINVAL, "file is empty");
    options.file = full.file;
  }
  options.applicable = full.not_applicable == 0;
  return 0;
}

int HandOutPreview(absl::StatusOr<std::unique_ptr<Preview>> opened,
                   std::unique_ptr<ebcache_preview> handle, ebcache_preview** preview) {
  if (!opened.ok()) return FailToWrite(opened.status());
  handle->preview = *std::move(opened);
  *preview = handle.release();
  return 0;
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_preview_open(const char* const* paths, size_t count,
                         const ebcache_preview_options* options, ebcache_preview** preview) {
  if (preview == nullptr) return NullArgument("preview");
  *preview = nullptr;
  if (const int error = CheckList(paths, count, "paths"); error != 0) return error;
  return Guard([&] {
    PreviewOptions inside;
    if (const int error = Inside(options, inside); error != 0) return error;
    auto handle = std::make_unique<ebcache_preview>();
    return HandOutPreview(
        Preview::Open(std::vector<std::string>(paths, paths + count), std::move(inside)),
        std::move(handle), preview);
  });
}

int ebcache_preview_open_devices(const ebcache_device* const* devices, size_t count,
                                 const ebcache_preview_options* options,
                                 ebcache_preview** preview) {
  if (preview == nullptr) return NullArgument("preview");
  *preview = nullptr;
  return Guard([&] {
    PreviewOptions inside;
    if (const int error = Inside(options, inside); error != 0) return error;
    std::vector<std::unique_ptr<CallbackDevice>> made;
    const int error = MakeDevices(devices, count, /*writable=*/true, made);
    if (error != 0) return error;
    auto handle = std::make_unique<ebcache_preview>();
    std::vector<CallbackDevice*> to_arm;
    std::vector<std::unique_ptr<BlockDevice>> all;
    for (std::unique_ptr<CallbackDevice>& device : made) {
      to_arm.push_back(device.get());
      all.push_back(std::move(device));
    }
    const int opened = HandOutPreview(Preview::OpenDevices(std::move(all), std::move(inside)),
                                      std::move(handle), preview);
    if (opened == 0) {
      for (CallbackDevice* device : to_arm) device->Arm();
    }
    return opened;
  });
}

int ebcache_preview_close(ebcache_preview* preview) {
  if (preview == nullptr) return 0;
  return Guard([&] {
    if (preview->filesystems != 0) return Fail(EBUSY, "filesystems of the preview are open");
    delete preview;
    return 0;
  });
}

int ebcache_preview_filesystem(ebcache_preview* preview, const ebcache_filesystem_options* options,
                               ebcache_filesystem** filesystem) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  *filesystem = nullptr;
  if (preview == nullptr) return NullArgument("preview");
  return Guard([&] {
    const int error = OpenBy(options, filesystem, [&](FilesystemOptions inside) {
      return preview->preview->OpenFilesystem(std::move(inside));
    });
    if (error != 0) return error;
    (*filesystem)->preview = preview;
    ++preview->filesystems;
    return 0;
  });
}

uint64_t ebcache_preview_changed_bytes(const ebcache_preview* preview) {
  return preview != nullptr ? preview->preview->changed_bytes() : 0;
}

int ebcache_preview_apply(ebcache_preview* preview) {
  if (preview == nullptr) return NullArgument("preview");
  return Guard([&] {
    const absl::Status status = preview->preview->Apply();
    return status.ok() ? 0 : FailToWrite(status);
  });
}
