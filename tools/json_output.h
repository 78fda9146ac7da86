// What --json prints.

#ifndef EBCACHE_TOOLS_JSON_OUTPUT_H_
#define EBCACHE_TOOLS_JSON_OUTPUT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ebcache/volume.h"

namespace ebcache::tools {

using Json = nlohmann::ordered_json;  // members stay in the order in which they are written

// As text, in lines of their own with an indent of 2, or in one line with -1. Bytes that are no
// UTF-8 come out as U+FFFD: labels and names of files may hold any.
std::string JsonText(const Json& json, int indent = 2);
// Prints the text and a line's end to stdout.
void PrintJson(const Json& json);

// The ids of the devices that are not there.
Json MissingDevicesJson(const Volume& volume);

// The schema of what a subcommand prints: docs/schema/NAME.json. Empty: there is none.
std::string_view JsonSchema(std::string_view subcommand);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_JSON_OUTPUT_H_
