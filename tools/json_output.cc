#include "tools/json_output.h"

#include <cstdio>
#include <string>
#include <string_view>

#include "tools/json_schemas.h"  // generated; takes string_view for granted

namespace ebcache::tools {

std::string JsonText(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void PrintJson(const Json& json) { std::printf("%s\n", JsonText(json).c_str()); }

Json MissingDevicesJson(const Volume& volume) {
  Json ids = Json::array();
  for (const MissingDevice& device : volume.missing_devices()) ids.push_back(device.id);
  return ids;
}

std::string_view JsonSchema(std::string_view subcommand) {
  for (const auto& [name, schema] : kJsonSchemas) {
    if (name == subcommand) return schema;
  }
  return {};
}

}  // namespace ebcache::tools
