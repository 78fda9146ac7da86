// The lab beside a kernel that was measured: --compare.

#ifndef EBCACHE_BENCH_LAB_COMPARE_H_
#define EBCACHE_BENCH_LAB_COMPARE_H_

#include <absl/status/statusor.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "bench/lab/life.h"

namespace ebcache::lab {

// One figure, as shares (of page blocks, of ranges, of pages): the mean over seeds, and by how much
// they differ.
struct ComparedFigure {
  std::string name;
  bool hint = false;
  bool judged = false;  // one of those that the lab is judged by
  double kernel = 0;
  double kernel_spread = 0;  // largest less smallest
  double lab = 0;
  double lab_spread = 0;
  // (lab - kernel) / kernel; of a kernel's 0, nothing can be said.
  double error = 0;
  bool comparable = false;
};

struct KernelComparison {
  std::string series;
  size_t kernel_runs = 0;
  size_t lab_runs = 0;
  std::vector<ComparedFigure> figures;
};

// `text` is a file of kernel runs. Of its series the one is taken whose machine is as large as that of
// the runs, within a twentieth; runs of other policies than pageblock are left out. InvalidArgument:
// the text is no such file. NotFound: it has no such series.
absl::StatusOr<KernelComparison> CompareWithKernel(std::string_view text,
                                                   const std::vector<Run>& runs);

void PrintComparison(const KernelComparison& comparison);
nlohmann::ordered_json ToJson(const KernelComparison& comparison);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_COMPARE_H_
