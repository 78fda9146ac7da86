// Items of every type, between bytes and structs.
//
// The first byte of the input says what is done: 0, the rest is an item; 1, the rest is what a value
// is made of; 2, the rest is an item of several entries. The second byte is an index into the types
// of tests/format/item_types.h.

#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "ebcache/items.h"
#include "tests/format/item_types.h"
#include "tests/format/made_value.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"

namespace ebcache::fuzz {
namespace {

using testing::ItemTypes;
using Bytes = std::vector<std::byte>;

// Any bytes that parse encode to the same bytes.
template <typename T>
void CheckBytes(FuzzInput& input) {
  const Bytes bytes = input.TakeRest();
  const absl::StatusOr<T> value = ParseItem<T>(bytes);
  if (!value.ok()) return;
  Bytes again;
  EBCACHE_ORACLE("bytes-again", AppendItem(*value, again).ok() && again == bytes);
}

// Any value encodes, parses to an equal one, and does not take room of another size.
template <typename T>
void CheckStruct(FuzzInput& input) {
  testing::ValueMaker maker(input);
  T value{};
  maker.Make(value);
  Bytes bytes(EncodedBytes(value));
  const bool encoded = EncodeItem(value, absl::MakeSpan(bytes)).ok();
  const absl::StatusOr<T> again = ParseItem<T>(bytes);
  EBCACHE_ORACLE("struct-again", encoded && again.ok() && *again == value);
  Bytes more(bytes.size() + 1);
  EBCACHE_ORACLE("room", !EncodeItem(value, absl::MakeSpan(more)).ok());
}

// The entries of an item, one behind the other, are the item, up to where one is damaged.
template <typename T>
void CheckRecords(FuzzInput& input) {
  const Bytes bytes = input.TakeRest();
  ItemRecords<T> records(bytes);
  Bytes again;
  bool in_place = true;
  while (const std::optional<T> record = records.Next()) {
    in_place = records.position() == again.size() && AppendItem(*record, again).ok();
    if (!in_place) break;
  }
  const bool front =
      in_place && absl::MakeConstSpan(bytes).subspan(0, again.size()) == absl::MakeConstSpan(again);
  EBCACHE_ORACLE("records-again", front && records.status().ok() == (again.size() == bytes.size()));
}

template <typename T>
void RunType(uint8_t what, FuzzInput& input) {
  if (what == 0) CheckBytes<T>(input);
  if (what == 1) CheckStruct<T>(input);
  if constexpr (testing::IsRecord<T>) {
    if (what == 2) CheckRecords<T>(input);
  }
}

template <size_t kIndex = 0>
void RunIndex(size_t index, uint8_t what, FuzzInput& input) {
  if constexpr (kIndex < std::tuple_size_v<ItemTypes>) {
    if (index == kIndex) return RunType<std::tuple_element_t<kIndex, ItemTypes>>(what, input);
    RunIndex<kIndex + 1>(index, what, input);
  }
}

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t what = input.Take<uint8_t>() % 3;
  RunIndex(input.Take<uint8_t>() % std::tuple_size_v<ItemTypes>, what, input);
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
