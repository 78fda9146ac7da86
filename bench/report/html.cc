#include "bench/report/html.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_replace.h>

namespace ebcache::report {
namespace {

constexpr char kStyle[] =
    "body{font:14px/1.5 sans-serif;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}"
    "td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}"
    "h2{font-size:1.05em;margin:1.8em 0 .4em}"
    "svg{font:12px sans-serif;background:#fff}text{fill:#222}";

}  // namespace

std::string Escape(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

Html Html::Raw(absl::string_view markup) {
  Html html;
  html.markup_ = std::string(markup);
  return html;
}

Attribute::Attribute(absl::string_view name, double value)
    : name(name), value(absl::StrFormat("%.1f", value)) {}

Html Element(absl::string_view tag, std::initializer_list<Attribute> attributes,
             const Html& inside) {
  std::string markup = absl::StrCat("<", tag);
  for (const Attribute& attribute : attributes) {
    absl::StrAppend(&markup, " ", attribute.name, "=\"", Escape(attribute.value), "\"");
  }
  absl::StrAppend(&markup, ">", inside.markup(), "</", tag, ">");
  return Html::Raw(markup);
}

Html Element(absl::string_view tag, const Html& inside) { return Element(tag, {}, inside); }

Html Table(const std::vector<std::string>& titles, const std::vector<Cells>& rows) {
  Html head;
  for (const std::string& title : titles) head += Element("th", title);
  Html table = Element("tr", head) + "\n";
  for (const Cells& cells : rows) {
    Html row;
    for (const Cell& cell : cells) {
      if (cell.columns != 1) {
        row += Element("td", {{"colspan", cell.columns}}, cell.inside);
      } else if (!cell.kind.empty()) {
        row += Element("td", {{"class", cell.kind}}, cell.inside);
      } else {
        row += Element("td", cell.inside);
      }
    }
    table += Element("tr", row) + "\n";
  }
  return Element("table", table) + "\n";
}

Html Svg(double width, double height, const Html& inside) {
  return Element("svg", {{"width", width}, {"height", height}, {"role", "img"}}, inside) + "\n";
}

Html Polyline(const std::vector<Point>& points, absl::string_view colour, double width) {
  std::string text;
  for (const Point& point : points) absl::StrAppendFormat(&text, "%.1f,%.1f ", point.x, point.y);
  return Element("polyline",
                 {{"fill", "none"}, {"stroke", colour}, {"stroke-width", width}, {"points", text}});
}

Html ScriptData(absl::string_view name, const nlohmann::ordered_json& data) {
  using Json = nlohmann::ordered_json;
  // Within a script there are no entities; but a text in it must not end the script.
  const std::string text = absl::StrReplaceAll(
      data.dump(-1, ' ', false, Json::error_handler_t::replace), {{"<", "\\u003c"}});
  return Element("script", Html::Raw(absl::StrCat("const ", name, " = ", text, ";"))) + "\n";
}

std::string Page(absl::string_view title, absl::string_view style, const Html& body) {
  return absl::StrCat("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">",
                      Element("title", title).markup(),
                      Element("style", Html::Raw(absl::StrCat(kStyle, style))).markup(),
                      "</head>\n", Element("body", body).markup(), "</html>\n");
}

}  // namespace ebcache::report
