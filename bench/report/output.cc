#include "bench/report/output.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ebcache::report {
namespace {

void AppendRow(std::string* text, const std::vector<std::string>& cells) {
  for (const std::string& cell : cells) {
    absl::StrAppend(text, cell.empty() ? "|" : "| ", absl::StrReplaceAll(cell, {{"|", "\\|"}}),
                    " ");
  }
  absl::StrAppend(text, "|\n");
}

}  // namespace

std::string MarkdownTable(const std::vector<std::string>& titles,
                          const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  AppendRow(&text, titles);
  for (size_t i = 0; i < titles.size(); ++i) absl::StrAppend(&text, "|---");
  absl::StrAppend(&text, "|\n");
  for (const std::vector<std::string>& row : rows) AppendRow(&text, row);
  return text;
}

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  const auto refused = [&] {
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot be written: ", std::strerror(errno)));
  };
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return refused();
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) {
    const absl::Status status = refused();
    std::fclose(file);
    return status;
  }
  return std::fclose(file) == 0 ? absl::OkStatus() : refused();
}

absl::StatusOr<nlohmann::json> ParseReport(absl::string_view text, absl::string_view whose,
                                           const std::vector<std::string>& places) {
  nlohmann::json report = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  bool whole = report.is_object();
  for (const std::string& place : places) {
    whole = whole && report.contains(nlohmann::json::json_pointer(place));
  }
  if (!whole) return absl::UnavailableError(absl::StrCat(whose, " printed no report"));
  return report;
}

}  // namespace ebcache::report
