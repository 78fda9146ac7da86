// ebcache find-block: from a logical address to the copies of a tree block, and to its place in a
// tree.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/command.h"
#include "tools/damage.h"
#include "tools/device_choice.h"
#include "tools/find_block/block_report.h"
#include "tools/json_output.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/subcommands.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Tells what is at a logical address of a btrfs filesystem's metadata

Maps <logical> (decimal, or 0x and hexadecimal; any address inside of a block) to the devices and
offsets of every copy, reads and verifies each of them, and prints owner, level and generation of
the block and the path to it from the root of its tree. The path is found by the block's first key;
where that does not lead to it, by looking at the nodes of all trees. Devices are image files or
block devices, all of one filesystem, not mounted. Nothing is written to them.

Exit code: 0 the block is in use and every copy that is there is good; 1 it is damaged, or no tree
block in use; 2 cannot tell: the filesystem cannot be opened or is mounted, or a part of it that may
lead there cannot be read, or memory is short, or the result cannot be written, or the command line
is wrong.)";

enum ExitCode { kFound = 0, kNotFound = 1 };

constexpr uint64_t kCacheBytes = uint64_t{64} << 20;

struct Request {
  std::vector<std::string> devices;
  DeviceChoice choice;
  uint64_t logical = 0;
  std::optional<DevicePlace> place;  // instead
  bool json = false;
};

std::optional<uint64_t> ParseAddress(const std::string& text) {
  const bool hex = text.rfind("0x", 0) == 0 || text.rfind("0X", 0) == 0;
  uint64_t address = 0;
  const bool number =
      hex ? absl::SimpleHexAtoi(text.substr(2), &address) : absl::SimpleAtoi(text, &address);
  return number ? std::optional(address) : std::nullopt;
}

std::optional<DevicePlace> ParsePlace(const std::string& text) {
  const size_t colon = text.find(':');
  DevicePlace place;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(0, colon), &place.device_id)) {
    return std::nullopt;
  }
  const std::optional<uint64_t> offset = ParseAddress(text.substr(colon + 1));
  if (!offset) return std::nullopt;
  place.offset = *offset;
  return place;
}

int ExitCodeOf(BlockReport::Verdict verdict) {
  switch (verdict) {
    case BlockReport::Verdict::kInUse:
      return kFound;
    case BlockReport::Verdict::kDamaged:
    case BlockReport::Verdict::kNotInUse:
      return kNotFound;
    case BlockReport::Verdict::kCannotTell:
      break;
  }
  return kCannotTell;
}

void ComplainOfFilesystem(const Command& command, const Volume& volume, const PathSearch& search) {
  ComplainOfNotices(command, volume);
  if (search.path) return;  // it was found in spite of what could not be read
  ComplainOfDamage(command, search.lost.kept(Cause::kDamage), search.lost.count(Cause::kDamage),
                   "lost blocks");
  ComplainOfUnread(command, search.lost);
}

int Run(const Command& command, const Request& request) {
  Progress progress;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      request.choice.Open(command, request.devices, {.cache = {.budget_bytes = kCacheBytes}});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());
  uint64_t logical = request.logical;
  if (request.place) {
    const absl::StatusOr<uint64_t> mapped = LogicalAddress((*filesystem)->volume(), *request.place);
    if (!mapped.ok()) {
      command.Complain(mapped.status().message());
      const bool sure = absl::IsNotFound(mapped.status()) && (*filesystem)->open_damage().empty();
      return sure ? kNotFound : kCannotTell;
    }
    logical = *mapped;
  }
  const BlockReport report = InvestigateBlock(**filesystem, logical, progress);
  request.json ? PrintBlockJson(report) : PrintBlockText(report);
  ComplainOfFilesystem(command, (*filesystem)->volume(), report.search);
  ComplainOfUnreadCopies(
      command, std::count_if(report.copies.begin(), report.copies.end(), [](const BlockCopy& copy) {
        return copy.state == BlockCopy::State::kNoMemory;
      }));
  const int exit_code = ExitCodeOf(report.verdict);
  if (exit_code != kNotFound) return exit_code;
  const absl::Status unused = request.choice.CheckStillUnused(request.devices);
  if (unused.ok()) return exit_code;
  command.Complain(unused.message());
  return kCannotTell;
}

// Finds what is asked for among the operands; returns the exit code.
int Start(const Command& command, Request request, const std::string& physical) {
  request.devices = command.operands();
  if (!physical.empty()) {
    request.place = ParsePlace(physical);
    if (!request.place) return command.UsageError("--physical needs DEVID:OFFSET, two numbers");
  } else {
    if (request.devices.empty()) return command.UsageError("no address given");
    const std::optional<uint64_t> logical = ParseAddress(request.devices.back());
    if (!logical) {
      return command.UsageError(absl::StrCat("'", request.devices.back(), "' is no address"));
    }
    request.logical = *logical;
    request.devices.pop_back();
  }
  if (request.devices.empty()) return command.UsageError("no device given");
  EnterDirectoryOfCaller();
  return Run(command, request);
}

Subcommand::Work Prepare(Command& command) {
  struct Options {
    Request request;
    std::string physical;
  };
  const auto options = std::make_shared<Options>();
  command.AddJson("print JSON", JsonSchema("find-block"), &options->request.json);
  command.AddText("physical", "look at an offset of a device; there is no <logical> then",
                  &options->physical, "DEVID:OFFSET");
  options->request.choice.AddOptions(command);
  return [options](const Command& parsed) {
    return Start(parsed, options->request, options->physical);
  };
}

}  // namespace

Subcommand FindBlock() {
  return {.name = "find-block",
          .summary = "an address to its copies, its owner, and the path from the root",
          .synopsis = "[options] <device> [<device> ...] <logical>",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
