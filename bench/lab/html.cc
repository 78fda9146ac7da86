// The page to look at: for each run the memory before and after, one cell a page block and one row
// a superpageblock, and the course over time. One file; the maps are text that a script paints.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <array>

#include "bench/lab/report.h"

namespace ebcache::lab {
namespace {

constexpr std::array<const char*, kContents> kColours = {"#f2f2f2", "#9ecae1", "#c7e9c0",
                                                         "#fdae6b", "#d62728", "#bcbddc",
                                                         "#636363", "#8c564b", "#2ca02c"};

constexpr char kHead[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ebcache fragmentation lab</title>
<style>
body{font:14px/1.4 sans-serif;margin:2em;max-width:1200px}
table{border-collapse:collapse}
td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}
canvas{border:1px solid #999;image-rendering:pixelated;width:512px}
.pair{display:flex;gap:2em;flex-wrap:wrap}.key span{display:inline-block;margin-right:1em}
.key i{display:inline-block;width:1em;height:1em;margin-right:.3em;border:1px solid #999}
svg{border:1px solid #999;background:#fff}
</style></head><body>
)";

constexpr char kScript[] = R"(<script>
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
</script>
)";

std::string Key() {
  std::string html = "<p class=key>";
  for (int i = 0; i < kContents; ++i) {
    absl::StrAppend(&html, "<span><i style='background:", kColours[static_cast<size_t>(i)],
                    "'></i>", ContentName(static_cast<Content>(i)), "</span>");
  }
  return html + "</p>\n";
}

std::string SummaryTable(const Lab& lab) {
  std::string html =
      "<table><tr><th>policy<th>hint<th>tainted<th>with btree pages<th>recoverable"
      "<th>1 GiB pages obtained<th>pages moved<th>buffers released<th>in one piece by luck"
      "<th>seconds</tr>\n";
  for (const Run& run : lab.runs) {
    absl::StrAppendFormat(&html,
                          "<tr><td>%s<td>%s<td>%d<td>%d<td>%d<td><b>%d</b> of "
                          "%d<td>%d<td>%d<td>%.1f %%<td>%.1f</tr>\n",
                          run.policy, run.hint ? "on" : "off", run.census.tainted,
                          run.census.holding_btree, run.census.recoverable, run.huge_1g_obtained,
                          run.superpageblocks, run.pages_migrated, run.buffers_released,
                          run.luck.made * 100, run.seconds);
  }
  absl::StrAppendFormat(
      &html,
      "</table>\n<p>By luck: of the 16 KiB btree blocks ever made. A running kernel "
      "counted %.1f %% under a metadata load and %.1f %% under a data load.</p>\n",
      kKernelLuckMetadata * 100, kKernelLuckData * 100);
  return html;
}

std::string AssumptionList() {
  std::string html = "<details><summary>What is assumed</summary><table>\n";
  for (const Assumption& a : Assumptions()) {
    absl::StrAppendFormat(&html, "<tr><td>%s<td>%g</tr>\n", a.meaning, a.value);
  }
  return html + "</table></details>\n";
}

std::string MapText(const std::vector<Content>& map) {
  std::string text;
  text.reserve(map.size());
  for (const Content content : map)
    text.push_back(static_cast<char>('a' + static_cast<int>(content)));
  return text;
}

// One curve of the course, scaled to the picture.
template <typename Value>
std::string Curve(const Run& run, double most, const char* colour, Value value) {
  constexpr double kWidth = 1060, kHeight = 160;
  std::string points;
  for (size_t i = 0; i < run.samples.size(); ++i) {
    const double x = kWidth * static_cast<double>(i) /
                     static_cast<double>(std::max<size_t>(1, run.samples.size() - 1));
    const double y = kHeight - kHeight * static_cast<double>(value(run.samples[i])) / most;
    absl::StrAppendFormat(&points, "%.1f,%.1f ", x, y);
  }
  return absl::StrCat("<polyline fill='none' stroke='", colour, "' stroke-width='1.5' points='",
                      points, "'/>");
}

std::string Course(const Lab& lab, const Run& run) {
  const auto most = static_cast<double>(lab.memory_gib);
  std::string html = "<svg width=1060 height=160>";
  html += Curve(run, most, "#888888", [](const Sample& s) { return s.free_gib; });
  html += Curve(run, most, "#74c476", [](const Sample& s) { return s.file_gib; });
  html += Curve(run, most, "#3182bd", [](const Sample& s) { return s.anonymous_gib; });
  html += Curve(run, most, "#fd8d3c", [](const Sample& s) { return s.btree_gib; });
  html += Curve(run, most, "#d62728", [](const Sample& s) { return s.tainted; });
  return html +
         "</svg><p>Filling, churning, the job's end, 1 GiB pages taken one by one; in GiB: "
         "<span style='color:#888'>free</span>, "
         "<span style='color:#74c476'>page cache</span>, "
         "<span style='color:#3182bd'>anonymous</span>, "
         "<span style='color:#fd8d3c'>btree</span>; "
         "<span style='color:#d62728'>tainted superpageblocks</span></p>\n";
}

}  // namespace

std::string ToHtml(const Lab& lab) {
  std::string html = kHead;
  absl::StrAppendFormat(&html,
                        "<h1>%d GiB of memory, %d GiB of btree pages, seed %d</h1>\n"
                        "<p>One cell is a page block of 2 MiB, one row a superpageblock of 1 GiB. "
                        "Where anything in a page block cannot move, the cell shows that.</p>\n",
                        lab.memory_gib, lab.btree_gib, lab.seed);
  html += SummaryTable(lab) + AssumptionList() + Key();
  std::string maps;
  for (size_t i = 0; i < lab.runs.size(); ++i) {
    const Run& run = lab.runs[i];
    absl::StrAppendFormat(&html,
                          "<h2>%s, hint %s: %d 1 GiB pages</h2>\n<div class=pair>"
                          "<div>before<br><canvas id=b%d></canvas></div>"
                          "<div>after<br><canvas id=a%d></canvas></div></div>\n",
                          run.policy, run.hint ? "on" : "off", run.huge_1g_obtained, i, i);
    html += Course(lab, run);
    const size_t columns = run.before.size() / run.superpageblocks;
    absl::StrAppendFormat(&maps, "['b%d','%s',%d],\n['a%d','%s',%d],\n", i, MapText(run.before),
                          columns, i, MapText(run.after), columns);
  }
  html += "<script>const colours = [";
  for (const char* colour : kColours) absl::StrAppend(&html, "'", colour, "',");
  absl::StrAppend(&html, "];\nconst maps = [\n", maps, "];</script>\n", kScript,
                  "</body></html>\n");
  return html;
}

}  // namespace ebcache::lab
