// What a benchmark hands out beside what it prints: files, and tables for documents.

#ifndef EBCACHE_BENCH_REPORT_OUTPUT_H_
#define EBCACHE_BENCH_REPORT_OUTPUT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ebcache::report {

// A table in Markdown, which reads in a terminal and in a document alike. Each row has as many
// cells as there are titles.
std::string MarkdownTable(const std::vector<std::string>& titles,
                          const std::vector<std::vector<std::string>>& rows);

// Puts `text` into the file `path`, in place of what it held. Errors: Unavailable, with the path
// and the reason.
absl::Status WriteFile(const std::string& path, absl::string_view text);

// What a program printed as JSON. Errors: Unavailable, unless it is an object that has something in all
// `places` ("/cache/reads"); `whose` is named there.
absl::StatusOr<nlohmann::json> ParseReport(absl::string_view text, absl::string_view whose,
                                           const std::vector<std::string>& places);

}  // namespace ebcache::report

#endif  // EBCACHE_BENCH_REPORT_OUTPUT_H_
