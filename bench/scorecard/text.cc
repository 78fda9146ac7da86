// The card as a table for people and as JSON for programs.

#include <absl/strings/str_cat.h>

#include <string>
#include <vector>

#include "bench/report/output.h"
#include "bench/scorecard/card.h"
#include "tools/json_output.h"

namespace ebcache::scorecard {
namespace {

using tools::Json;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// One row's cells behind its name, as many as the titles that ToText has for them.
std::vector<std::string> Cells(const Card& card, const Row& row) {
  const Comparison& c = row.comparison;
  const bool against = !card.settings().against.empty();
  if (!row.not_measured.empty()) {
    const std::string why = absl::StrCat("not measured: ", row.not_measured);
    return against ? std::vector<std::string>{why, "", "", ""}
                   : std::vector<std::string>{why, "", "", row.GoalText(), ""};
  }
  const std::string ours = absl::StrCat(FigureText(*row.ours), c.unit.empty() ? "" : " ", c.unit);
  const std::string theirs = FigureText(*row.theirs);
  if (against) return {ours, theirs, RatioText(row), row.DifferenceText()};
  return {ours, absl::StrCat(theirs, " (", c.theirs, ")"), RatioText(row), row.GoalText(),
          *row.met ? "yes" : "**no**"};
}

Json ToJson(const Row& row) {
  const Comparison& c = row.comparison;
  Json json = {
      {"row", c.row},
      {"ours", OrNull(row.ours)},
      {"theirs", OrNull(row.theirs)},
      {"ratio", OrNull(row.ratio)},
      {"spread", row.spread ? Json{row.spread->first, row.spread->second} : Json(nullptr)},
      {"goal", row.GoalText()},
      {"met", OrNull(row.met)},
      {"unit", c.unit},
      {"theirs_is", c.theirs},
      {"ratio_is", c.ratio == Comparison::Ratio::kTheirsToOurs ? "theirs / ours" : "ours / theirs"},
      {"work", c.work}};
  if (!c.goal) json["difference"] = row.DifferenceText();
  if (!row.not_measured.empty()) json["not_measured"] = row.not_measured;
  return json;
}

}  // namespace

std::string RatioText(const Row& row) {
  const char* x = row.comparison.ratio == Comparison::Ratio::kTheirsToOurs ? "x" : "";
  return absl::StrCat(FigureText(*row.ratio), x, " (", FigureText(row.spread->first), " .. ",
                      FigureText(row.spread->second), ")");
}

std::vector<std::string> Titles(const Card& card) {
  if (card.settings().against.empty()) {
    return {"row", "ours", "theirs", "ratio (spread)", "goal", "met"};
  }
  return {"row", "this build", "that build", "ratio (spread)", "difference"};
}

std::string Summary(const Card& card) {
  size_t met = 0, measured = 0;
  for (const Row& row : card.rows()) {
    measured += row.ours.has_value() ? 1 : 0;
    met += row.met.value_or(false) ? 1 : 0;
  }
  const size_t missing = card.rows().size() - measured;
  if (card.settings().against.empty()) {
    return absl::StrCat(met, " of ", measured, " goals met, ", missing,
                        " rows not measured; the median of ", card.settings().repetitions,
                        " turns of each side");
  }
  return absl::StrCat(measured, " rows, ", missing, " not measured; the median of ",
                      card.settings().repetitions,
                      " turns of each build, that build: ", card.settings().against,
                      "; below 1 this build takes less; better or worse: in all turns alike");
}

std::string ToText(const Card& card) {
  std::vector<std::vector<std::string>> rows;
  for (const Row& row : card.rows()) {
    std::vector<std::string> cells = Cells(card, row);
    cells.insert(cells.begin(), row.comparison.row);
    rows.push_back(std::move(cells));
  }
  std::string text =
      absl::StrCat(report::MarkdownTable(Titles(card), rows), "\n", Summary(card), "\n");
  if (!card.not_quiet().empty()) absl::StrAppend(&text, "\n**", card.not_quiet(), "**\n");
  return text;
}

std::string ToJson(const Card& card) {
  Json rows = Json::array();
  for (const Row& row : card.rows()) rows.push_back(ToJson(row));
  Json all = {{"rows", std::move(rows)},
              {"repetitions", card.settings().repetitions},
              {"quick", card.settings().quick},
              {"not_quiet", card.not_quiet()}};
  if (!card.settings().against.empty()) all["against"] = card.settings().against;
  return tools::JsonText(all) + "\n";
}

}  // namespace ebcache::scorecard
