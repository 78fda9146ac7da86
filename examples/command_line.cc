#include "examples/command_line.h"

#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ebcache/version.h"

namespace ebcache::examples {
namespace {

// Where the help's second column begins.
constexpr size_t kHelpColumn = 26;

// The layout of btrfs-progs: four columns in, and what does not fit beside its option goes below.
void PrintOption(absl::string_view usage, absl::string_view help) {
  std::string line = absl::StrCat("    ", usage, " ");
  if (line.size() > 4 + kHelpColumn) {
    std::printf("%s\n", line.substr(0, line.size() - 1).c_str());
    line.clear();
  }
  line.resize(4 + kHelpColumn, ' ');
  std::printf("%s%.*s\n", line.c_str(), static_cast<int>(help.size()), help.data());
}

}  // namespace

CommandLine::CommandLine(std::string program, std::string synopsis, std::string about)
    : program_(std::move(program)), synopsis_(std::move(synopsis)), about_(std::move(about)) {}

void CommandLine::AddFlag(std::string name, std::string help, bool* value) {
  flags_.push_back({std::move(name), std::move(help), value});
}

void CommandLine::AddFlag(std::string name, std::string help, uint64_t most, uint64_t* value) {
  flags_.push_back({std::move(name), std::move(help), Number{value, most}});
}

void CommandLine::AddFlag(std::string name, std::string help, std::vector<std::string> words,
                          std::string* value) {
  flags_.push_back({std::move(name), std::move(help), Word{value, std::move(words), {}}});
}

void CommandLine::AddFlag(std::string name, std::string help, std::string* value,
                          std::string what) {
  flags_.push_back({std::move(name), std::move(help), Word{value, {}, std::move(what)}});
}

std::optional<int> CommandLine::Parse(int argc, char** argv) {
  // Installed under another name, it goes by that one.
  const absl::string_view path = argc > 0 ? argv[0] : "";
  if (!path.empty()) program_ = std::string(path.substr(path.rfind('/') + 1));
  bool flags_ended = false;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (flags_ended || !absl::StartsWith(argument, "-") || argument == "-") {
      operands_.emplace_back(argument);
    } else if (argument == "--") {
      flags_ended = true;
    } else if (argument == "--help" || argument == "-h") {
      PrintHelp();
      return 0;
    } else if (argument == "--version") {
      std::printf("%s, part of ebcache v%s\n", program_.c_str(), EBCACHE_VERSION_STRING);
      return 0;
    } else if (absl::Status status = ParseFlag(argument, i + 1 < argc ? argv[i + 1] : nullptr, i);
               !status.ok()) {
      return UsageError(status.message());
    }
  }
  return std::nullopt;
}

absl::Status CommandLine::ParseFlag(absl::string_view argument, const char* next,
                                    int& position) const {
  const size_t equals = argument.find('=');
  const bool has_value = equals != absl::string_view::npos;
  const std::string name(argument.substr(0, equals));
  const auto flag = std::find_if(flags_.begin(), flags_.end(),
                                 [&](const Flag& flag) { return "--" + flag.name == name; });
  if (flag == flags_.end()) {
    return absl::InvalidArgumentError(absl::StrCat("unrecognized option '", name, "'"));
  }
  if (bool* const* value = std::get_if<bool*>(&flag->target)) {
    if (has_value) return absl::InvalidArgumentError(absl::StrCat(name, " takes no value"));
    **value = true;
    return absl::OkStatus();
  }
  if (has_value) return Store(*flag, argument.substr(equals + 1));
  if (next == nullptr) return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
  ++position;
  return Store(*flag, next);
}

absl::Status CommandLine::Store(const Flag& flag, absl::string_view value) {
  if (const Number* number = std::get_if<Number>(&flag.target)) {
    uint64_t parsed = 0;
    if (!absl::SimpleAtoi(value, &parsed) || parsed > number->most) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag.name, " needs a number from 0 to ", number->most));
    }
    *number->value = parsed;
    return absl::OkStatus();
  }
  const Word& word = std::get<Word>(flag.target);
  if (word.words.empty() && value.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag.name, " needs a ", word.what));
  }
  if (!word.words.empty() &&
      std::find(word.words.begin(), word.words.end(), value) == word.words.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag.name, " is one of ", absl::StrJoin(word.words, ", ")));
  }
  *word.value = std::string(value);
  return absl::OkStatus();
}

std::string CommandLine::Flag::Usage() const {
  if (std::holds_alternative<Number>(target)) return absl::StrCat("--", name, "=N");
  if (const Word* word = std::get_if<Word>(&target)) {
    return absl::StrCat("--", name, "=",
                        word->words.empty() ? word->what : absl::StrJoin(word->words, "|"));
  }
  return absl::StrCat("--", name);
}

void CommandLine::PrintHelp() const {
  std::printf("usage: %s %s\n\n", program_.c_str(), synopsis_.c_str());
  for (absl::string_view line : absl::StrSplit(about_, '\n')) {
    std::printf("%s%.*s\n", line.empty() ? "" : "    ", static_cast<int>(line.size()), line.data());
  }
  std::printf("\n    Options:\n");
  for (const Flag& flag : flags_) PrintOption(flag.Usage(), flag.help);
  PrintOption("--help", "print this help and exit");
  PrintOption("--version", "print the version and exit");
}

void CommandLine::Complain(absl::string_view message) const {
  std::fprintf(stderr, "%s: %.*s\n", program_.c_str(), static_cast<int>(message.size()),
               message.data());
}

int CommandLine::UsageError(absl::string_view message) const {
  Complain(absl::StrCat(message, " (try ", program_, " --help)"));
  return 2;
}

void EnterDirectoryOfCaller() {
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  // Where that fails, opening a relative path will say more than could be said here.
  if (directory != nullptr && chdir(directory) != 0) return;
}

}  // namespace ebcache::examples
