#include "tools/command.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ebcache/version.h"

namespace ebcache::tools {
namespace {

// Where the help's second column begins.
constexpr size_t kHelpColumn = 26;
constexpr int kWrongCommandLine = 2;

// "--count=N", "-h, --help"
std::string Usage(const CLI::Option& option) {
  std::string usage;
  for (const std::string& name : option.get_snames()) absl::StrAppend(&usage, "-", name, ", ");
  absl::StrAppend(&usage, "--", option.get_lnames().front());
  const std::string type = option.get_type_name();
  return type.empty() ? usage : absl::StrCat(usage, "=", type);
}

// The layout of btrfs-progs: four columns in, and what does not fit beside its option goes below.
std::string OptionLine(const CLI::Option& option) {
  std::string line = absl::StrCat("    ", Usage(option), " ");
  std::string above;
  if (line.size() > 4 + kHelpColumn) {
    above = absl::StrCat(line.substr(0, line.size() - 1), "\n");
    line.clear();
  }
  line.resize(4 + kHelpColumn, ' ');
  return absl::StrCat(above, line, option.get_description(), "\n");
}

// How many letters have to come, go or change.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

class Command::HelpLayout : public CLI::FormatterBase {
 public:
  explicit HelpLayout(const Command& command) : command_(command) {}

  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    std::string help = absl::StrCat("usage: ", command_.name_, " ", command_.synopsis_, "\n\n");
    for (absl::string_view line : absl::StrSplit(command_.about_, '\n')) {
      absl::StrAppend(&help, line.empty() ? "" : "    ", line, "\n");
    }
    absl::StrAppend(&help, "\n    Options:\n");
    for (const CLI::Option* option : app->get_options())
      absl::StrAppend(&help, OptionLine(*option));
    return help;
  }

 private:
  const Command& command_;
};

Command::Command(std::string name, std::string synopsis, std::string about)
    : name_(std::move(name)),
      synopsis_(std::move(synopsis)),
      about_(std::move(about)),
      app_(std::make_unique<CLI::App>()) {
  app_->set_help_flag();  // those come last
  app_->allow_extras();   // operands, and what has to be complained of in our words
  app_->formatter(std::make_shared<HelpLayout>(*this));
}

Command::~Command() = default;

void Command::AddFlag(const std::string& name, std::string help, bool* value) {
  app_->add_flag_callback(
          "--" + name, [value] { *value = true; }, std::move(help))
      ->take_last();
}

void Command::AddJson(std::string help, std::string_view schema, bool* value) {
  AddFlag("json", std::move(help), value);
  AddFlag("json-schema", "print the JSON schema of what --json prints, and exit", &schema_wanted_);
  json_schema_ = schema;
}

template <typename Store>
void Command::AddValue(const std::string& name, std::string help, std::string type, Store store,
                       char short_name) {
  const auto callback = [name, store](const CLI::results_t& values) {
    const std::optional<std::string> wrong = store(values.back());
    if (wrong) throw CLI::ParseError(absl::StrCat("--", name, " ", *wrong), kWrongCommandLine);
    return true;
  };
  // At once: what a later one says the same of is wrong all the same.
  const std::string names =
      short_name == 0 ? "" : absl::StrCat("-", std::string(1, short_name), ",");
  app_->add_option(names + "--" + name, callback, std::move(help))
      ->type_name(std::move(type))
      ->trigger_on_parse();
}

void Command::AddNumber(const std::string& name, std::string help, uint64_t most, uint64_t* value) {
  using Wrong = std::optional<std::string>;
  AddValue(name, std::move(help), "N", [most, value](const std::string& text) -> Wrong {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(text, &number) || number > most) {
      return absl::StrCat("needs a number from 0 to ", most);
    }
    *value = number;
    return std::nullopt;
  });
}

void Command::AddChoice(const std::string& name, std::string help, std::vector<std::string> words,
                        std::string* value) {
  using Wrong = std::optional<std::string>;
  const std::string type = absl::StrJoin(words, "|");
  AddValue(name, std::move(help), type,
           [words = std::move(words), value](const std::string& text) -> Wrong {
             if (std::find(words.begin(), words.end(), text) == words.end()) {
               return absl::StrCat("is one of ", absl::StrJoin(words, ", "));
             }
             *value = text;
             return std::nullopt;
           });
}

void Command::AddText(const std::string& name, std::string help, std::string* value,
                      std::string what) {
  using Wrong = std::optional<std::string>;
  AddValue(name, std::move(help), what, [what, value](const std::string& text) -> Wrong {
    if (text.empty()) return absl::StrCat("needs a ", what);
    *value = text;
    return std::nullopt;
  });
}

