#include "bench/eviction/cross_validation.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace ebcache::eviction {

namespace {

constexpr char kMadeUp[] = "made-up loads";

// The variant that is furthest below LRU counts first, when it is more than a point.
bool IsBetter(const Summary& a, const Summary& b) {
  constexpr double kMostPointsBelow = -1;
  const double a_below = std::min(a.worst_points - kMostPointsBelow, 0.0);
  const double b_below = std::min(b.worst_points - kMostPointsBelow, 0.0);
  if (a_below != b_below) return a_below > b_below;
  return a.mean_gap_closed_percent > b.mean_gap_closed_percent;
}

// A recording with its frees honoured and ignored is one group: else one would tell of the other.
std::string GroupOf(const Comparison& comparison) {
  return comparison.recorded ? comparison.load : kMadeUp;
}

// Variant v's row of a comparison is v + 1: LRU's is before it, the optimum's behind.
size_t RowOf(size_t variant) { return variant + 1; }

Fold Choose(const std::vector<Comparison>& given, const std::vector<Comparison>& others,
            const std::vector<Variant>& variants, std::string chosen_on) {
  size_t best = 0;
  for (size_t v = 1; v < variants.size(); ++v) {
    if (IsBetter(Summarize(given, RowOf(v)), Summarize(given, RowOf(best)))) best = v;
  }
  return {.chosen_on = std::move(chosen_on),
          .variant = variants[best].name,
          .chosen = Summarize(given, RowOf(best)),
          .judged = Summarize(others, RowOf(best))};
}

std::vector<Comparison> Replays(const std::vector<JudgedLoad>& loads,
                                const std::vector<Variant>& variants,
                                absl::FunctionRef<void(const std::string& what)> tell) {
  std::vector<Comparison> all;
  for (const JudgedLoad& load : loads) {
    Comparison comparison = load.comparison;
    comparison.rows.resize(1);
    for (const Variant& variant : variants) {
      tell(absl::StrCat(variant.name, " on ", comparison.load));
      Row row{.name = variant.name, .replays = {}};
      for (const uint32_t size : comparison.sizes) {
        row.replays.push_back(
            ReplayTrace(*load.trace, comparison.frees_are,
                        *MakeReclaimList(size, load.trace->blocks, variant.constants)));
      }
      comparison.rows.push_back(std::move(row));
    }
    comparison.rows.push_back(load.comparison.rows.back());
    all.push_back(std::move(comparison));
  }
  return all;
}

}  // namespace

std::vector<Variant> Variants() {
  std::vector<Variant> variants = {{"as it is", {}}};
  const auto add = [&](std::string name, auto change) {
    Variant variant{.name = std::move(name), .constants = {}};
    change(variant.constants);
    variants.push_back(std::move(variant));
  };
  add("burst 3", [](ReuseConstants& c) { c.burst = 3; });
  add("burst 12", [](ReuseConstants& c) { c.burst = 12; });
  add("burst grows by 64", [](ReuseConstants& c) { c.burst_grows_by = 64; });
  add("2 bins to the octave", [](ReuseConstants& c) { c.bins_per_octave = 2; });
  add("memory 1", [](ReuseConstants& c) { c.memory = 1; });
  add("memory 4", [](ReuseConstants& c) { c.memory = 4; });
  add("least memory 1500", [](ReuseConstants& c) { c.least_memory = 1500; });
  add("prior 0.025", [](ReuseConstants& c) { c.prior = 0.025F; });
  add("prior 0.1", [](ReuseConstants& c) { c.prior = 0.1F; });
  add("prior's weight 10", [](ReuseConstants& c) { c.prior_weight = 10; });
  add("one use", [](ReuseConstants& c) { c.two_uses = false; });
  return variants;
}

Validation CrossValidate(const std::vector<JudgedLoad>& loads,
                         absl::FunctionRef<void(const std::string& what)> tell) {
  Validation validation{.variants = Variants(), .on_all = {}, .folds = {}};
  const std::vector<Comparison> all = Replays(loads, validation.variants, tell);
  for (size_t v = 0; v < validation.variants.size(); ++v) {
    validation.on_all.push_back(Summarize(all, RowOf(v)));
  }
  std::vector<std::string> groups;
  for (const Comparison& comparison : all) {
    const std::string group = GroupOf(comparison);
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  if (groups.size() < 2) return validation;  // nothing is left to judge by
  for (const bool left_out : {true, false}) {
    for (const std::string& group : groups) {
      std::vector<Comparison> of_group;
      std::vector<Comparison> others;
      for (const Comparison& comparison : all) {
        (GroupOf(comparison) == group ? of_group : others).push_back(comparison);
      }
      validation.folds.push_back(
          left_out ? Choose(others, of_group, validation.variants, absl::StrCat("all but ", group))
                   : Choose(of_group, others, validation.variants, group));
    }
  }
  return validation;
}

}  // namespace ebcache::eviction
