#include "tools/tune/uuid_choice.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace ebcache::tools {
namespace {

// Of random bytes, as RFC 9562 has it (version 4).
absl::StatusOr<Uuid> RandomUuid() {
  Uuid uuid;
  if (getentropy(uuid.data(), uuid.size()) != 0) {
    return absl::UnavailableError("the system has no random bytes");
  }
  uuid[6] = (uuid[6] & std::byte{0x0f}) | std::byte{0x40};
  uuid[8] = (uuid[8] & std::byte{0x3f}) | std::byte{0x80};
  return uuid;
}

bool IsUuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const auto letter = static_cast<unsigned char>(text[i]);
    if (dash ? letter != '-' : !absl::ascii_isxdigit(letter)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Uuid> ChooseUuid(const std::string& text) {
  if (text == "random") return RandomUuid();
  if (!IsUuid(text)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no UUID, and not 'random'"));
  }
  std::string digits = text;
  digits.erase(std::remove(digits.begin(), digits.end(), '-'), digits.end());
  const std::string bytes = absl::HexStringToBytes(digits);
  Uuid uuid;
  std::memcpy(uuid.data(), bytes.data(), uuid.size());
  return uuid;
}

}  // namespace ebcache::tools
