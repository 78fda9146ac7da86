// Drops, in one transaction, every tree that a kernel has begun to delete or is about to:
//
//   drop_dead_trees <device>...
//
// Says how many there were: "trees=3 begun=1 blocks=120".

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/transaction.h"

namespace ebcache {
namespace {

absl::Status Run(const std::vector<std::string>& paths) {
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::Open(paths, {.writable = true});
  if (!filesystem.ok()) return filesystem.status();
  const absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(filesystem->get(), {.most_unwritten_bytes = 1});
  if (!session.ok()) return session.status();
  const absl::StatusOr<std::unique_ptr<Transaction>> transaction = (*session)->Begin();
  if (!transaction.ok()) return transaction.status();
  int trees = 0;
  int begun = 0;
  for (const TreeRoot& tree : (*filesystem)->Trees(nullptr)) {
    if (!tree.deleted()) continue;
    ++trees;
    begun += tree.drop_progress != kMinKey ? 1 : 0;
    absl::Status dropped = (*transaction)->DropTree(tree.id);
    if (!dropped.ok()) return dropped;
  }
  const uint64_t blocks = (*transaction)->counts().blocks_freed;
  absl::Status committed = (*transaction)->Commit();
  if (!committed.ok()) return committed;
  std::printf("trees=%d begun=%d blocks=%" PRIu64 "\n", trees, begun, blocks);
  return absl::OkStatus();
}

}  // namespace
}  // namespace ebcache

int main(int argc, char** argv) {
  const absl::Status status = ebcache::Run({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
