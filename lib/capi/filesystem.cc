// Filesystems: opened, described, closed.

#include "ebcache/filesystem.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/device_use.h"
#include "lib/base/status_number.h"
#include "lib/capi/callback_device.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

void Log(const ebcache_filesystem& handle, ebcache_log_level level, const std::string& message) {
  if (handle.options.log != nullptr) {
    handle.options.log(handle.options.context, level, message.c_str());
  }
}

void TellOfMirror(const ebcache_filesystem& handle, const MirrorDamage& damage) {
  Log(handle, damage.recovered ? EBCACHE_LOG_WARNING : EBCACHE_LOG_ERROR,
      absl::StrCat("block ", damage.logical, ": ", damage.ToString()));
  if (handle.options.damage == nullptr) return;
  const ebcache_mirror_damage outside{.size = sizeof(outside),
                                      .logical = damage.logical,
                                      .device_id = damage.place.device_id,
                                      .physical = damage.place.offset,
                                      .device = damage.device.c_str(),
                                      .reason = damage.reason.c_str(),
                                      .mirror = static_cast<uint32_t>(damage.mirror),
                                      .recovered = damage.recovered ? 1u : 0u,
                                      .device_missing = damage.device_missing ? 1u : 0u,
                                      .no_memory = damage.no_memory ? 1u : 0u,
                                      .repaired = damage.repaired ? 1u : 0u};
  handle.options.damage(handle.options.context, &outside);
}

void TellOfOpening(const ebcache_filesystem& handle) {
  Volume& volume = handle.filesystem->volume();
  for (const std::string& warning : volume.superblock_warnings()) {
    Log(handle, EBCACHE_LOG_WARNING, warning);
  }
  for (const std::string& notice : volume.notices()) Log(handle, EBCACHE_LOG_WARNING, notice);
  for (const MissingDevice& device : volume.missing_devices()) {
    Log(handle, EBCACHE_LOG_WARNING, device.ToString());
  }
  for (const WalkDamage& damage : handle.filesystem->open_damage()) {
    Log(handle, EBCACHE_LOG_ERROR, damage.ToString());
  }
}

// All copies of the block at `logical`.
absl::StatusOr<std::vector<PhysicalExtent>> Copies(const ebcache_filesystem& handle,
                                                   uint64_t logical, uint32_t mirror) {
  auto copies =
      handle.filesystem->volume().Map(logical, handle.filesystem->superblock().node_bytes);
  if (copies.ok() && (mirror == 0 || mirror > copies->size())) {
    return absl::NotFoundError(
        absl::StrCat("block ", logical, ": no copy ", mirror, ", there are ", copies->size()));
  }
  return copies;
}

// "block L: REASON" with the mirror in it.
absl::Status WithMirror(uint64_t logical, uint32_t mirror, const absl::Status& status) {
  absl::string_view reason = status.message();
  absl::ConsumePrefix(&reason, absl::StrCat("block ", logical, ": "));
  return Reworded(status, absl::StrCat("block ", logical, ", mirror ", mirror, ": ", reason));
}

}  // namespace

int OpenBy(const ebcache_filesystem_options* options, ebcache_filesystem** filesystem,
           absl::FunctionRef<absl::StatusOr<std::unique_ptr<Filesystem>>(FilesystemOptions)> open) {
  auto handle = std::make_unique<ebcache_filesystem>();
  if (const int error = CopyIn(options, handle->options, "options"); error != 0) return error;
  FilesystemOptions inside;
  if (handle->options.cache != nullptr) {
    if (const int error = Inside(handle->options.cache, inside.cache); error != 0) return error;
    if (handle->options.cache->size > offsetof(ebcache_cache_options, node_bytes) &&
        handle->options.cache->node_bytes != 0) {
      return Fail(EINVAL, "node_bytes must be 0: the filesystem has it");
    }
  }
  inside.writable = handle->options.writable != 0;
  // The caller's struct need not be there any longer when this has returned.
  handle->options.cache = nullptr;
  if (handle->options.log != nullptr || handle->options.damage != nullptr) {
    inside.on_damage = [told = handle.get()](const MirrorDamage& damage) {
      TellOfMirror(*told, damage);
    };
  }
  absl::StatusOr<std::unique_ptr<Filesystem>> opened = open(std::move(inside));
  if (!opened.ok()) {
    return handle->options.writable != 0 ? FailToWrite(opened.status()) : Fail(opened.status());
  }
  handle->filesystem = *std::move(opened);
  handle->cache.cache = &handle->filesystem->cache();
  handle->cache.owner = handle.get();
  TellOfOpening(*handle);
  *filesystem = handle.release();
  return 0;
}

}  // namespace ebcache::capi

int ebcache_filesystem::RefuseWrites() const {
  if (!filesystem->writable()) return 0;
  return ebcache::capi::Fail(EACCES,
                             "blocks of a filesystem are written by its transactions alone");
}

