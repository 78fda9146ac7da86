// Paths: names of directories one after the other, down by their entries and up by the names that an inode
// keeps of itself.

#include "ebcache/paths.h"

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/items.h"
#include "lib/format/checksum.h"

namespace ebcache {
namespace {

// More than any kernel makes: paths of directories that lead round end here.
constexpr int kMostDepth = 65536;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// The first name of `path`, which is cut off from it; empty when there is none left.
std::string_view TakeName(std::string_view& path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  const std::string_view name = path.substr(0, path.find('/'));
  path.remove_prefix(name.size());
  return name;
}

absl::Status NoSuchName(const InodePlace& directory, std::string_view name) {
  return absl::NotFoundError(absl::StrCat("tree ", directory.tree, ", inode ", directory.inode,
                                          ": has no entry \"", Abseil(name), "\""));
}

// Where the entry `name` of a directory leads.
absl::StatusOr<DirEntry> FindEntry(const BTree& tree, const InodePlace& directory,
                                   std::string_view name, Item& item) {
  const uint32_t hash = NameHash({reinterpret_cast<const std::byte*>(name.data()), name.size()});
  const absl::StatusOr<Path> path = tree.Find({directory.inode, kDirItemType, hash});
  if (absl::IsNotFound(path.status())) return NoSuchName(directory, name);
  if (!path.ok()) return path.status();
  if (absl::Status loaded = path->Load(item); !loaded.ok()) return loaded;
  ItemRecords<DirEntry> entries(item.data());  // names whose hashes are the same are in one item
  while (const std::optional<DirEntry> entry = entries.Next()) {
    if (entry->name == name) return *entry;
  }
  return entries.status().ok() ? NoSuchName(directory, name) : entries.status();
}

// Into a subvolume, which its parent refers to: a snapshot has the entries of those inside of the
// original, and they lead nowhere.
absl::StatusOr<InodePlace> EnterSubvolume(Filesystem& filesystem, const InodePlace& directory,
                                          std::string_view name, uint64_t subvolume) {
  const absl::StatusOr<BTree> roots = filesystem.Tree(kRootTreeId);
  if (!roots.ok()) return roots.status();
  const absl::StatusOr<Path> ref = roots->Find({directory.tree, kRootRefType, subvolume});
  if (absl::IsNotFound(ref.status())) return NoSuchName(directory, name);
  if (!ref.ok()) return ref.status();
  return InodePlace{.tree = subvolume, .inode = kTopDirectory, .type = DirEntryType::kDirectory};
}

absl::StatusOr<InodePlace> Enter(Filesystem& filesystem, const BTree& tree,
                                 const InodePlace& directory, std::string_view name) {
  Item item;
  const absl::StatusOr<DirEntry> entry = FindEntry(tree, directory, name, item);
  if (!entry.ok()) return entry.status();
  if (entry->location.type == kRootItemType) {
    return EnterSubvolume(filesystem, directory, name, entry->location.objectid);
  }
  return InodePlace{.tree = directory.tree,
                    .inode = entry->location.objectid,
                    .type = static_cast<DirEntryType>(entry->type & ~kDirEntryEncrypted)};
}

// A name of an inode, and the directory that has it.
struct Name {
  uint64_t directory = 0;
  std::string name;
};

// Calls `tell` with each name, until it returns false.
absl::Status ForEachName(const BTree& tree, uint64_t inode,
                         absl::FunctionRef<bool(const Name& name)> tell) {
  ItemRange items = tree.Items(
      {.from = {inode, kInodeRefType, 0}, .to = {inode, kInodeExtrefType, ~uint64_t{0}}});
  for (const Item& item : items) {
    if (item.key().type == kInodeRefType) {
      ItemRecords<InodeRef> refs(item.data());
      while (const std::optional<InodeRef> ref = refs.Next()) {
        if (!tell({item.key().offset, std::string(ref->name)})) return absl::OkStatus();
      }
      if (!refs.status().ok()) return refs.status();
    } else {
      ItemRecords<InodeExtref> refs(item.data());
      while (const std::optional<InodeExtref> ref = refs.Next()) {
        if (!tell({ref->directory, std::string(ref->name)})) return absl::OkStatus();
      }
      if (!refs.status().ok()) return refs.status();
    }
  }
  return items.status();
}

// The path of a directory, "" for the top one, so that "/" and a name may follow.
absl::StatusOr<std::string> DirectoryPath(const BTree& tree, uint64_t directory) {
  std::vector<std::string> names;  // from below
  for (uint64_t at = directory; at != kTopDirectory;) {
    std::optional<Name> first;
    const absl::Status status = ForEachName(tree, at, [&](const Name& name) {
      first = name;
      return false;
    });
    if (!status.ok()) return status;
    if (!first.has_value() || names.size() == kMostDepth) {
      return absl::DataLossError(absl::StrCat("tree ", tree.root().id, ", inode ", at,
                                              first.has_value()
                                                  ? ": the directories above it lead round"
                                                  : ": a directory that has no name"));
    }
    names.push_back(std::move(first->name));
    at = first->directory;
  }
  std::string path;
  for (size_t i = names.size(); i-- > 0;) absl::StrAppend(&path, "/", names[i]);
  return path;
}

}  // namespace

absl::StatusOr<InodePlace> FindInode(Filesystem& filesystem, uint64_t tree, std::string_view path) {
  InodePlace at{.tree = tree};
  absl::StatusOr<BTree> in = filesystem.Tree(tree);
  if (!in.ok()) return in.status();
  for (std::string_view name; !(name = TakeName(path)).empty();) {
    if (at.type != DirEntryType::kDirectory) return NoSuchName(at, name);
    absl::StatusOr<InodePlace> next = Enter(filesystem, *in, at, name);
    if (!next.ok()) return next;
    if (next->tree != at.tree) {
      in = filesystem.Tree(next->tree);
      if (!in.ok()) return in.status();
    }
    at = *next;
  }
  return at;
}

absl::Status ForEachPath(Filesystem& filesystem, uint64_t tree, uint64_t inode,
                         absl::FunctionRef<bool(const std::string& path)> tell) {
  const absl::StatusOr<BTree> in = filesystem.Tree(tree);
  if (!in.ok()) return in.status();
  if (inode == kTopDirectory) return tell("/"), absl::OkStatus();
  bool named = false;
  absl::Status above;
  const absl::Status status = ForEachName(*in, inode, [&](const Name& name) {
    named = true;
    absl::StatusOr<std::string> path = DirectoryPath(*in, name.directory);
    if (!path.ok()) return above = path.status(), false;
    absl::StrAppend(&*path, "/", name.name);
    return tell(*path);
  });
  if (!above.ok()) return above;
  if (!status.ok() || named) return status;
  return absl::NotFoundError(absl::StrCat("tree ", tree, ", inode ", inode, ": has no name"));
}

absl::StatusOr<std::string> SubvolumePath(Filesystem& filesystem, uint64_t tree) {
  const absl::StatusOr<BTree> roots = filesystem.Tree(kRootTreeId);
  if (!roots.ok()) return roots.status();
  std::string path;
  std::set<uint64_t> passed;
  for (uint64_t at = tree; at != kFsTreeId;) {
    if (!passed.insert(at).second) {
      return absl::DataLossError(absl::StrCat("tree ", at, ": is inside of itself"));
    }
    ItemRange refs = roots->Items(
        {.from = {at, kRootBackrefType, 0}, .to = {at, kRootBackrefType, ~uint64_t{0}}});
    std::optional<uint64_t> parent;
    for (const Item& item : refs) {
      const absl::StatusOr<RootRef> ref = ParseItem<RootRef>(item.data());
      if (!ref.ok()) return ref.status();
      parent = item.key().offset;
      const absl::StatusOr<BTree> above = filesystem.Tree(*parent);
      if (!above.ok()) return above.status();
      const absl::StatusOr<std::string> directory = DirectoryPath(*above, ref->directory);
      if (!directory.ok()) return directory.status();
      path = absl::StrCat(*directory, "/", Abseil(ref->name), path);
      break;  // it is in one place
    }
    if (!refs.status().ok()) return refs.status();
    if (!parent.has_value()) {
      return absl::NotFoundError(absl::StrCat("tree ", at, ": is in no directory"));
    }
    at = *parent;
  }
  return path.empty() ? "/" : path;
}

}  // namespace ebcache
