#include "bench/scorecard/card.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>

namespace ebcache::scorecard {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double RatioOf(const Comparison& comparison, double ours, double theirs) {
  const bool times = comparison.ratio == Comparison::Ratio::kTheirsToOurs;
  const double divisor = times ? ours : theirs;
  // Nothing by nothing is as good as equal; a ratio to nothing has no meaning.
  if (divisor == 0) return ours == theirs ? 1 : 0;
  return (times ? theirs : ours) / divisor;
}

}  // namespace

std::string FigureText(double value) {
  const double magnitude = value < 0 ? -value : value;
  if (magnitude != 0 && magnitude < 0.1) return absl::StrFormat("%.3g", value);
  if (magnitude < 10) return absl::StrFormat("%.2f", value);
  if (magnitude < 100) return absl::StrFormat("%.1f", value);
  const std::string digits = absl::StrFormat("%.0f", magnitude);
  std::string text = value < 0 ? "-" : "";
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Row::GoalText() const {
  if (!comparison.goal) return "";
  const Goal& goal = *comparison.goal;
  std::string text = absl::StrCat(goal.bound == Goal::Bound::kAtLeast ? "at least " : "at most ",
                                  absl::StrFormat("%g", goal.value));
  if (goal.of == Goal::Of::kOurs) {
    if (!comparison.unit.empty()) absl::StrAppend(&text, " ", comparison.unit);
  } else if (comparison.ratio == Comparison::Ratio::kTheirsToOurs) {
    text += "x";
  } else {
    text += " of theirs";
  }
  return text;
}

std::string Row::DifferenceText() const {
  if (!spread) return "";
  if (spread->first > 1) return "worse";
  return spread->second < 1 ? "better" : "";
}

bool Card::Wants(std::string_view row) const {
  return settings_.rows.empty() ||
         std::any_of(settings_.rows.begin(), settings_.rows.end(),
                     [&](const std::string& part) { return row.find(part) != row.npos; });
}

void Card::Finish() {
  progress_.Clear();
  const double others = watch_.ShareOfOthers().value_or(0);
  if (others <= QuietWatch::kMostForOthers) return;
  not_quiet_ = absl::StrFormat(
      "the machine was not quiet: others used %.0f %% of it meanwhile; timed rows mean little",
      100 * others);
}

void Card::NotMeasured(const Comparison& comparison, std::string_view why) {
  if (!Wants(comparison.row)) return;
  rows_.push_back({.comparison = comparison, .not_measured = std::string(why)});
}

void Card::Measure(const Comparison& comparison, Turn ours, Turn theirs) {
  if (!Wants(comparison.row)) return;
  Tell(comparison.row);
  std::vector<double> our_figures, their_figures, ratios;
  const int turns = comparison.counted ? 0 : settings_.repetitions;
  for (int turn = 0; turn <= turns; ++turn) {
    const bool swapped = comparison.either_first && turn % 2 != 0;
    absl::StatusOr<double> first = swapped ? theirs() : ours();
    absl::StatusOr<double> second = !first.ok() ? first : swapped ? ours() : theirs();
    if (!second.ok()) return NotMeasured(comparison, std::string(second.status().message()));
    if (swapped) std::swap(first, second);
    if (turn == 0 && !comparison.counted) continue;  // warms up
    our_figures.push_back(*first);
    their_figures.push_back(*second);
    ratios.push_back(RatioOf(comparison, *first, *second));
  }
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  Row row{.comparison = comparison,
          .ours = Median(our_figures),
          .theirs = Median(their_figures),
          .ratio = Median(ratios),
          .spread = std::pair(*low, *high)};
  if (const std::optional<Goal>& goal = comparison.goal) {
    row.met = goal->Met(goal->of == Goal::Of::kRatio ? *row.ratio : *row.ours);
  }
  rows_.push_back(std::move(row));
}

}  // namespace ebcache::scorecard
