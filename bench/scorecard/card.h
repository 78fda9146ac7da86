// Card: rows that compare this cache with somebody else on the same work, and whether a goal is
// met.
//
// Both sides of a row are measured in turns (ours, theirs, ours, theirs, ...) in one run, so that
// what else the machine does hits both alike. What counts is the ratio of a turn; a row tells the
// median of the turns' ratios, and the smallest and the largest as its spread.

#ifndef EBCACHE_BENCH_SCORECARD_CARD_H_
#define EBCACHE_BENCH_SCORECARD_CARD_H_

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/scorecard/quiet.h"
#include "tools/progress.h"

namespace ebcache::scorecard {

struct Settings {
  int repetitions = 5;
  // Shorter turns, and no rows that need a million blocks.
  bool quick = false;
  bool lab = false;               // the fragmentation lab, which takes minutes
  std::string image;              // of a filesystem to walk; empty: none
  std::string trace;              // a recording to replay; empty: the one beside the checkout
  std::string against;            // where another build is, for rows against it only; empty: none
  std::vector<std::string> rows;  // only those with one of these in their name; empty: all

  double turn_seconds() const { return quick ? 0.01 : 0.2; }
};

struct Goal {
  enum class Of { kRatio, kOurs };
  enum class Bound { kAtLeast, kAtMost };
  Of of;
  Bound bound;
  double value;

  bool Met(double what) const { return bound == Bound::kAtLeast ? what >= value : what <= value; }
};
constexpr Goal TimesFaster(double times) {
  return {Goal::Of::kRatio, Goal::Bound::kAtLeast, times};
}
constexpr Goal RatioAtMost(double ratio) { return {Goal::Of::kRatio, Goal::Bound::kAtMost, ratio}; }
constexpr Goal OursAtMost(double value) { return {Goal::Of::kOurs, Goal::Bound::kAtMost, value}; }
constexpr Goal OursAtLeast(double value) { return {Goal::Of::kOurs, Goal::Bound::kAtLeast, value}; }

// What a row compares.
struct Comparison {
  std::string row;
  std::string theirs;  // who the other side is
  std::string unit;    // of both sides' figures
  std::string work;    // what is done, and where the sides differ in it
  std::optional<Goal> goal;
  // The ratio is theirs / ours (how many times faster) or ours / theirs (what share).
  enum class Ratio { kTheirsToOurs, kOursToTheirs } ratio = Ratio::kTheirsToOurs;
  // A figure that is counted, not timed, is the same every time: one turn will do.
  bool counted = false;
  // Neither side leaves anything behind that the other would meet: every second turn begins with
  // theirs, so that being first is no advantage.
  bool either_first = false;
};

struct Row {
  Comparison comparison;
  // Set when the row was measured, `met` if it has a goal; else why it was not.
  std::optional<double> ours;
  std::optional<double> theirs;
  std::optional<double> ratio;
  std::optional<std::pair<double, double>> spread;  // of the ratio
  std::optional<bool> met;
  std::string not_measured;

  // Empty without a goal.
  std::string GoalText() const;
  // Of figures of which less is better, and of a ratio of ours to theirs: "worse" or "better" where
  // all turns agree on it, else nothing.
  std::string DifferenceText() const;
};

// A line of a plot.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};
struct Plot {
  std::string title;
  std::string x;
  std::string y;
  bool logarithmic_x = false;
  std::vector<Series> series;
};

// One side's turn: a figure, or why there is none.
using Turn = absl::FunctionRef<absl::StatusOr<double>()>;

class Card {
 public:
  explicit Card(Settings settings) : settings_(std::move(settings)) {}

  const Settings& settings() const { return settings_; }
  bool Wants(std::string_view row) const;

  // Measures both sides in turns, after one that does not count. Does nothing for a row that is not
  // wanted.
  void Measure(const Comparison& comparison, Turn ours, Turn theirs);
  void NotMeasured(const Comparison& comparison, std::string_view why);
  void Add(Plot plot) { plots_.push_back(std::move(plot)); }
  // Says what is being done, on a terminal.
  void Tell(std::string_view what) { progress_.Show(rows_.size(), "rows", what); }

  // Called after the last row, before the card is shown.
  void Finish();
  // A sentence where the machine did other things meanwhile; empty when it was quiet.
  const std::string& not_quiet() const { return not_quiet_; }

  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<Plot>& plots() const { return plots_; }

 private:
  const Settings settings_;
  const QuietWatch watch_;
  tools::Progress progress_;
  std::vector<Row> rows_;
  std::vector<Plot> plots_;
  std::string not_quiet_;
};

// Markdown, so that it reads in a terminal and in a document alike.
std::string ToText(const Card& card);
std::string ToJson(const Card& card);
// A page with plots that needs nothing but itself.
std::string ToHtml(const Card& card);

// ---- What all ways to show a card say alike ------------------------------------------------------

// "12.3", "1,234", "0.0123": so many digits as mean something.
std::string FigureText(double value);
// "4.65x (4.48 .. 4.93)" of a row that was measured.
std::string RatioText(const Row& row);
// Of the table's columns: of this cache beside others, or of this build beside another one.
std::vector<std::string> Titles(const Card& card);
// How many rows there are, and what their figures are: one line.
std::string Summary(const Card& card);

// ---- The rows, by what they are about -----------------------------------------------------------

void MeasureLookups(Card& card);
void PlotLookups(Card& card);
void MeasureBuffers(Card& card);  // making, freeing, memory, eviction that finds nothing
void MeasurePages(Card& card);    // windows, moves, first touches
void MeasureChecksums(Card& card);
void MeasureHitRatios(Card& card);
void MeasureWalks(Card& card);
void PlotWalks(Card& card);
void MeasureRewrites(Card& card);   // all trees copied to new places
void MeasureManyItems(Card& card);  // items in random order, in many commits
void MeasureLab(Card& card);
// This build beside the one in settings().against, instead of all of the above.
void MeasureAgainst(Card& card);

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_CARD_H_
