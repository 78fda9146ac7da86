// The page to look at: for each run the memory before and after, one cell a page block and one row
// a superpageblock, and the course over time. One file; the maps are text that a script paints.

#include "bench/report/html.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/lab/report.h"

namespace ebcache::lab {
namespace {

using Json = nlohmann::ordered_json;
using report::Cells;
using report::Element;
using report::Html;
using report::Table;

constexpr std::array<const char*, kContents> kColours = {"#f2f2f2", "#9ecae1", "#c7e9c0",
                                                         "#fdae6b", "#d62728", "#bcbddc",
                                                         "#636363", "#8c564b", "#2ca02c"};

constexpr char kStyle[] = R"(
body{max-width:1200px}
td,th{text-align:right}
td:first-child,th:first-child{text-align:left}
canvas{border:1px solid #999;image-rendering:pixelated;width:512px}
.pair{display:flex;gap:2em;flex-wrap:wrap}.key span{display:inline-block;margin-right:1em}
.key i{display:inline-block;width:1em;height:1em;margin-right:.3em;border:1px solid #999}
svg{border:1px solid #999}
)";

constexpr char kScript[] = R"(
function paint(id, text, columns) {
  const canvas = document.getElementById(id), rows = text.length / columns;
  canvas.width = columns; canvas.height = rows;
  canvas.style.height = Math.max(2 * rows, 64) + 'px';
  const context = canvas.getContext('2d');
  for (let i = 0; i < text.length; ++i) {
    context.fillStyle = colours[text.charCodeAt(i) - 97];
    context.fillRect(i % columns, Math.floor(i / columns), 1, 1);
  }
}
for (const map of maps) paint(map[0], map[1], map[2]);
)";

const char* OnOff(const Run& run) { return run.hint ? "on" : "off"; }

Html Key() {
  Html key;
  for (int i = 0; i < kContents; ++i) {
    const std::string style = absl::StrCat("background:", kColours[static_cast<size_t>(i)]);
    key += Element("span", Element("i", {{"style", style}}) + ContentName(static_cast<Content>(i)));
  }
  return Element("p", {{"class", "key"}}, key) + "\n";
}

Html Summary(const Lab& lab) {
  std::vector<Cells> rows;
  for (const Run& run : lab.runs) {
    rows.push_back({run.policy, OnOff(run), absl::StrCat(run.end().tainted),
                    absl::StrCat(run.end().holding_btree), absl::StrCat(run.end().recoverable),
                    Element("b", absl::StrCat(run.huge_1g_obtained)) +
                        absl::StrCat(" of ", run.superpageblocks),
                    absl::StrCat(run.pages_migrated), absl::StrCat(run.buffers_released),
                    absl::StrFormat("%.1f %%", run.luck.made * 100),
                    absl::StrFormat("%.1f", run.seconds)});
  }
  return Table({"policy", "hint", "tainted", "with btree pages", "recoverable",
                "1 GiB pages obtained", "pages moved", "buffers released", "in one piece by luck",
                "seconds"},
               rows) +
         Element("p", absl::StrFormat("By luck: of the 16 KiB btree blocks ever made. A running "
                                      "kernel counted %.1f %% under a metadata load and %.1f %% "
                                      "under a data load.",
                                      kKernelLuckMetadata * 100, kKernelLuckData * 100)) +
         "\n";
}

Html ConstantList(const Lab& lab) {
  std::vector<Cells> rows;
  for (const ConstantRow& row : ConstantTable()) {
    rows.push_back({row.meaning, absl::StrFormat("%g", lab.constants.*(row.value)), row.source});
  }
  return Element("details",
                 Element("summary", "What is assumed") + Table({"assumption", "value", "from"}, rows));
}

std::string MapText(const std::vector<Content>& map) {
  std::string text;
  text.reserve(map.size());
  for (const Content content : map)
    text.push_back(static_cast<char>('a' + static_cast<int>(content)));
  return text;
}

// What the course shows: one curve each, named below it.
struct Shown {
  const char* name;
  const char* colour;
  double (*value)(const Sample& sample);
};
constexpr Shown kCourse[] = {
    {"free", "#888888", [](const Sample& s) { return static_cast<double>(s.free_gib); }},
    {"page cache", "#74c476", [](const Sample& s) { return static_cast<double>(s.file_gib); }},
    {"anonymous", "#3182bd", [](const Sample& s) { return static_cast<double>(s.anonymous_gib); }},
    {"btree", "#fd8d3c", [](const Sample& s) { return static_cast<double>(s.btree_gib); }},
    {"tainted superpageblocks", "#d62728",
     [](const Sample& s) { return static_cast<double>(s.nonmovable_blocks); }},
};

Html Course(const Lab& lab, const Run& run) {
  constexpr double kWidth = 1060, kHeight = 160;
  const auto most = static_cast<double>(lab.memory_gib);
  const auto last = static_cast<double>(std::max<size_t>(2, run.samples.size()) - 1);
  Html curves;
  Html names = "Filling, churning, the job's end, 1 GiB pages taken one by one; in GiB:";
  for (const Shown& shown : kCourse) {
    std::vector<report::Point> points;
    for (size_t i = 0; i < run.samples.size(); ++i) {
      points.push_back({kWidth * static_cast<double>(i) / last,
                        kHeight - kHeight * shown.value(run.samples[i]) / most});
    }
    curves += report::Polyline(points, shown.colour, 1.5);
    names +=
        Html(" ") + Element("span", {{"style", absl::StrCat("color:", shown.colour)}}, shown.name);
  }
  return report::Svg(kWidth, kHeight, curves) + Element("p", names) + "\n";
}

Html Maps(const Lab& lab, size_t number) {
  const Run& run = lab.runs[number];
  const auto map = [&](const char* when, char letter) {
    return Element("div",
                   Element("div", when) +
                       Element("canvas", {{"id", absl::StrCat(std::string(1, letter), number)}}));
  };
  return Element("h2", absl::StrCat(run.policy, ", hint ", OnOff(run), ": ", run.huge_1g_obtained,
                                    " 1 GiB pages")) +
         Element("div", {{"class", "pair"}}, map("before", 'b') + map("after", 'a')) + "\n" +
         Course(lab, run);
}

}  // namespace

std::string ToHtml(const Lab& lab) {
  Html page =
      Element("h1", absl::StrFormat("%g GiB of memory, seed %d", lab.memory_gib, lab.seed)) +
      Element(
          "p",
          "One cell is a page block of 2 MiB, one row a superpageblock of 1 GiB. Where anything "
          "in a page block cannot move, the cell shows that.") +
      Summary(lab) + ConstantList(lab) + Key();
  Json maps = Json::array();
  for (size_t i = 0; i < lab.runs.size(); ++i) {
    const Run& run = lab.runs[i];
    page += Maps(lab, i);
    const size_t columns = run.before.size() / run.superpageblocks;
    maps.push_back({absl::StrCat("b", i), MapText(run.before), columns});
    maps.push_back({absl::StrCat("a", i), MapText(run.after), columns});
  }
  page += report::ScriptData("colours", kColours) + report::ScriptData("maps", maps) +
          Element("script", Html::Raw(kScript));
  return report::Page("ebcache fragmentation lab", kStyle, page);
}

}  // namespace ebcache::lab
