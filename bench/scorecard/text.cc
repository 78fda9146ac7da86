// The card as a table for people and as JSON for programs.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/scorecard/card.h"

namespace ebcache::scorecard {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string RatioText(const Row& row) {
  const char* x = row.comparison.ratio == Comparison::Ratio::kTheirsToOurs ? "x" : "";
  return absl::StrCat(FigureText(*row.ratio), x, " (", FigureText(row.spread->first), " .. ",
                      FigureText(row.spread->second), ")");
}

}  // namespace

// Markdown, so that it reads in a terminal and in a document alike.
std::string ToText(const Card& card) {
  std::string text =
      "| row | ours | theirs | ratio (spread) | goal | met |\n|---|---|---|---|---|---|\n";
  size_t met = 0, measured = 0;
  for (const Row& row : card.rows()) {
    const Comparison& c = row.comparison;
    if (!row.not_measured.empty()) {
      absl::StrAppend(&text, "| ", c.row, " | not measured: ", row.not_measured, " | | | ",
                      row.GoalText(), " | |\n");
      continue;
    }
    ++measured;
    met += *row.met ? 1 : 0;
    absl::StrAppend(&text, "| ", c.row, " | ", FigureText(*row.ours), c.unit.empty() ? "" : " ",
                    c.unit, " | ", FigureText(*row.theirs), " (", c.theirs, ") | ", RatioText(row),
                    " | ", row.GoalText(), " | ", *row.met ? "yes" : "**no**", " |\n");
  }
  absl::StrAppend(&text, "\n", met, " of ", measured, " goals met, ", card.rows().size() - measured,
                  " rows not measured; the median of ", card.settings().repetitions,
                  " turns of each side\n");
  if (!card.not_quiet().empty()) absl::StrAppend(&text, "\n**", card.not_quiet(), "**\n");
  return text;
}

std::string ToJson(const Card& card) {
  Json rows = Json::array();
  for (const Row& row : card.rows()) {
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
        {"ratio_is",
         c.ratio == Comparison::Ratio::kTheirsToOurs ? "theirs / ours" : "ours / theirs"},
        {"work", c.work}};
    if (!row.not_measured.empty()) json["not_measured"] = row.not_measured;
    rows.push_back(std::move(json));
  }
  const Json all = {{"rows", std::move(rows)},
                    {"repetitions", card.settings().repetitions},
                    {"quick", card.settings().quick},
                    {"not_quiet", card.not_quiet()}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ebcache::scorecard
