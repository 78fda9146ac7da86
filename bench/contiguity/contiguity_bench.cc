// contiguity: what it is worth to have a metadata block in one piece, by which means, at what cost.
//
//   ./bazelw run //bench:contiguity -- --pressure --html=contiguity.html
//
// Makes a filesystem image with mkfs.btrfs, does the same work on it over every allocator, measures
// what blocks and windows cost to make, and, if asked to, what happens when memory is short.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "bench/contiguity/figures.h"
#include "bench/contiguity/making.h"
#include "bench/contiguity/measure.h"
#include "bench/report/output.h"
#include "examples/sample_image.h"
#include "tools/command.h"
#include "tools/program.h"
#include "tools/progress.h"

namespace ebcache::contiguity {
namespace {

constexpr char kAbout[] =
    "Walks, searches and decodes the trees of a btrfs image over every allocator, and measures\n"
    "what blocks in one piece and page arrays cost. Without IMAGE it makes one with mkfs.btrfs.\n"
    "\n"
    "Exit code: 0 done; 1 something failed; 2 the command line is wrong, or the result cannot be\n"
    "written.";

struct Flags {
  uint64_t files = 20000;
  uint64_t rounds = 7;
  bool pressure = false;
  uint64_t pressure_mib = 64;
  uint64_t pressure_reads = 100000;
  bool json = false;
  std::string html;
};

absl::StatusOr<std::string> MakeImage(const std::string& directory, uint64_t files,
                                      tools::Progress& progress) {
  const std::string tree = directory + "/files";
  absl::Status made = examples::MakeFiles(
      tree, files, [&](uint64_t count) { progress.Update(count, "files", "made"); });
  if (!made.ok()) return made;
  const std::string image = directory + "/disk.img";
  made = examples::MakeImage(tree, image);
  if (!made.ok()) return made;
  return image;
}

absl::Status Measure(const Flags& flags, const tools::Command& line, Report& report) {
  tools::Progress progress;
  absl::StatusOr<examples::TemporaryDirectory> scratch = examples::TemporaryDirectory::Create();
  if (!scratch.ok()) return scratch.status();
  std::string image;
  if (line.operands().empty()) {
    report.files = flags.files;
    auto made = MakeImage(scratch->path(), flags.files, progress);
    if (!made.ok()) return made.status();
    image = *made;
  } else {
    image = line.operands()[0];
  }
  absl::Status status = MeasureWork(image, static_cast<int>(flags.rounds), progress, report);
  if (!status.ok()) return status;
  MeasureMaking(report);
  if (flags.pressure) MeasurePressure(flags.pressure_mib, flags.pressure_reads, progress, report);
  progress.Clear();
  return absl::OkStatus();
}

void AddFlags(tools::Command& line, Flags& flags) {
  line.AddNumber("files", "files in the image that is made (20000)", 10'000'000, &flags.files);
  line.AddNumber("rounds", "of each measurement, of which the best counts (7)", 1000,
                 &flags.rounds);
  line.AddFlag("pressure", "also measure with memory short and in pieces", &flags.pressure);
  line.AddNumber("pressure-mib", "of memory for that, a power of two (64)", 1 << 14,
                 &flags.pressure_mib);
  line.AddNumber("pressure-reads", "blocks to read for that (100000)", 1'000'000'000,
                 &flags.pressure_reads);
  line.AddFlag("json", "print JSON", &flags.json);
  line.AddText("html", "write a page with plots to FILE", &flags.html);
}

int Main(int argc, char** argv) {
  Flags flags;
  tools::Command line("contiguity", "[FLAG]... [IMAGE]", kAbout);
  AddFlags(line, flags);
  return tools::RunProgram(line, [&]() -> int {
    if (auto code = line.Parse(argc, argv)) return *code;
    if (line.operands().size() > 1) return line.UsageError("one image at the most");
    const uint64_t mib = flags.pressure_mib;
    if (mib < 4 || (mib & (mib - 1)) != 0 || mib > 1024) {
      return line.UsageError("--pressure-mib needs a power of two from 4 to 1024");
    }
    if (flags.rounds == 0 || flags.files == 0) {
      return line.UsageError("--rounds and --files need at least 1");
    }
    tools::EnterDirectoryOfCaller();

    Report figures;
    absl::Status status = Measure(flags, line, figures);
    if (status.ok()) {
      flags.json ? (void)std::fputs(ToJson(figures).c_str(), stdout) : PrintText(figures);
      if (!flags.html.empty()) status = report::WriteFile(flags.html, ToHtml(figures));
    }
    if (!status.ok()) line.Complain(status.message());
    return status.ok() ? 0 : 1;
  });
}

}  // namespace
}  // namespace ebcache::contiguity

int main(int argc, char** argv) { return ebcache::contiguity::Main(argc, argv); }
