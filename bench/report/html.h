// HTML as benchmarks write it: the one place that escapes.
//
// A page is made of Html, which is markup. Text becomes Html by being escaped, and an element is
// made of its name, its attributes and what is in it; so nothing that a benchmark has from elsewhere
// (names, reasons, figures) can become markup.
//
// Thread safety: an object belongs to one thread.

#ifndef EBCACHE_BENCH_REPORT_HTML_H_
#define EBCACHE_BENCH_REPORT_HTML_H_

#include <absl/strings/string_view.h>

#include <concepts>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace ebcache::report {

// Text with what would be markup in it written as entities; good between tags, and in attributes
// between double quotes.
std::string Escape(absl::string_view text);

class Html {
 public:
  Html() = default;
  // Text: escaped. Implicit, since text is what most of a page is made of.
  Html(absl::string_view text) : markup_(Escape(text)) {}
  Html(const std::string& text) : Html(absl::string_view(text)) {}
  Html(const char* text) : Html(absl::string_view(text)) {}

  // Markup as it is. For what is written in the program's own source: styles and scripts.
  static Html Raw(absl::string_view markup);

  Html& operator+=(const Html& behind) {
    markup_ += behind.markup_;
    return *this;
  }
  friend Html operator+(Html before, const Html& behind) { return std::move(before += behind); }

  const std::string& markup() const { return markup_; }

 private:
  std::string markup_;
};

// An attribute's value is escaped; coordinates keep one digit behind the point.
struct Attribute {
  Attribute(absl::string_view name, absl::string_view value) : name(name), value(value) {}
  Attribute(absl::string_view name, const std::string& value) : name(name), value(value) {}
  Attribute(absl::string_view name, const char* value) : name(name), value(value) {}
  Attribute(absl::string_view name, double value);
  template <std::integral Number>
  Attribute(absl::string_view name, Number number) : name(name), value(std::to_string(number)) {}

  absl::string_view name;
  std::string value;
};

// <tag name="value">inside</tag>
Html Element(absl::string_view tag, std::initializer_list<Attribute> attributes,
             const Html& inside = {});
Html Element(absl::string_view tag, const Html& inside);

// A cell of a table.
struct Cell {
  Cell(Html inside) : inside(std::move(inside)) {}
  Cell(const char* text) : inside(text) {}
  Cell(const std::string& text) : inside(text) {}
  // Of a class of the style sheet.
  Cell(Html inside, std::string kind) : inside(std::move(inside)), kind(std::move(kind)) {}
  // Reaches over so many columns.
  Cell(Html inside, int columns) : inside(std::move(inside)), columns(columns) {}

  Html inside;
  std::string kind;
  int columns = 1;
};
using Cells = std::vector<Cell>;
// A table with a head.
Html Table(const std::vector<std::string>& titles, const std::vector<Cells>& rows);

// A picture; `inside` are elements of SVG.
Html Svg(double width, double height, const Html& inside);
struct Point {
  double x = 0;
  double y = 0;
};
// A line through the points.
Html Polyline(const std::vector<Point>& points, absl::string_view colour, double width);

// A script that gives `data` the name `name`, for a script behind it.
Html ScriptData(absl::string_view name, const nlohmann::ordered_json& data);

// The whole page, which needs nothing but itself. `style`: what is added to the style that all pages
// have.
std::string Page(absl::string_view title, absl::string_view style, const Html& body);

}  // namespace ebcache::report

#endif  // EBCACHE_BENCH_REPORT_HTML_H_
