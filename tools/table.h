// Tables and sizes for people to read.

#ifndef EBCACHE_TOOLS_TABLE_H_
#define EBCACHE_TOOLS_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::tools {

// Columns as wide as their widest cell; the first to the left, the others, numbers mostly, to the
// right.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) : rows_{std::move(titles)} {}
  // Missing cells at the end stay empty.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Prints to stdout.
  void Print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "512 B", "16 KiB", "112.4 MiB".
std::string HumanBytes(uint64_t bytes);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TABLE_H_
