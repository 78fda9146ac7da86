// quickstart: from nothing to a verified btrfs filesystem in the cache.
//
//   1. make many small files, and a btrfs image of them
//   2. open the image
//   3. walk every tree: each block is read through the cache, and verified
//   4. show what is there, and what the cache had to do
//   5. prove the steady state: no block is in use, so every buffer can go, and goes

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "ebcache/buffer_cache.h"
#include "ebcache/filesystem.h"
#include "examples/sample_image.h"
#include "tools/command.h"
#include "tools/damage.h"
#include "tools/memory_report.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/table.h"
#include "tools/tree_counts.h"

namespace ebcache::examples {
namespace {

constexpr char kAbout[] =
    R"(Makes a btrfs image of many small files, walks and verifies all of its metadata through the extent
buffer cache, and shows what is in it and what the cache did.

Exit code: 0 all is as it should be; 1 a block is damaged, or a buffer that nothing uses does not
go; 2 cannot tell: the image cannot be made or opened, or the result cannot be written, or the
command line is wrong.)";

constexpr int kNotAsPromised = 1;

absl::StatusOr<std::string> MakeSampleImage(const TemporaryDirectory& directory, uint64_t files) {
  std::printf("making a btrfs image of %" PRIu64 " files in %s\n", files, directory.path().c_str());
  const std::string tree = directory.path() + "/files";
  const std::string image = directory.path() + "/image";
  tools::Progress progress;
  absl::Status status =
      MakeFiles(tree, files, [&](uint64_t made) { progress.Update(made, "files", "made"); });
  if (!status.ok()) return status;
  progress.Show(files, "files", "are going into the image");
  status = MakeImage(tree, image);
  if (!status.ok()) return status;
  return image;
}

void PrintTrees(const tools::FilesystemCounts& counts, uint32_t node_bytes) {
  tools::Table table({"tree", "levels", "nodes", "leaves", "items", "bytes"});
  for (const tools::TreeCounts& tree : counts.trees) {
    table.AddRow({tree.root.name, absl::StrCat(tree.levels.size()), absl::StrCat(tree.nodes()),
                  absl::StrCat(tree.leaves()), absl::StrCat(tree.items),
                  tools::HumanBytes(tree.blocks() * node_bytes)});
  }
  table.Print();
}

// A buffer that is not in use has one reference, the cache's own. Memory pressure lives on that:
// such a buffer can be released at any time.
absl::Status ProveSteadyState(BufferCache& cache) {
  uint64_t buffers = 0;
  uint64_t with_one_reference = 0;
  cache.ForEachState([&](BufferState state) {
    ++buffers;
    with_one_reference += state.refs == 1;
  });
  uint64_t eligible = 0;
  for (const auto& [verdict, count] : cache.ExplainPins()) {
    if (verdict == ReleaseVerdict::kEligible) eligible = count;
  }
  std::printf("steady state: of %" PRIu64 " buffers, %" PRIu64 " have refs == 1 and %" PRIu64
              " are eligible for release\n",
              buffers, with_one_reference, eligible);
  if (buffers == 0) return absl::InternalError("the cache is empty after the walk");
  if (with_one_reference != buffers) return absl::InternalError("a buffer is still in use");
  if (eligible != buffers) return absl::InternalError("not every buffer is eligible for release");

  const uint64_t dropped = cache.DropCaches();
  const uint64_t left = cache.stats().cached_buffers;
  std::printf("DropCaches: %" PRIu64 " buffers went, %" PRIu64 " are left\n", dropped, left);
  if (left != 0) return absl::InternalError("DropCaches left buffers in the cache");
  return absl::OkStatus();
}

absl::Status Explore(const std::string& image) {
  tools::DamageLog damage;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(
      {image}, {.cache = {.budget_bytes = uint64_t{256} << 20, .allocator = nullptr},
                .on_damage = [&](const MirrorDamage& mirror) { damage.NoteMirror(mirror); }});
  if (!filesystem.ok()) return filesystem.status();

  tools::Progress progress;
  const tools::FilesystemCounts counts = tools::CountTrees(**filesystem, damage, progress);
  progress.Clear();
  std::printf("%" PRIu64 " blocks read and verified in %.2f s\n\n", counts.unique_blocks,
              progress.elapsed_s());
  PrintTrees(counts, (*filesystem)->superblock().node_bytes);
  std::printf("\n");
  tools::PrintCacheStats((*filesystem)->cache());
  std::printf("\n");
  if (damage.lost_count() > 0)
    return absl::DataLossError(damage.lost().kept(tools::Cause::kDamage)[0].ToString());
  if (const uint64_t unread = damage.lost().unread_count(); unread > 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat(unread, " blocks were not read for want of memory: ", tools::kMemoryAdvice));
  }
  return ProveSteadyState((*filesystem)->cache());
}

absl::Status Run(uint64_t files, bool keep) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  absl::StatusOr<std::string> image = MakeSampleImage(*directory, files);
  if (!image.ok()) return image.status();
  if (keep) {
    std::printf("the image stays: %s\n", image->c_str());
    directory->Keep();
  }
  return Explore(*image);
}

int Main(int argc, char** argv) {
  uint64_t files = 20000;
  bool keep = false;
  tools::Command command("quickstart", "[options]", kAbout);
  command.AddNumber("files", "how many files to make (default 20000)", 10'000'000, &files);
  command.AddFlag("keep", "leave the image where it was made", &keep);
  return tools::RunProgram(command, [&] {
    if (std::optional<int> exit_code = command.Parse(argc, argv)) return *exit_code;
    if (!command.operands().empty()) return command.UsageError("no operands, please");
    const absl::Status status = Run(files, keep);
    if (status.ok()) return 0;
    command.Complain(status.message());
    const bool found = absl::IsDataLoss(status) || absl::IsInternal(status);
    return found ? kNotAsPromised : tools::kCannotTell;
  });
}

}  // namespace
}  // namespace ebcache::examples

int main(int argc, char** argv) { return ebcache::examples::Main(argc, argv); }
