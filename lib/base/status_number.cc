#include "lib/base/status_number.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>
#include <absl/types/optional.h>

#include <charconv>
#include <string>
#include <utility>

namespace ebcache {
namespace {

constexpr absl::string_view kNumber = "ebcache/errno";

}  // namespace

int NumberOf(const absl::Status& status) {
  if (status.ok()) return 0;
  const absl::optional<absl::Cord> payload = status.GetPayload(kNumber);
  if (!payload.has_value()) return 0;
  const absl::optional<absl::string_view> text = payload->TryFlat();
  int number = 0;
  if (text.has_value()) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

absl::Status WithNumber(absl::Status status, int number) {
  if (number != 0 && !status.ok()) status.SetPayload(kNumber, absl::Cord(absl::StrCat(number)));
  return status;
}

absl::Status Reworded(const absl::Status& status, absl::string_view words) {
  return WithNumber(absl::Status(status.code(), words), NumberOf(status));
}

}  // namespace ebcache