int ebcache_filesystem::RefuseInSession() const {
  if (!ebcache::capi::HasSession(*this)) return 0;
  return ebcache::capi::Fail(EBUSY, "a session over the filesystem is open");
}

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_open(const char* const* paths, size_t count, const ebcache_filesystem_options* options,
                 ebcache_filesystem** filesystem) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  *filesystem = nullptr;
  if (const int error = CheckList(paths, count, "paths"); error != 0) return error;
  return Guard([&] {
    return OpenBy(options, filesystem, [&](FilesystemOptions inside) {
      return Filesystem::Open(std::vector<std::string>(paths, paths + count), std::move(inside));
    });
  });
}

int ebcache_device_use(const char* path) {
  if (path == nullptr) return NullArgument("path");
  return Guard([&] {
    const std::optional<std::string> use = FindDeviceUse(path);
    return use ? Fail(EBUSY, absl::StrCat(path, " ", *use)) : 0;
  });
}

int ebcache_open_devices(const ebcache_device* const* devices, size_t count,
                         const ebcache_filesystem_options* options,
                         ebcache_filesystem** filesystem) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  *filesystem = nullptr;
  return Guard([&] {
    ebcache_filesystem_options how;
    if (const int error = CopyIn(options, how, "options"); error != 0) return error;
    std::vector<std::unique_ptr<CallbackDevice>> made;
    if (const int error = MakeDevices(devices, count, how.writable != 0, made); error != 0) {
      return error;
    }
    std::vector<CallbackDevice*> to_arm;
    std::vector<std::unique_ptr<BlockDevice>> inside;
    for (std::unique_ptr<CallbackDevice>& device : made) {
      to_arm.push_back(device.get());
      inside.push_back(std::move(device));
    }
    const int error = OpenBy(options, filesystem, [&](FilesystemOptions given) {
      return Filesystem::OpenDevices(std::move(inside), std::move(given));
    });
    if (error == 0) {
      for (CallbackDevice* device : to_arm) device->Arm();
    }
    return error;
  });
}

int ebcache_close(ebcache_filesystem* filesystem) {
  if (filesystem == nullptr) return 0;
  return Guard([&] {
    if (HasSession(*filesystem)) return Fail(EBUSY, "a session over the filesystem is open");
    if (const int error = FailIfReadAhead(filesystem->cache); error != 0) return error;
    if (const int error = FailIfHeld(*filesystem->cache.cache); error != 0) return error;
    if (const int error = RefuseUnwritten(*filesystem->cache.cache); error != 0) return error;
    if (filesystem->preview != nullptr) --filesystem->preview->filesystems;
    delete filesystem;
    return 0;
  });
}

ebcache_cache* ebcache_filesystem_cache(ebcache_filesystem* filesystem) {
  return filesystem != nullptr ? &filesystem->cache : nullptr;
}

int ebcache_filesystem_info(const ebcache_filesystem* filesystem,
                            struct ebcache_filesystem_info* info) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  return Guard([&] {
    const Superblock& super = filesystem->filesystem->superblock();
    struct ebcache_filesystem_info full {
      .size = sizeof(full), .fsid = {}, .generation = super.generation,
      .total_bytes = super.total_bytes, .devices = super.num_devices,
      .missing_devices = filesystem->filesystem->volume().missing_devices().size(),
      .node_bytes = super.node_bytes, .sector_bytes = super.sector_bytes,
      .checksum_type = static_cast<uint32_t>(super.checksum_type),
      .damaged = filesystem->filesystem->open_damage().empty() ? 0u : 1u, .label = {}
    };
    std::memcpy(full.fsid, super.fsid.data(), sizeof(full.fsid));
    std::memcpy(full.label, super.label.data(),
                std::min(super.label.size(), sizeof(full.label) - 1));
    return CopyOut(full, info, "info");
  });
}

int ebcache_place(const ebcache_filesystem* filesystem, uint64_t logical, uint32_t mirror,
                  struct ebcache_place* place) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  return Guard([&] {
    const auto copies = Copies(*filesystem, logical, mirror);
    if (!copies.ok()) return Fail(copies.status());
    const PhysicalExtent& copy = (*copies)[mirror - 1];
    const struct ebcache_place full {
      .size = sizeof(full), .device_id = copy.place.device_id, .physical = copy.place.offset,
      .missing = copy.device == nullptr ? 1u : 0u, .copies = static_cast<uint32_t>(copies->size())
    };
    return CopyOut(full, place, "place");
  });
}

int ebcache_read_mirror(ebcache_filesystem* filesystem, uint64_t logical, uint32_t mirror,
                        const ebcache_check* check, ebcache_buffer** buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  *buffer = nullptr;
  if (filesystem == nullptr) return NullArgument("filesystem");
  return Guard([&] {
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = Inside(check, inside, &use); error != 0) return error;
    const auto copies = Copies(*filesystem, logical, mirror);
    if (!copies.ok()) return Fail(copies.status());
    absl::StatusOr<ExtentBufferRef> made = filesystem->cache.cache->CreateDummy(logical);
    if (!made.ok()) return Fail(made.status());
    const Volume& volume = filesystem->filesystem->volume();
    const absl::Status status = volume.ReadCopy(**made, static_cast<int>(mirror), use);
    if (!status.ok()) return Fail(WithMirror(logical, mirror, status));
    *buffer = HandOut(*std::move(made));
    return 0;
  });
}
