// The tables and the JSON.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdio>

#include "bench/contiguity/figures.h"
#include "tools/json_output.h"
#include "tools/table.h"

namespace ebcache::contiguity {
namespace {

std::string Ns(double ns) { return absl::StrFormat("%.0f", ns); }
std::string Percent(double share) { return absl::StrFormat("%.1f %%", share * 100); }

}  // namespace

void PrintText(const Report& report) {
  std::printf("%s of trees, %llu keys; nanoseconds; best of %d rounds, of searches the median\n\n",
              tools::HumanBytes(report.tree_bytes).c_str(),
              static_cast<unsigned long long>(report.keys), report.rounds);
  tools::Table work({"allocator", "in one piece", "first walk/block", "walk/block", "search/key",
                     "ratio", "decode/item"});
  for (const WorkFigures& f : report.work) {
    work.AddRow({f.name, Percent(f.share), Ns(f.walk_ns), Ns(f.rewalk_ns), Ns(f.search_ns),
                 absl::StrFormat("%.2f", f.search_ratio), absl::StrFormat("%.1f", f.decode_ns)});
  }
  work.Print();

  std::printf("\n16 KiB blocks of 4 KiB pages, nanoseconds\n\n");
  tools::Table making({"allocator", "allocate", "free"});
  for (const MapFigures& f : report.making) {
    making.AddRow({f.name, Ns(f.allocate_ns), Ns(f.free_ns)});
  }
  making.Print();
  std::printf(
      "\nwindows: %s ns to map one, %s ns to unmap one (%.0f a call), "
      "%s ns for a block that finds its window again\n",
      Ns(report.windows.map_ns).c_str(), Ns(report.windows.unmap_ns).c_str(),
      report.windows.windows_per_unmap, Ns(report.windows.found_again_ns).c_str());
  if (report.pressure.empty()) return;

  std::printf(
      "\n%d MiB of memory, half of it somebody else's, in pieces; reads that miss, in "
      "nanoseconds\n\n",
      static_cast<int>(report.pressure_mib));
  tools::Table pressure({"allocator", "reads", "failed", "in one piece", "p50", "p90", "p99",
                         "p99.9", "max", "reclaimed", "released", "moved"});
  for (const PressureFigures& f : report.pressure) {
    pressure.AddRow({f.name, absl::StrCat(f.reads), absl::StrCat(f.failed), Percent(f.share),
                     Ns(f.p50_ns), Ns(f.p90_ns), Ns(f.p99_ns), Ns(f.p999_ns), Ns(f.max_ns),
                     absl::StrCat(f.reclaimed), absl::StrCat(f.released),
                     absl::StrCat(f.migrated)});
  }
  pressure.Print();
}

std::string ToJson(const Report& report) {
  using tools::Json;
  Json work = Json::array(), making = Json::array(), pressure = Json::array();
  for (const WorkFigures& f : report.work) {
    work.push_back({{"allocator", f.name},
                    {"blocks", f.blocks},
                    {"contiguous_share", f.share},
                    {"first_walk_ns", f.walk_ns},
                    {"walk_ns", f.rewalk_ns},
                    {"search_ns", f.search_ns},
                    {"search_ratio", f.search_ratio},
                    {"decode_ns", f.decode_ns}});
  }
  for (const MapFigures& f : report.making) {
    making.push_back(
        {{"allocator", f.name}, {"allocate_ns", f.allocate_ns}, {"free_ns", f.free_ns}});
  }
  for (const PressureFigures& f : report.pressure) {
    pressure.push_back({{"allocator", f.name},
                        {"reads", f.reads},
                        {"failed", f.failed},
                        {"contiguous_share", f.share},
                        {"p50_ns", f.p50_ns},
                        {"p90_ns", f.p90_ns},
                        {"p99_ns", f.p99_ns},
                        {"p999_ns", f.p999_ns},
                        {"max_ns", f.max_ns},
                        {"reclaimed_buffers", f.reclaimed},
                        {"released_buffers", f.released},
                        {"migrated_folios", f.migrated}});
  }
  const Json windows = {{"map_ns", report.windows.map_ns},
                        {"found_again_ns", report.windows.found_again_ns},
                        {"unmap_ns", report.windows.unmap_ns},
                        {"windows_per_unmap", report.windows.windows_per_unmap}};
  const Json all = {{"files", report.files},
                    {"tree_bytes", report.tree_bytes},
                    {"keys", report.keys},
                    {"rounds", report.rounds},
                    {"baseline", kBaseline},
                    {"work", work},
                    {"blocks_of_16384_bytes", making},
                    {"windows", windows},
                    {"pressure_mib", report.pressure_mib},
                    {"pressure", pressure}};
  return tools::JsonText(all) + "\n";
}

}  // namespace ebcache::contiguity