void Command::AddTexts(char short_name, const std::string& name, std::string help,
                       std::vector<std::string>* values, std::string what) {
  using Wrong = std::optional<std::string>;
  const auto store = [what, values](const std::string& text) -> Wrong {
    if (text.empty()) return absl::StrCat("needs a ", what);
    values->push_back(text);
    return std::nullopt;
  };
  AddValue(name, std::move(help), what, store, short_name);
}

void Command::AddAnyText(const std::string& name, std::string help,
                         std::optional<std::string>* value, std::string what) {
  using Wrong = std::optional<std::string>;
  AddValue(name, std::move(help), std::move(what), [value](const std::string& text) -> Wrong {
    *value = text;
    return std::nullopt;
  });
}

std::optional<std::string> Command::Prepare(std::vector<std::string>& arguments) {
  std::vector<std::string> options;
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    const bool ends = *argument == "--";
    if (ends || (takes_subcommands_ && !absl::StartsWith(*argument, "-"))) {
      operands_.assign(argument + (ends ? 1 : 0), arguments.end());
      break;
    }
    const size_t equals = argument->find('=');
    const std::string name = argument->substr(0, equals);
    const CLI::Option* option = equals != std::string::npos && absl::StartsWith(*argument, "--")
                                    ? app_->get_option_no_throw(name)
                                    : nullptr;
    if (option != nullptr && option->get_expected_max() == 0) {
      return absl::StrCat(name, " takes no value");
    }
    // CLI11 would take the next argument for the value of "--name=".
    const bool empty = option != nullptr && equals + 1 == argument->size();
    options.push_back(empty ? name : *argument);
    if (empty) options.emplace_back();
  }
  arguments = std::move(options);
  return std::nullopt;
}

std::string Command::Unrecognized(const std::string& argument) const {
  const std::string name = argument.substr(0, argument.find('='));
  std::vector<std::string> known;
  for (const CLI::Option* option : app_->get_options()) {
    known.push_back("--" + option->get_lnames().front());
  }
  return absl::StrCat("unrecognized option '", name, "'", DidYouMean(name, known));
}

std::optional<int> Command::Parse(std::vector<std::string> arguments) {
  app_->set_help_flag("-h,--help", "print this help and exit");
  app_->set_version_flag("-v,--version", "", "print the version and exit");
  operands_.clear();
  if (const auto wrong = Prepare(arguments)) return UsageError(*wrong);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app_->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    help_wanted_ = true;
    if (takes_subcommands_ && !operands_.empty()) return std::nullopt;
    std::fputs(Help().c_str(), stdout);
    return 0;
  } catch (const CLI::CallForVersion&) {
    const absl::string_view program = absl::string_view(name_).substr(0, name_.find(' '));
    const bool part = program != "ebcache";
    std::printf("%s%s\n", part ? absl::StrCat(program, ", part of ebcache v").c_str() : "ebcache v",
                EBCACHE_VERSION_STRING);
    return 0;
  } catch (const CLI::ArgumentMismatch& mismatch) {
    const absl::string_view words = mismatch.what();  // "--count: 1 required N missing"
    return UsageError(absl::StrCat(words.substr(0, words.find(':')), " needs a value"));
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  std::vector<std::string> operands = app_->remaining();
  const auto option = std::find_if(operands.begin(), operands.end(), [](const std::string& word) {
    return word.size() > 1 && word[0] == '-';
  });
  if (option != operands.end()) return UsageError(Unrecognized(*option));
  operands_.insert(operands_.begin(), operands.begin(), operands.end());
  if (!schema_wanted_) return std::nullopt;
  std::fwrite(json_schema_.data(), 1, json_schema_.size(), stdout);
  return 0;
}

std::optional<int> Command::Parse(int argc, char** argv) {
  const absl::string_view path = argc > 0 ? argv[0] : "";
  if (!path.empty()) name_ = std::string(path.substr(path.rfind('/') + 1));
  return Parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

std::string Command::Help() const { return app_->help(); }

void Command::Complain(absl::string_view message) const {
  std::fprintf(stderr, "%s: %.*s\n", name_.c_str(), static_cast<int>(message.size()),
               message.data());
}

int Command::UsageError(absl::string_view message) const {
  Complain(absl::StrCat(message, " (try ", name_, " --help)"));
  return kWrongCommandLine;
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(),
                                        [word](const std::string& a, const std::string& b) {
                                          return EditDistance(word, a) < EditDistance(word, b);
                                        });
  // Farther than that it is another word.
  if (nearest == known.end() || EditDistance(word, *nearest) > 1 + word.size() / 4) return "";
  return absl::StrCat(": did you mean '", *nearest, "'?");
}

void EnterDirectoryOfCaller() {
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  // Where that fails, opening a relative path will say more than could be said here.
  if (directory != nullptr && chdir(directory) != 0) return;
}

}  // namespace ebcache::tools
