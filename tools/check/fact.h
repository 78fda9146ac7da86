// Facts: the small statements that one part of a filesystem makes of another, and that have to be made
// twice: a reference that a tree block holds and that the extent tree records, a name that a directory
// has and that its inode has, and so on.

#ifndef EBCACHE_TOOLS_CHECK_FACT_H_
#define EBCACHE_TOOLS_CHECK_FACT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebcache::tools {

// What a fact is about, and what its words are. The subject comes first: facts of one subject are in
// one bucket.
enum class FactType : uint8_t {
  kBlock,            // address; level, generation, bytes
  kBlockRefByTree,   // address; level, tree
  kBlockRefByBlock,  // address; level, parent
  kDataRefByTree,    // address; bytes, tree, inode, offset
  kDataRefByBlock,   // address; bytes, parent
  kEntry,            // directory; location's objectid, type and offset, kind of file; the name
  kLink,             // directory; index, inode; the name
  kKindOfFile,       // inode; DirEntryType
  kOrphan,           // inode
};

struct Fact {
  FactType type = FactType::kBlock;
  uint64_t subject = 0;
  std::array<uint64_t, 4> words{};
  std::string_view name;  // what it views must outlive the fact
};

// The same with a name of its own.
struct KeptFact {
  FactType type = FactType::kBlock;
  uint64_t subject = 0;
  std::array<uint64_t, 4> words{};
  std::string name;

  explicit KeptFact(const Fact& fact)
      : type(fact.type), subject(fact.subject), words(fact.words), name(fact.name) {}
  // "reference of tree 5, level 0", without the subject.
  std::string ToString() const;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_FACT_H_
