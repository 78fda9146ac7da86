#include "bench/lab/compare.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "tools/table.h"

namespace ebcache::lab {
namespace {

using Json = nlohmann::ordered_json;

// What both sides are reduced to: shares by name, in the order in which they are printed.
using Shares = std::vector<std::pair<std::string, double>>;

constexpr double kSameSize = 0.05;

double Share(double part, double of) { return of == 0 ? 0 : part / of; }

void AddRanges(const Census& census, Shares& shares) {
  for (const uint32_t mib : {4, 8, 16, 32, 64}) {
    if (const RangeCount* range = census.Ranges(mib)) {
      shares.emplace_back(absl::StrCat("clean ranges of ", mib, " MiB"),
                          Share(range->without_kernel, range->ranges));
    }
  }
  for (const uint32_t mib : {4, 16}) {
    if (const RangeCount* range = census.Ranges(mib)) {
      shares.emplace_back(absl::StrCat("clean of btree pages too, ", mib, " MiB"),
                          Share(range->without_either, range->ranges));
    }
  }
}

Shares SharesOf(const Census& fill, const Census& churn, const Census& end, uint32_t pageblocks) {
  const double blocks = pageblocks;
  const double pages = blocks * 512;
  const auto type = [](const Census& census, Mobility mobility) {
    return static_cast<double>(census.by_type[static_cast<size_t>(mobility)]);
  };
  Shares shares = {{"blocks with kernel pages", Share(end.with_kernel, blocks)},
                   {"the same when it was full", Share(fill.with_kernel, blocks)},
                   {"blocks with btree pages", Share(end.with_btree, blocks)},
                   {"blocks of unmovable type", Share(type(end, Mobility::kUnmovable), blocks)},
                   {"blocks of reclaimable type", Share(type(end, Mobility::kReclaimable), blocks)},
                   {"blocks wholly free", Share(end.wholly_free, blocks)}};
  AddRanges(end, shares);
  const auto part = [&](uint64_t n) { return Share(static_cast<double>(n), pages); };
  shares.emplace_back("pages: slab", part(end.slab));
  shares.emplace_back("pages: btree", part(end.btree));
  shares.emplace_back("pages: btree when it was full", part(fill.btree));
  shares.emplace_back("pages: page cache", part(end.file));
  shares.emplace_back("pages: page cache before the end", part(churn.file));
  shares.emplace_back("pages: free before the end", part(churn.free + churn.listed));
  return shares;
}

// The last number of "got2m 595".
double Obtained(const std::string& text) {
  const size_t space = text.rfind(' ');
  return space == std::string::npos ? 0 : std::strtod(text.c_str() + space, nullptr);
}

Shares OfKernel(const Json& run) {
  const Json& stages = run.at("stages");
  const Census end = CensusFrom(stages.at("end"));
  Shares shares = SharesOf(CensusFrom(stages.at("fill")), CensusFrom(stages.at("churn")), end,
                           end.pageblocks);
  if (!run.contains("variants") || !run.at("variants").contains("idle2m")) return shares;
  const Json& idle = run.at("variants").at("idle2m");
  const Json& got = idle.at("huge_pages");
  if (got.size() >= 3) {
    shares.emplace_back("2 MiB pages, three asks", Share(Obtained(got.at(2)), end.pageblocks));
    shares.emplace_back("2 MiB pages, caches dropped",
                        Share(Obtained(got.back()), end.pageblocks));
  }
  const Json stage = idle.value("stages", Json::object()).value("v1", Json());
  if (stage.is_object()) {
    const Census compacted = CensusFrom(stage);
    shares.emplace_back("compacted: blocks with btree", Share(compacted.with_btree, end.pageblocks));
    shares.emplace_back("compacted: blocks wholly free",
                        Share(compacted.wholly_free, end.pageblocks));
    shares.emplace_back("compacted: btree pages without buffer",
                        Share(static_cast<double>(compacted.btree_bare),
                              static_cast<double>(compacted.btree)));
  }
  return shares;
}

Shares OfLab(const Run& run) {
  const Census& end = run.end();
  Shares shares = SharesOf(run.stages[0].census, run.stages[1].census, end, end.pageblocks);
  shares.emplace_back("2 MiB pages, three asks", Share(run.huge_asked(), end.pageblocks));
  shares.emplace_back("2 MiB pages, caches dropped", Share(run.huge_dropped(), end.pageblocks));
  const Census& compacted = run.huge_stages[0].census;
  shares.emplace_back("compacted: blocks with btree", Share(compacted.with_btree, end.pageblocks));
  shares.emplace_back("compacted: blocks wholly free", Share(compacted.wholly_free, end.pageblocks));
  shares.emplace_back("compacted: btree pages without buffer",
                      Share(static_cast<double>(compacted.btree_bare),
                            static_cast<double>(compacted.btree)));
  return shares;
}

bool Judged(const std::string& name) {
  static const char* const kNames[] = {
      "blocks with kernel pages", "clean ranges of 4 MiB",  "clean ranges of 8 MiB",
      "clean ranges of 16 MiB",   "clean ranges of 32 MiB", "2 MiB pages, three asks"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* known) { return name == known; });
}

struct Spread {
  double sum = 0, least = 0, most = 0;
  size_t n = 0;
  void Add(double value) {
    least = n == 0 ? value : std::min(least, value);
    most = n == 0 ? value : std::max(most, value);
    sum += value;
    ++n;
  }
  double mean() const { return n == 0 ? 0 : sum / static_cast<double>(n); }
};

using Table = std::map<std::pair<std::string, bool>, Spread>;  // by name and hint

void AddTo(Table& table, const Shares& shares, bool hint, std::vector<std::string>* names) {
  for (const auto& [name, value] : shares) {
    table[{name, hint}].Add(value);
    if (names != nullptr && std::find(names->begin(), names->end(), name) == names->end()) {
      names->push_back(name);
    }
  }
}

ComparedFigure Figure(const std::string& name, bool hint, const Spread& kernel, const Spread& lab) {
  ComparedFigure figure = {.name = name,
                           .hint = hint,
                           .judged = Judged(name),
                           .kernel = kernel.mean(),
                           .kernel_spread = kernel.most - kernel.least,
                           .lab = lab.mean(),
                           .lab_spread = lab.most - lab.least};
  figure.comparable = figure.kernel != 0;
  if (figure.comparable) figure.error = (figure.lab - figure.kernel) / figure.kernel;
  return figure;
}

absl::StatusOr<KernelComparison> Compare(const Json& file, const std::vector<Run>& runs) {
  KernelComparison comparison;
  Table kernel, lab;
  std::vector<std::string> names;
  double pageblocks = 0;
  for (const Run& run : runs) {
    if (run.policy != "pageblock") continue;
    AddTo(lab, OfLab(run), run.hint, &names);
    pageblocks = run.end().pageblocks;
    ++comparison.lab_runs;
  }
  if (comparison.lab_runs == 0) {
    return absl::NotFoundError("only runs with policy pageblock can be compared");
  }
  for (const Json& run : file.at("kernel_runs")) {
    const double size = run.at("stages").at("end").at("usable_pageblocks");
    if (std::abs(size - pageblocks) > kSameSize * pageblocks) continue;
    const std::string series = run.value("series", "");
    if (comparison.series.empty()) comparison.series = series;
    if (series != comparison.series) continue;
    AddTo(kernel, OfKernel(run), run.at("hint"), nullptr);
    ++comparison.kernel_runs;
  }
  if (comparison.kernel_runs == 0) {
    return absl::NotFoundError(
        absl::StrFormat("it has no series of a machine of %g page blocks of 2 MiB", pageblocks));
  }
  for (const bool hint : {false, true}) {
    for (const std::string& name : names) {
      const auto k = kernel.find({name, hint});
      const auto l = lab.find({name, hint});
      if (k == kernel.end() || l == lab.end()) continue;
      comparison.figures.push_back(Figure(name, hint, k->second, l->second));
    }
  }
  return comparison;
}

}  // namespace

