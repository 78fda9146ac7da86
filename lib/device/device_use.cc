#include "ebcache/device_use.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lib/device/system_devices.h"
#include "lib/device/use_beside_holder.h"

namespace ebcache {
namespace {

// A device whose use is a use of what was asked for.
struct Dependent {
  SystemDevice device;
  // From what was asked for to this device: "is what /dev/loop0 reads". Empty: it was asked for.
  std::string way;
  // It has the device before it for itself, mounted or not.
  bool holds = false;
  // The caller has it for itself alone, so that nothing else does.
  bool callers = false;

  std::string WayTo(const std::string& use) const {
    return way.empty() ? use : absl::StrCat(way, ", which ", use);
  }
};

class Dependents {
 public:
  Dependents(const std::string& path, const struct stat& info, bool callers,
             const SystemPaths& system)
      : system_(system), loops_(LoopDevices(system)) {
    if (S_ISBLK(info.st_mode)) {
      Add({.device = {info.st_rdev, path}, .way = "", .callers = callers});
    } else if (S_ISREG(info.st_mode)) {
      for (const LoopDevice& loop : loops_) {
        if (loop.ReadsFile(info)) Add({.device = loop.device, .way = Reads(loop)});
      }
    }
    for (size_t i = 0; i < found_.size(); ++i) AddNext(Dependent(found_[i]));
  }

  // Nearest first.
  const std::vector<Dependent>& found() const { return found_; }

 private:
  static std::string Reads(const LoopDevice& loop) {
    return absl::StrCat("is what ", loop.device.path, " reads");
  }

  void AddNext(const Dependent& to) {
    for (const LoopDevice& loop : loops_) {
      if (loop.device.number == to.device.number) AddBesideAndBelow(loop, to);
      if (loop.ReadsDevice(to.device.number))
        Add({.device = loop.device, .way = to.WayTo(Reads(loop))});
    }
    for (const SystemDevice& part : PartitionsOf(to.device.number, system_)) {
      Add({.device = part,
           .way = to.WayTo(absl::StrCat("has the partition ", part.path)),
           .callers = to.callers});
    }
    for (const SystemDevice& holder : HoldersOf(to.device.number, system_)) {
      Add({.device = holder,
           .way = to.WayTo(absl::StrCat("is part of ", holder.path)),
           .holds = true});
    }
  }

  // What a loop device changes, or what changes it: others that read the same, and the device that
  // it reads all of.
  void AddBesideAndBelow(const LoopDevice& loop, const Dependent& to) {
    for (const LoopDevice& other : loops_) {
      if (&other == &loop || !other.ReadsSameAs(loop)) continue;
      Add({.device = other.device,
           .way = to.WayTo(absl::StrCat("reads the same as ", other.device.path))});
    }
    if (loop.source && loop.source->device != 0 && loop.ReadsWhole()) {
      Add({.device = {loop.source->device, loop.source_name},
           .way = to.WayTo(absl::StrCat("reads ", loop.source_name))});
    }
  }

  // Each device once: there is more than one way to some; and as devices change between two looks
  // at them, it may look as if they went in a circle.
  void Add(const Dependent& dependent) {
    const bool known = std::any_of(found_.begin(), found_.end(), [&](const Dependent& other) {
      return other.device.number == dependent.device.number;
    });
    if (!known) found_.push_back(dependent);
  }

  const SystemPaths& system_;
  const std::vector<LoopDevice> loops_;
  std::vector<Dependent> found_;
};

std::optional<std::string> MountOf(dev_t number, const std::vector<MountedDevice>& mounted,
                                   const SystemPaths& system) {
  const auto found = std::find_if(mounted.begin(), mounted.end(), [&](const MountedDevice& other) {
    return other.device.number == number;
  });
  if (found == mounted.end()) return std::nullopt;
  const std::string where = MountPointOf(found->fsid, mounted, system);
  return where.empty() ? absl::StrCat("belongs to a filesystem that is mounted (", found->fsid, ")")
                       : absl::StrCat("is mounted at ", where);
}

std::optional<std::string> UseOf(const Dependents& dependents, const SystemPaths& system) {
  // What says most comes first.
  const std::vector<MountedDevice> mounted = MountedDevices(system);
  for (const Dependent& dependent : dependents.found()) {
    const std::optional<std::string> mount = MountOf(dependent.device.number, mounted, system);
    if (mount) return dependent.WayTo(*mount);
  }
  for (const Dependent& dependent : dependents.found()) {
    if (dependent.holds) return dependent.way;
  }
  for (const Dependent& dependent : dependents.found()) {
    if (!dependent.callers && HeldByAnother(dependent.device, system)) {
      return dependent.WayTo("is in use by the kernel or by another program");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FindDeviceUse(const std::string& path, const SystemPaths& system) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return UseOf(Dependents(path, info, /*callers=*/false, system), system);
}

std::optional<std::string> FindUseBesideHolder(const std::string& path, const struct stat& info,
                                               const SystemPaths& system) {
  return UseOf(Dependents(path, info, /*callers=*/true, system), system);
}

}  // namespace ebcache
