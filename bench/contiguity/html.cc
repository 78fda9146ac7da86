// The page with plots: one file, drawn as SVG here, so that it needs neither scripts nor the net.

#include "bench/report/html.h"

#include <absl/functional/function_ref.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bench/contiguity/figures.h"

namespace ebcache::contiguity {
namespace {

using report::Element;
using report::Html;

constexpr int kLabelWidth = 170;
constexpr int kPlotWidth = 520;
constexpr int kRowHeight = 24;

constexpr char kStyle[] = "body{max-width:56em}.bar{fill:#4c78a8}";

Html Text(double x, double y, const char* anchor, const Html& text) {
  return Element("text", {{"x", x}, {"y", y}, {"text-anchor", anchor}}, text);
}

Html Picture(size_t rows, const Html& inside) {
  return report::Svg(kLabelWidth + kPlotWidth + 110, static_cast<double>(rows * kRowHeight + 6),
                     inside);
}

Html Label(size_t row, const std::string& name) {
  return Text(kLabelWidth - 8, static_cast<double>(row * kRowHeight + 16), "end", name);
}

// One bar a row, from zero.
template <typename Figures>
Html Bars(const char* title, const std::vector<Figures>& rows, const char* unit,
          absl::FunctionRef<double(const Figures&)> value) {
  double most = 0;
  for (const Figures& row : rows) most = std::max(most, value(row));
  Html inside;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double figure = value(rows[i]);
    const double width = most == 0 ? 0 : figure / most * kPlotWidth;
    const auto y = static_cast<double>(i * kRowHeight);
    inside += Label(i, rows[i].name);
    inside += Element("rect", {{"class", "bar"},
                               {"x", kLabelWidth},
                               {"y", y + 3},
                               {"width", width},
                               {"height", kRowHeight - 6}});
    inside += Text(kLabelWidth + width + 6, y + 16, "start",
                   absl::StrFormat(figure < 10 ? "%.2f %s" : "%.0f %s", figure, unit));
  }
  return Element("h2", title) + Picture(rows.size(), inside);
}

// Nanoseconds on a logarithmic axis, which begins and ends at powers of ten.
class LatencyAxis {
 public:
  explicit LatencyAxis(const std::vector<PressureFigures>& rows) {
    double least = 1e12, most = 1;
    for (const PressureFigures& f : rows) {
      least = std::min(least, std::max(f.p50_ns, 1.0));
      most = std::max(most, f.max_ns);
    }
    low_ = std::floor(std::log10(least));
    high_ = std::max(std::ceil(std::log10(most)), low_ + 1);
  }
  double At(double ns) const {
    return kLabelWidth + (std::log10(std::max(ns, 1.0)) - low_) / (high_ - low_) * kPlotWidth;
  }
  Html Lines(double bottom) const {
    Html lines;
    for (double power = low_; power <= high_; ++power) {
      const double ns = std::pow(10, power);
      lines += report::Polyline({{At(ns), 0}, {At(ns), bottom}}, "#ddd", 1);
      lines += Text(At(ns), bottom + 16, "middle", absl::StrFormat("%g us", ns / 1000));
    }
    return lines;
  }

 private:
  double low_;
  double high_;
};

// A line from the median to the slowest, a mark at each percentile.
Html Latencies(const std::vector<PressureFigures>& rows) {
  const LatencyAxis axis(rows);
  Html inside = axis.Lines(static_cast<double>(rows.size() * kRowHeight));
  for (size_t i = 0; i < rows.size(); ++i) {
    const PressureFigures& f = rows[i];
    const auto y = static_cast<double>(i * kRowHeight + kRowHeight / 2);
    inside += Label(i, f.name);
    inside += report::Polyline({{axis.At(f.p50_ns), y}, {axis.At(f.max_ns), y}}, "#4c78a8", 1);
    for (const double ns : {f.p50_ns, f.p90_ns, f.p99_ns, f.p999_ns, f.max_ns}) {
      inside += Element("circle", {{"class", "bar"}, {"cx", axis.At(ns)}, {"cy", y}, {"r", 4}},
                        Element("title", absl::StrFormat("%.0f ns", ns)));
    }
  }
  return Element("h2", "A read that misses: median, 90, 99, 99.9 %, slowest") +
         Picture(rows.size() + 1, inside);
}

Html Work(const std::vector<WorkFigures>& rows) {
  using W = WorkFigures;
  return Bars<W>("Blocks in one piece", rows, "%", [](const W& f) { return f.share * 100; }) +
         Bars<W>("Key search, all cached", rows, "ns a key",
                 [](const W& f) { return f.search_ns; }) +
         Bars<W>("Item decoding, all cached", rows, "ns an item",
                 [](const W& f) { return f.decode_ns; }) +
         Bars<W>("Walk, all cached", rows, "ns a block", [](const W& f) { return f.rewalk_ns; }) +
         Bars<W>("First walk: made, read, verified", rows, "ns a block",
                 [](const W& f) { return f.walk_ns; });
}

Html Making(const std::vector<MapFigures>& rows, const WindowFigures& windows) {
  using M = MapFigures;
  return Bars<M>("Making a block", rows, "ns", [](const M& f) { return f.allocate_ns; }) +
         Bars<M>("Freeing a block", rows, "ns", [](const M& f) { return f.free_ns; }) +
         Element("p", absl::StrFormat(
                          "Windows: %.0f ns to map one, %.0f ns to unmap one in a batch, %.0f ns "
                          "for a block that finds its window again.",
                          windows.map_ns, windows.unmap_ns, windows.found_again_ns));
}

Html Pressure(const std::vector<PressureFigures>& rows, uint64_t mib) {
  using P = PressureFigures;
  return Element("h1", absl::StrCat("With ", mib, " MiB, half of it somebody else's, in pieces")) +
         Bars<P>("Reads that succeed", rows, "%",
                 [](const P& f) {
                   return 100 * (1 - static_cast<double>(f.failed) / static_cast<double>(f.reads));
                 }) +
         Bars<P>("Blocks in one piece", rows, "%", [](const P& f) { return f.share * 100; }) +
         Latencies(rows) +
         Bars<P>("Buffers let go for others, by the cache", rows, "",
                 [](const P& f) { return static_cast<double>(f.reclaimed); }) +
         Bars<P>("Buffers let go because the allocator asked", rows, "",
                 [](const P& f) { return static_cast<double>(f.released); }) +
         Bars<P>("Folios moved", rows, "",
                 [](const P& f) { return static_cast<double>(f.migrated); });
}

}  // namespace

std::string ToHtml(const Report& figures) {
  Html page = Element("h1", "A metadata block in one piece: what it is worth") +
              Element("p", absl::StrCat(figures.tree_bytes >> 20, " MiB of trees, ", figures.keys,
                                        " keys, nodes of 16 KiB on pages of 4 KiB; best of ",
                                        figures.rounds, " rounds.")) +
              Work(figures.work) + Making(figures.making, figures.windows);
  if (!figures.pressure.empty()) page += Pressure(figures.pressure, figures.pressure_mib);
  return report::Page("Contiguity", kStyle, page);
}

}  // namespace ebcache::contiguity