absl::StatusOr<KernelComparison> CompareWithKernel(std::string_view text,
                                                   const std::vector<Run>& runs) {
  try {
    return Compare(Json::parse(text), runs);
  } catch (const Json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("it is no file of kernel runs: ", e.what()));
  }
}

void PrintComparison(const KernelComparison& comparison) {
  std::printf("\nBeside a kernel (series '%s'; %d runs of it, %d of the lab); shares, means of seeds "
              "(with the spread); * are the figures that the lab is judged by:\n\n",
              comparison.series.c_str(), static_cast<int>(comparison.kernel_runs),
              static_cast<int>(comparison.lab_runs));
  tools::Table table({"figure", "hint", "kernel", "spread", "lab", "spread", "error"});
  for (const ComparedFigure& figure : comparison.figures) {
    const auto text = [](double value) { return absl::StrFormat("%.3f", value); };
    table.AddRow({absl::StrCat(figure.judged ? "* " : "  ", figure.name), figure.hint ? "on" : "off",
                  text(figure.kernel), text(figure.kernel_spread), text(figure.lab),
                  text(figure.lab_spread),
                  figure.comparable ? absl::StrFormat("%+.1f %%", figure.error * 100) : "-"});
  }
  table.Print();
}

nlohmann::ordered_json ToJson(const KernelComparison& comparison) {
  Json figures = Json::array();
  for (const ComparedFigure& figure : comparison.figures) {
    figures.push_back({{"figure", figure.name},
                       {"hint", figure.hint},
                       {"judged", figure.judged},
                       {"kernel", figure.kernel},
                       {"kernel_spread", figure.kernel_spread},
                       {"lab", figure.lab},
                       {"lab_spread", figure.lab_spread},
                       {"error", figure.comparable ? Json(figure.error) : Json()}});
  }
  return {{"series", comparison.series},
          {"kernel_runs", comparison.kernel_runs},
          {"lab_runs", comparison.lab_runs},
          {"figures", figures}};
}

}  // namespace ebcache::lab
