#include "bench/lab/course_plot.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace ebcache::lab {
namespace {

using report::Element;
using report::Html;
using report::Point;
using report::Polyline;

// The part of a picture that curves are in, and what is around it.
constexpr double kLeft = 60, kTop = 24, kWidth = 900, kHeight = 220;
constexpr double kRight = 20, kBottom = 44;
constexpr const char* kAxis = "#444444";
constexpr const char* kGrid = "#dddddd";

Html Text(double x, double y, const char* anchor, const std::string& text) {
  return Element("text",
                 {{"x", x}, {"y", y}, {"text-anchor", anchor}, {"font-size", "12"}, {"fill", kAxis}},
                 text);
}

// A step of 1, 2 or 5 times a power of ten, of which about five fit.
double StepFor(double most) {
  const double power = std::pow(10, std::floor(std::log10(std::max(most, 1e-6) / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (most / (factor * power) <= 6) return factor * power;
  }
  return 10 * power;
}

// Grid, numbers and unit of the axis to the left.
Html LeftAxis(double most, const std::string& unit) {
  Html axis;
  const double step = StepFor(most);
  for (double value = 0; value <= most * 1.0001; value += step) {
    const double y = kTop + kHeight - kHeight * value / most;
    axis += Polyline({{kLeft, y}, {kLeft + kWidth, y}}, kGrid, 1) +
            Text(kLeft - 6, y + 4, "end", absl::StrFormat("%g", value));
  }
  return axis + Text(kLeft - 50, kTop - 8, "start", unit);
}

Html Frame(const Html& inside) {
  return report::Svg(
      kLeft + kWidth + kRight, kTop + kHeight + kBottom,
      inside + Polyline({{kLeft, kTop}, {kLeft, kTop + kHeight}, {kLeft + kWidth, kTop + kHeight}},
                        kAxis, 1));
}

Html Named(const char* colour, const std::string& name) {
  return Html(" ") + Element("span", {{"style", absl::StrCat("color:", colour)}}, name);
}

// One curve each, named below.
struct Shown {
  const char* name;
  const char* colour;
  double (*value)(const Sample& sample);
};
constexpr std::array<Shown, 5> kCourse = {{
    {"free", "#888888", [](const Sample& s) { return s.free_gib; }},
    {"page cache", "#41ab5d", [](const Sample& s) { return s.file_gib; }},
    {"anonymous", "#3182bd", [](const Sample& s) { return s.anonymous_gib; }},
    {"btree", "#fd8d3c", [](const Sample& s) { return s.btree_gib; }},
    {"page blocks of unmovable and reclaimable type", "#d62728",
     [](const Sample& s) { return static_cast<double>(s.nonmovable_blocks) / 512; }},
}};

}  // namespace

Html CoursePlot(double memory_gib, const Run& run) {
  const auto last = static_cast<double>(std::max<size_t>(2, run.samples.size()) - 1);
  const auto x_of = [&](double sample) { return kLeft + kWidth * sample / last; };
  Html inside = LeftAxis(memory_gib, "GiB");
  for (size_t i = 0; i < run.samples.size(); i += std::max<size_t>(1, run.samples.size() / 10)) {
    inside += Text(x_of(static_cast<double>(i)), kTop + kHeight + 16, "middle", absl::StrCat(i));
  }
  inside += Text(kLeft + kWidth / 2, kTop + kHeight + 36, "middle",
                 "rounds; behind the end of the job, requests");
  for (const Stage& stage : run.stages) {
    const double x = x_of(static_cast<double>(stage.sample));
    inside += Polyline({{x, kTop}, {x, kTop + kHeight}}, kAxis, 1);
    // A round after the churn: its name is on the other side.
    if (stage.name == "end") {
      inside += Text(x + 4, kTop - 8, "start", "job ended");
    } else {
      inside += Text(std::max(kLeft + 30, x - 4), kTop - 8, "end",
                     stage.name == "fill" ? "full" : "churned");
    }
  }
  Html names = "In GiB:";
  for (const Shown& shown : kCourse) {
    std::vector<Point> points;
    for (size_t i = 0; i < run.samples.size(); ++i) {
      points.push_back({x_of(static_cast<double>(i)),
                        kTop + kHeight - kHeight * shown.value(run.samples[i]) / memory_gib});
    }
    inside += Polyline(points, shown.colour, 1.5);
    names += Named(shown.colour, shown.name);
  }
  return Frame(inside) + Element("p", names) + "\n";
}

Html RangePlot(const std::vector<Run>& runs, const std::vector<std::string>& names) {
  constexpr std::array<const char*, 4> kColours = {"#d62728", "#fd8d3c", "#3182bd", "#41ab5d"};
  Html inside = LeftAxis(100, "% of ranges without kernel pages");
  Html below = "At the end of the job:";
  const auto& sizes = runs.front().end().ranges;
  const auto x_of = [&](size_t i) {
    return kLeft + kWidth * static_cast<double>(i) / static_cast<double>(sizes.size() - 1);
  };
  for (size_t i = 0; i < sizes.size(); ++i) {
    inside += Text(x_of(i), kTop + kHeight + 16, "middle",
                   sizes[i].mib == 1024 ? "1 GiB" : absl::StrCat(sizes[i].mib, " MiB"));
  }
  inside += Text(kLeft + kWidth / 2, kTop + kHeight + 36, "middle", "size of the range");
  for (size_t n = 0; n < runs.size(); ++n) {
    std::vector<Point> points;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const RangeCount& range = runs[n].end().ranges[i];
      if (range.ranges == 0) continue;
      points.push_back(
          {x_of(i), kTop + kHeight - kHeight * range.without_kernel / range.ranges});
    }
    inside += Polyline(points, kColours[n % kColours.size()], 1.5);
    below += Named(kColours[n % kColours.size()], names[n]);
  }
  return Frame(inside) + Element("p", below) + "\n";
}

}  // namespace ebcache::lab
