// The page with plots: one file, drawn as SVG here, so that it needs neither scripts nor the net.

#include <absl/functional/function_ref.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>

#include "bench/contiguity/figures.h"

namespace ebcache::contiguity {
namespace {

constexpr int kLabelWidth = 170;
constexpr int kPlotWidth = 520;
constexpr int kRowHeight = 24;

constexpr char kHead[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Contiguity</title><style>"
    "body{font:14px/1.5 sans-serif;margin:2em auto;max-width:56em;padding:0 1em}"
    "h2{font-size:1.05em;margin:1.8em 0 .4em}svg{font:12px sans-serif}"
    ".bar{fill:#4c78a8}.fail{fill:#d62728}text{fill:#222}"
    "</style><h1>A metadata block in one piece: what it is worth</h1>";

std::string Svg(size_t rows, const std::string& inside) {
  return absl::StrCat("<svg width=\"", kLabelWidth + kPlotWidth + 110, "\" height=\"",
                      rows * kRowHeight + 6, "\" role=\"img\">", inside, "</svg>\n");
}

std::string Label(size_t row, const std::string& name) {
  return absl::StrFormat("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", kLabelWidth - 8,
                         row * kRowHeight + 16, name);
}

// One bar a row, from zero.
template <typename Figures>
std::string Bars(const std::string& title, const std::vector<Figures>& rows,
                 absl::FunctionRef<double(const Figures&)> value, const char* format) {
  double most = 0;
  for (const Figures& row : rows) most = std::max(most, value(row));
  std::string inside;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double width = most == 0 ? 0 : value(rows[i]) / most * kPlotWidth;
    const int y = static_cast<int>(i) * kRowHeight;
    absl::StrAppend(&inside, Label(i, rows[i].name));
    absl::StrAppend(&inside, absl::StrFormat("<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%.1f\" "
                                             "height=\"%d\"/><text x=\"%.1f\" y=\"%d\">",
                                             kLabelWidth, y + 3, width, kRowHeight - 6,
                                             kLabelWidth + width + 6, y + 16));
    absl::StrAppend(&inside,
                    value(rows[i]) < 10 ? absl::StrFormat("%.2f", value(rows[i]))
                                        : absl::StrFormat("%.0f", value(rows[i])),
                    " ", format, "</text>");
  }
  return absl::StrCat("<h2>", title, "</h2>", Svg(rows.size(), inside));
}

// Percentiles on a logarithmic axis: a line from the median to the slowest, a mark at each.
std::string Latencies(const std::vector<PressureFigures>& rows) {
  double least = 1e12, most = 1;
  for (const PressureFigures& f : rows) {
    least = std::min(least, std::max(f.p50_ns, 1.0));
    most = std::max(most, f.max_ns);
  }
  const double low = std::floor(std::log10(least));
  const double high = std::max(std::ceil(std::log10(most)), low + 1);
  const auto x = [&](double ns) {
    return kLabelWidth + (std::log10(std::max(ns, 1.0)) - low) / (high - low) * kPlotWidth;
  };
  std::string inside;
  const int bottom = static_cast<int>(rows.size()) * kRowHeight;
  for (double power = low; power <= high; ++power) {
    absl::StrAppend(
        &inside, absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\" "
                                 "stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%d\" "
                                 "text-anchor=\"middle\">%g us</text>",
                                 x(std::pow(10, power)), x(std::pow(10, power)), bottom,
                                 x(std::pow(10, power)), bottom + 16, std::pow(10, power) / 1000));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const PressureFigures& f = rows[i];
    const int y = static_cast<int>(i) * kRowHeight + kRowHeight / 2;
    absl::StrAppend(&inside, Label(i, f.name),
                    absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" "
                                    "stroke=\"#4c78a8\"/>",
                                    x(f.p50_ns), x(f.max_ns), y, y));
    for (const double ns : {f.p50_ns, f.p90_ns, f.p99_ns, f.p999_ns, f.max_ns}) {
      absl::StrAppend(&inside, absl::StrFormat("<circle class=\"bar\" cx=\"%.1f\" cy=\"%d\" "
                                               "r=\"4\"><title>%.0f ns</title></circle>",
                                               x(ns), y, ns));
    }
  }
  return absl::StrCat("<h2>A read that misses: median, 90, 99, 99.9 %, slowest</h2>",
                      Svg(rows.size() + 1, inside));
}

}  // namespace

std::string ToHtml(const Report& report) {
  using W = WorkFigures;
  using M = MapFigures;
  using P = PressureFigures;
  std::string page = kHead;
  absl::StrAppend(&page, "<p>", report.tree_bytes >> 20, " MiB of trees, ", report.keys,
                  " keys, nodes of 16 KiB on pages of 4 KiB; best of ", report.rounds,
                  " rounds.</p>");
  absl::StrAppend(
      &page,
      Bars<W>(
          "Blocks in one piece", report.work, [](const W& f) { return f.share * 100; }, "%"),
      Bars<W>(
          "Key search, all cached", report.work, [](const W& f) { return f.search_ns; },
          "ns a key"),
      Bars<W>(
          "Item decoding, all cached", report.work, [](const W& f) { return f.decode_ns; },
          "ns an item"),
      Bars<W>(
          "Walk, all cached", report.work, [](const W& f) { return f.rewalk_ns; }, "ns a block"),
      Bars<W>(
          "First walk: made, read, verified", report.work, [](const W& f) { return f.walk_ns; },
          "ns a block"));
  absl::StrAppend(
      &page,
      Bars<M>(
          "Making a block", report.making, [](const M& f) { return f.allocate_ns; }, "ns"),
      Bars<M>(
          "Freeing a block", report.making, [](const M& f) { return f.free_ns; }, "ns"));
  absl::StrAppend(&page, absl::StrFormat("<p>Windows: %.0f ns to map one, %.0f ns to unmap one in "
                                         "a batch, %.0f ns for a block that finds its window "
                                         "again.</p>",
                                         report.windows.map_ns, report.windows.unmap_ns,
                                         report.windows.found_again_ns));
  if (!report.pressure.empty()) {
    absl::StrAppend(&page, "<h1>With ", report.pressure_mib,
                    " MiB, half of it somebody else's, in pieces</h1>");
    absl::StrAppend(
        &page,
        Bars<P>(
            "Reads that succeed", report.pressure,
            [](const P& f) {
              return 100 * (1 - static_cast<double>(f.failed) / static_cast<double>(f.reads));
            },
            "%"),
        Bars<P>(
            "Blocks in one piece", report.pressure, [](const P& f) { return f.share * 100; }, "%"),
        Latencies(report.pressure),
        Bars<P>(
            "Buffers let go for others, by the cache", report.pressure,
            [](const P& f) { return static_cast<double>(f.reclaimed); }, ""),
        Bars<P>(
            "Buffers let go because the allocator asked", report.pressure,
            [](const P& f) { return static_cast<double>(f.released); }, ""),
        Bars<P>(
            "Folios moved", report.pressure,
            [](const P& f) { return static_cast<double>(f.migrated); }, ""));
  }
  return page + "</html>\n";
}

}  // namespace ebcache::contiguity
