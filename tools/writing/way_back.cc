#include "tools/writing/way_back.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <algorithm>

namespace ebcache::tools {
namespace {

// What a shell takes for this word, and for one word.
std::string Quoted(const std::string& word) {
  const auto is_plain = [](char letter) {
    return absl::ascii_isalnum(static_cast<unsigned char>(letter)) ||
           std::string_view("/._-+,:@%").find(letter) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

}  // namespace

std::string WayBack::UndoCommand() const {
  // "--" in front of names that begin as options do.
  const bool like_options = std::any_of(devices.begin(), devices.end(),
                                        [](const std::string& path) { return path[0] == '-'; });
  std::string command =
      absl::StrCat("ebcache undo --file=", Quoted(undo_file), like_options ? " --" : "");
  for (const std::string& device : devices) absl::StrAppend(&command, " ", Quoted(device));
  return command;
}

std::string WayBack::SettleCommand() const {
  return absl::StrCat("ebcache undo --settle --file=", Quoted(undo_file));
}

}  // namespace ebcache::tools
