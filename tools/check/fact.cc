#include "tools/check/fact.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "ebcache/on_disk.h"

namespace ebcache::tools {

std::string KeptFact::ToString() const {
  const auto quoted = [&] { return absl::StrCat("\"", absl::Utf8SafeCHexEscape(name), "\""); };
  switch (type) {
    case FactType::kBlock:
      return absl::StrCat("tree block of level ", words[0], ", generation ", words[1], ", ",
                          words[2], " bytes");
    case FactType::kBlockRefByTree:
      return absl::StrCat("tree block of level ", words[0], ", by tree ", TreeName(words[1]));
    case FactType::kBlockRefByBlock:
      return absl::StrCat("tree block of level ", words[0], ", by block ", words[1]);
    case FactType::kDataRefByTree:
      return absl::StrCat("data of ", words[0], " bytes, by tree ", TreeName(words[1]), " inode ",
                          words[2], " offset ", static_cast<int64_t>(words[3]));
    case FactType::kDataRefByBlock:
      return absl::StrCat("data of ", words[0], " bytes, by block ", words[1]);
    case FactType::kEntry:
      return absl::StrCat("entry ", quoted(), " to ",
                          Key{words[0], static_cast<uint8_t>(words[1]), words[2]}.ToString(),
                          ", type ", words[3]);
    case FactType::kLink:
      return absl::StrCat("name ", quoted(), " of inode ", words[1], " at index ", words[0]);
    case FactType::kKindOfFile:
      return absl::StrCat("type ", words[0]);
    case FactType::kOrphan:
      return "orphan";
  }
  return "";
}

}  // namespace ebcache::tools
