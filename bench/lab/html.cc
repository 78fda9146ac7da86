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

#include "bench/lab/course_plot.h"
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
canvas{border:1px solid #999;image-rendering:pixelated;width:1024px}
.key span{display:inline-block;margin-right:1em}
.key i{display:inline-block;width:1em;height:1em;margin-right:.3em;border:1px solid #999}
svg{border:1px solid #999}
)";

constexpr char kScript[] = R"(
function paint(id, text) {
  const canvas = document.getElementById(id), rows = Math.ceil(text.length / 512);
  canvas.width = 512; canvas.height = rows;
  canvas.style.height = rows * Math.max(2, Math.min(24, Math.floor(240 / rows))) + 'px';
  const context = canvas.getContext('2d');
  for (let i = 0; i < text.length; ++i) {
    context.fillStyle = colours[text.charCodeAt(i) - 97];
    context.fillRect(i % 512, Math.floor(i / 512), 1, 1);
  }
}
for (const map of maps) paint(map[0], map[1]);
)";

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
    const Census& end = run.end();
    const auto of = [](uint64_t n, uint64_t all) { return absl::StrCat(n, " of ", all); };
    rows.push_back({RunName(lab, run), of(end.with_kernel, end.pageblocks),
                    absl::StrCat(end.with_btree), absl::StrCat(end.wholly_free),
                    Element("b", absl::StrCat(run.huge_asked())),
                    absl::StrCat(run.huge_dropped()),
                    of(end.recoverable, run.superpageblocks),
                    run.has_gigantic ? Element("b", absl::StrCat(run.huge_1g_obtained)) : Html("not asked"),
                    absl::StrFormat("%.1f %%", run.luck.made * 100),
                    absl::StrFormat("%.1f", run.seconds)});
  }
  return Table({"policy, hint", "page blocks with kernel pages", "with btree pages", "wholly free",
                "2 MiB pages obtained", "caches dropped", "recoverable superpageblocks",
                "1 GiB pages obtained", "in one piece by luck", "seconds"},
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

Html Maps(const Lab& lab, size_t number) {
  const Run& run = lab.runs[number];
  const auto map = [&](const char* when, char letter) {
    return Element("h3", when) +
           Element("canvas", {{"id", absl::StrCat(std::string(1, letter), number)}}) + "\n";
  };
  Html maps = Element("h2", RunName(lab, run)) +
              map("When the job has ended", 'b') +
              map(absl::StrCat("After three requests for 2 MiB pages: ", run.huge_asked(),
                               " obtained").c_str(), 'h');
  if (run.has_gigantic) {
    maps += map(absl::StrCat("In another copy, after requests for 1 GiB pages: ",
                             run.huge_1g_obtained, " of ", run.superpageblocks, " obtained").c_str(),
                'a');
  }
  return maps + CoursePlot(lab.memory_gib, run);
}

Html RangeTable(const Lab& lab) {
  std::vector<std::string> titles = {"policy, hint"};
  for (const RangeCount& range : lab.runs.front().end().ranges) {
    titles.push_back(range.mib == 1024 ? "1 GiB" : absl::StrCat(range.mib, " MiB"));
  }
  std::vector<Cells> rows;
  for (const Run& run : lab.runs) {
    Cells row = {RunName(lab, run)};
    for (const RangeCount& range : run.end().ranges) {
      row.push_back(absl::StrCat(range.without_kernel, " / ", range.without_either, " of ",
                                 range.ranges));
    }
    rows.push_back(row);
  }
  return Element("h2", "Ranges without kernel pages / without btree pages either") +
         Table(titles, rows);
}

Html ComparisonTable(const KernelComparison& comparison) {
  std::vector<Cells> rows;
  for (const ComparedFigure& figure : comparison.figures) {
    rows.push_back({(figure.judged ? "* " : "") + figure.name, figure.hint ? "on" : "off",
                    absl::StrFormat("%.3f", figure.kernel), absl::StrFormat("%.3f", figure.lab),
                    figure.comparable ? absl::StrFormat("%+.1f %%", figure.error * 100) : "-"});
  }
  return Element("h2", absl::StrCat("Beside a kernel: ", comparison.series)) +
         Table({"share", "hint", "kernel", "lab", "error"}, rows);
}

}  // namespace

std::string ToHtml(const Lab& lab) {
  Html page =
      Element("h1", absl::StrFormat("%g GiB of memory, seed %d", lab.memory_gib, lab.seed)) +
      Element("p",
              "In the maps one cell is a page block of 2 MiB, one row 1 GiB; all are at the same "
              "scale. Where anything in a page block cannot move, the cell shows that.") +
      Summary(lab);
  std::vector<std::string> names;
  for (const Run& run : lab.runs) names.push_back(RunName(lab, run));
  page += RangeTable(lab) + RangePlot(lab.runs, names);
  if (lab.comparison.has_value()) page += ComparisonTable(*lab.comparison);
  page += ConstantList(lab) + Key();
  Json maps = Json::array();
  for (size_t i = 0; i < lab.runs.size(); ++i) {
    const Run& run = lab.runs[i];
    page += Maps(lab, i);
    maps.push_back({absl::StrCat("b", i), MapText(run.before)});
    maps.push_back({absl::StrCat("h", i), MapText(run.after_2m)});
    if (run.has_gigantic) maps.push_back({absl::StrCat("a", i), MapText(run.after)});
  }
  page += report::ScriptData("colours", kColours) + report::ScriptData("maps", maps) +
          Element("script", Html::Raw(kScript));
  return report::Page("ebcache fragmentation lab", kStyle, page);
}

}  // namespace ebcache::lab
