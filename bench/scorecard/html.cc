// The card as one page: the table, and plots drawn as SVG here, so that it needs neither scripts
// nor the net.

#include "bench/report/html.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "bench/scorecard/card.h"

namespace ebcache::scorecard {
namespace {

using report::Cell;
using report::Cells;
using report::Element;
using report::Html;
using report::Point;
using report::Polyline;
using report::Table;

constexpr char kStyle[] =
    "body{max-width:76em}svg{border:1px solid #ddd}.no,.worse{color:#b00}.yes,.better{color:#070}"
    ".work{color:#666;font-size:.9em}";

constexpr std::array<const char*, 6> kColours = {"#d62728", "#4c78a8", "#54a24b",
                                                 "#b279a2", "#f58518", "#79706e"};
constexpr double kLeft = 70, kTop = 16, kWidth = 640, kHeight = 300;

// A cell with a second line about the first.
Cell WithWork(const Html& first, const std::string& second) {
  return first + Element("div", {{"class", "work"}}, second);
}

Cells RowOf(const Card& card, const Row& row) {
  const Comparison& c = row.comparison;
  const bool against = !card.settings().against.empty();
  Cells cells = {WithWork(c.row, c.work)};
  if (!row.not_measured.empty()) {
    cells.push_back({absl::StrCat("not measured: ", row.not_measured), 3});
    if (!against) cells.push_back(row.GoalText());
    cells.push_back("");
    return cells;
  }
  cells.push_back(absl::StrCat(FigureText(*row.ours), " ", c.unit));
  cells.push_back(WithWork(FigureText(*row.theirs), c.theirs));
  cells.push_back(RatioText(row));
  if (against) {
    cells.push_back({row.DifferenceText(), row.DifferenceText()});
  } else {
    const std::string met = *row.met ? "yes" : "no";
    cells.push_back(row.GoalText());
    cells.push_back({met, met});
  }
  return cells;
}

Html TableOf(const Card& card) {
  std::vector<Cells> rows;
  for (const Row& row : card.rows()) rows.push_back(RowOf(card, row));
  return Table(Titles(card), rows);
}

// Where a figure lies on an axis; logarithmic ones begin and end at the data.
class Axis {
 public:
  Axis(double low, double high, bool logarithmic)
      : logarithmic_(logarithmic),
        low_(Scale(low)),
        high_(std::max(Scale(high), Scale(low) + 1e-9)) {}
  double At(double value) const { return (Scale(value) - low_) / (high_ - low_); }

 private:
  double Scale(double value) const {
    return logarithmic_ ? std::log10(std::max(value, 1e-9)) : value;
  }
  const bool logarithmic_;
  const double low_;
  const double high_;
};

struct Extent {
  double low_x = 1e300, high_x = 0, low_y = 1e300, high_y = 0;
};
Extent ExtentOf(const Plot& plot) {
  Extent e;
  for (const Series& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      e.low_x = std::min(e.low_x, x);
      e.high_x = std::max(e.high_x, x);
      e.low_y = std::min(e.low_y, y);
      e.high_y = std::max(e.high_y, y);
    }
  }
  return e;
}

Html Text(double x, double y, const char* anchor, const Html& text) {
  return Element("text", {{"x", x}, {"y", y}, {"text-anchor", anchor}}, text);
}

// Powers of ten, and 2 and 5 times those, that lie on the axis.
Html LinesOfY(const Axis& axis, const Extent& extent) {
  Html svg;
  for (double power = std::pow(10, std::floor(std::log10(extent.low_y))); power <= extent.high_y;
       power *= 10) {
    for (const int times : {1, 2, 5}) {
      const double value = power * times;
      const double at = axis.At(value);
      if (at < 0 || at > 1) continue;
      const double y = kTop + kHeight * (1 - at);
      svg += Polyline({{kLeft, y}, {kLeft + kWidth, y}}, "#eee", 1);
      svg += Text(kLeft - 6, y + 4, "end", FigureText(value));
    }
  }
  return svg;
}

Html LinesOfX(const Axis& axis, const Plot& plot) {
  std::vector<double> values;
  for (const Series& series : plot.series) {
    for (const auto& point : series.points) values.push_back(point.first);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  Html svg;
  for (const double value : values) {
    svg += Text(kLeft + kWidth * axis.At(value), kTop + kHeight + 18, "middle", FigureText(value));
  }
  return svg;
}

Html Curve(const Series& series, const Axis& x_axis, const Axis& y_axis, size_t number) {
  const char* colour = kColours[number % kColours.size()];
  std::vector<Point> line;
  Html dots;
  for (const auto& [x, y] : series.points) {
    const Point at{kLeft + kWidth * x_axis.At(x), kTop + kHeight * (1 - y_axis.At(y))};
    line.push_back(at);
    dots += Element("circle", {{"cx", at.x}, {"cy", at.y}, {"r", 3}, {"fill", colour}},
                    Element("title", absl::StrCat(series.name, ": ", FigureText(y))));
  }
  const Html name = Element("text",
                            {{"x", kLeft + kWidth + 16},
                             {"y", kTop + 16 + 18 * static_cast<double>(number)},
                             {"style", absl::StrCat("fill:", colour)}},
                            series.name);
  return Polyline(line, colour, 2) + dots + name;
}

Html PlotOf(const Plot& plot) {
  const Extent extent = ExtentOf(plot);
  if (extent.high_x == 0) return {};
  const Axis x_axis(extent.low_x, extent.high_x, plot.logarithmic_x);
  // Contenders are far apart: powers, not steps.
  const Axis y_axis(extent.low_y * 0.8, extent.high_y * 1.2, /*logarithmic=*/true);
  Html svg = LinesOfY(y_axis, extent) + LinesOfX(x_axis, plot);
  for (size_t i = 0; i < plot.series.size(); ++i) {
    if (!plot.series[i].points.empty()) svg += Curve(plot.series[i], x_axis, y_axis, i);
  }
  svg += Text(kLeft + kWidth / 2, kTop + kHeight + 38, "middle", plot.x);
  return Element("h2", absl::StrCat(plot.title, ", ", plot.y)) +
         report::Svg(kLeft + kWidth + 190, kTop + kHeight + 44, svg);
}

}  // namespace

std::string ToHtml(const Card& card) {
  Html page = Element("h1", "Scorecard") + Element("p", Summary(card)) +
              Element("p", {{"class", "no"}}, card.not_quiet()) + "\n" + TableOf(card);
  for (const Plot& plot : card.plots()) page += PlotOf(plot);
  return report::Page("Scorecard", kStyle, page);
}

}  // namespace ebcache::scorecard
