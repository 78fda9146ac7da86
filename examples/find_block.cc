// find_block: from a logical address to the copies of a tree block, and to its place in a tree.

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
#include "examples/block_report.h"
#include "examples/command_line.h"
#include "examples/device_choice.h"
#include "examples/lost_blocks.h"
#include "examples/program.h"
#include "examples/progress.h"

namespace ebcache::examples {
namespace {

constexpr char kAbout[] =
    "Tells what is at a logical address of a btrfs filesystem's metadata\n"
    "\n"
    "Maps <logical> (decimal, or 0x and hexadecimal; any address inside of a block) to the "
    "devices\n"
    "and offsets of every copy, reads and verifies each of them, and prints owner, level and\n"
    "generation of the block and the path to it from the root of its tree. The path is found by\n"
    "the block's first key; where that does not lead to it, by looking at the nodes of all trees.\n"
    "Devices are image files or block devices, all of one filesystem, not mounted. Nothing is\n"
    "written to them.\n"
    "\n"
    "Exit code: 0 the block is in use and every copy that is there is good; 1 it is damaged, or\n"
    "no tree block in use; 2 cannot tell: the filesystem cannot be opened or is mounted, or a "
    "part\n"
    "of it that may lead there cannot be read, or memory is short, or the result cannot be\n"
    "written, or the command line is wrong.";

enum ExitCode { kFound = 0, kNotFound = 1 };

constexpr uint64_t kCacheBytes = uint64_t{64} << 20;

struct Physical {
  uint64_t device_id = 0;
  uint64_t offset = 0;
};

struct Request {
  std::vector<std::string> devices;
  DeviceChoice choice;
  uint64_t logical = 0;
  std::optional<Physical> physical;  // instead
  bool json = false;
};

bool ParseAddress(const std::string& text, uint64_t* address) {
  if (text.rfind("0x", 0) == 0 || text.rfind("0X", 0) == 0) {
    return absl::SimpleHexAtoi(text.substr(2), address);
  }
  return absl::SimpleAtoi(text, address);
}

std::optional<Physical> ParsePhysical(const std::string& text) {
  const size_t colon = text.find(':');
  Physical physical;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(0, colon), &physical.device_id) ||
      !ParseAddress(text.substr(colon + 1), &physical.offset)) {
    return std::nullopt;
  }
  return physical;
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

void ComplainOfFilesystem(const CommandLine& line, const Volume& volume, const PathSearch& search) {
  ComplainOfNotices(line, volume);
  if (search.path) return;  // it was found in spite of what could not be read
  ComplainOfDamage(line, search.lost.kept(Cause::kDamage), search.lost.count(Cause::kDamage),
                   "lost blocks");
  ComplainOfUnread(line, search.lost);
}

int Run(const CommandLine& line, const Request& request) {
  Progress progress;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      request.choice.Open(line, request.devices, {.cache = {.budget_bytes = kCacheBytes}});
  if (!filesystem.ok()) return ComplainOfOpening(line, filesystem.status());
  uint64_t logical = request.logical;
  if (request.physical) {
    const absl::StatusOr<uint64_t> mapped = LogicalAddress(
        (*filesystem)->volume(), request.physical->device_id, request.physical->offset);
    if (!mapped.ok()) {
      line.Complain(mapped.status().message());
      const bool sure = absl::IsNotFound(mapped.status()) && (*filesystem)->open_damage().empty();
      return sure ? kNotFound : kCannotTell;
    }
    logical = *mapped;
  }
  const BlockReport report = InvestigateBlock(**filesystem, logical, progress);
  request.json ? PrintBlockJson(report) : PrintBlockText(report);
  ComplainOfFilesystem(line, (*filesystem)->volume(), report.search);
  ComplainOfUnreadCopies(
      line, std::count_if(report.copies.begin(), report.copies.end(), [](const BlockCopy& copy) {
        return copy.state == BlockCopy::State::kNoMemory;
      }));
  const int exit_code = ExitCodeOf(report.verdict);
  if (exit_code != kNotFound) return exit_code;
  const absl::Status unused = request.choice.CheckStillUnused(request.devices);
  if (unused.ok()) return exit_code;
  line.Complain(unused.message());
  return kCannotTell;
}

int ParseAndRun(CommandLine& line, int argc, char** argv, const std::string& physical,
                Request& request) {
  if (std::optional<int> exit_code = line.Parse(argc, argv)) return *exit_code;
  request.devices = line.operands();
  if (!physical.empty()) {
    request.physical = ParsePhysical(physical);
    if (!request.physical) return line.UsageError("--physical needs DEVID:OFFSET, two numbers");
  } else {
    if (request.devices.empty()) return line.UsageError("no address given");
    if (!ParseAddress(request.devices.back(), &request.logical)) {
      return line.UsageError(absl::StrCat("'", request.devices.back(), "' is no address"));
    }
    request.devices.pop_back();
  }
  if (request.devices.empty()) return line.UsageError("no device given");
  EnterDirectoryOfCaller();
  return Run(line, request);
}

int Main(int argc, char** argv) {
  Request request;
  std::string physical;
  CommandLine line("find_block", "[options] <device> [<device> ...] <logical>", kAbout);
  line.AddFlag("json", "print JSON", &request.json);
  line.AddFlag("physical", "look at an offset of a device; there is no <logical> then", &physical,
               "DEVID:OFFSET");
  request.choice.AddFlags(line);
  return RunProgram(line, [&] { return ParseAndRun(line, argc, argv, physical, request); });
}

}  // namespace
}  // namespace ebcache::examples

int main(int argc, char** argv) { return ebcache::examples::Main(argc, argv); }
