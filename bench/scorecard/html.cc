// The card as one page: the table, and plots drawn as SVG here, so that it needs neither scripts
// nor the net.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "bench/scorecard/card.h"

namespace ebcache::scorecard {
namespace {

constexpr char kHead[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Scorecard</title><style>"
    "body{font:14px/1.5 sans-serif;margin:2em auto;max-width:76em;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;"
    "border-bottom:1px solid #ddd;vertical-align:top}.no{color:#b00}.yes{color:#070}"
    ".work{color:#666;font-size:.9em}h2{font-size:1.05em;margin:1.8em 0 .4em}"
    "svg{font:12px sans-serif;border:1px solid #ddd;background:#fff}text{fill:#222}"
    "</style><h1>Scorecard</h1>";

constexpr std::array<const char*, 6> kColours = {"#d62728", "#4c78a8", "#54a24b",
                                                 "#b279a2", "#f58518", "#79706e"};
constexpr double kLeft = 70, kTop = 16, kWidth = 640, kHeight = 300;

std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

std::string Table(const Card& card) {
  std::string html = "<table><tr><th>row<th>ours<th>theirs<th>ratio (spread)<th>goal<th>met</tr>\n";
  for (const Row& row : card.rows()) {
    const Comparison& c = row.comparison;
    absl::StrAppend(&html, "<tr><td>", Escape(c.row), "<div class=work>", Escape(c.work), "</div>");
    if (!row.not_measured.empty()) {
      absl::StrAppend(&html, "<td colspan=3>not measured: ", Escape(row.not_measured), "<td>",
                      row.GoalText(), "<td></tr>\n");
      continue;
    }
    absl::StrAppend(&html, "<td>", FigureText(*row.ours), " ", Escape(c.unit), "<td>",
                    FigureText(*row.theirs), "<div class=work>", Escape(c.theirs), "</div><td>",
                    FigureText(*row.ratio), " (", FigureText(row.spread->first), " .. ",
                    FigureText(row.spread->second), ")<td>", row.GoalText());
    absl::StrAppend(&html, *row.met ? "<td class=yes>yes" : "<td class=no>no", "</tr>\n");
  }
  return html + "</table>\n";
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

// Powers of ten, and 2 and 5 times those, that lie on the axis.
std::string LinesOfY(const Axis& axis, const Extent& extent) {
  std::string svg;
  for (double power = std::pow(10, std::floor(std::log10(extent.low_y))); power <= extent.high_y;
       power *= 10) {
    for (const int times : {1, 2, 5}) {
      const double value = power * times;
      const double at = axis.At(value);
      if (at < 0 || at > 1) continue;
      const double y = kTop + kHeight * (1 - at);
      absl::StrAppend(
          &svg, absl::StrFormat("<line x1=%.0f x2=%.0f y1=%.1f y2=%.1f stroke='#eee'/>"
                                "<text x=%.0f y=%.1f text-anchor=end>%s</text>",
                                kLeft, kLeft + kWidth, y, y, kLeft - 6, y + 4, FigureText(value)));
    }
  }
  return svg;
}

std::string LinesOfX(const Axis& axis, const Plot& plot) {
  std::string svg;
  std::vector<double> values;
  for (const Series& series : plot.series) {
    for (const auto& point : series.points) values.push_back(point.first);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  for (const double value : values) {
    absl::StrAppend(&svg, absl::StrFormat("<text x=%.1f y=%.0f text-anchor=middle>%s</text>",
                                          kLeft + kWidth * axis.At(value), kTop + kHeight + 18,
                                          FigureText(value)));
  }
  return svg;
}

std::string Curve(const Series& series, const Axis& x_axis, const Axis& y_axis, size_t number) {
  const char* colour = kColours[number % kColours.size()];
  std::string line, dots;
  for (const auto& [x, y] : series.points) {
    const double at_x = kLeft + kWidth * x_axis.At(x);
    const double at_y = kTop + kHeight * (1 - y_axis.At(y));
    absl::StrAppend(&line, absl::StrFormat("%.1f,%.1f ", at_x, at_y));
    absl::StrAppend(&dots, absl::StrFormat("<circle cx=%.1f cy=%.1f r=3 fill='%s'><title>%s: "
                                           "%s</title></circle>",
                                           at_x, at_y, colour, series.name, FigureText(y)));
  }
  return absl::StrFormat(
      "<polyline fill=none stroke='%s' stroke-width=2 points='%s'/>%s"
      "<text x=%.0f y=%.0f style='fill:%s'>%s</text>",
      colour, line, dots, kLeft + kWidth + 16, kTop + 16 + 18 * static_cast<double>(number), colour,
      series.name);
}

std::string Svg(const Plot& plot) {
  const Extent extent = ExtentOf(plot);
  if (extent.high_x == 0) return "";
  const Axis x_axis(extent.low_x, extent.high_x, plot.logarithmic_x);
  // Contenders are far apart: powers, not steps.
  const Axis y_axis(extent.low_y * 0.8, extent.high_y * 1.2, /*logarithmic=*/true);
  std::string svg = absl::StrFormat("<svg width=%.0f height=%.0f role=img>", kLeft + kWidth + 190,
                                    kTop + kHeight + 44);
  absl::StrAppend(&svg, LinesOfY(y_axis, extent), LinesOfX(x_axis, plot));
  for (size_t i = 0; i < plot.series.size(); ++i) {
    if (!plot.series[i].points.empty()) {
      absl::StrAppend(&svg, Curve(plot.series[i], x_axis, y_axis, i));
    }
  }
  absl::StrAppend(&svg,
                  absl::StrFormat("<text x=%.0f y=%.0f text-anchor=middle>%s</text>",
                                  kLeft + kWidth / 2, kTop + kHeight + 38, plot.x),
                  "</svg>");
  return absl::StrCat("<h2>", plot.title, ", ", plot.y, "</h2>", svg, "\n");
}

}  // namespace

std::string ToHtml(const Card& card) {
  std::string page = absl::StrCat(kHead, "<p>The median of ", card.settings().repetitions,
                                  " turns of each side, both in one run.</p>\n<p class=no>",
                                  card.not_quiet(), "</p>\n", Table(card));
  for (const Plot& plot : card.plots()) page += Svg(plot);
  return page + "</html>\n";
}

}  // namespace ebcache::scorecard
