// Inserts items in random order, and removes them again in another, in commits of so many; prints what
// that took, as JSON.
//
//   many_items ITEMS ITEMS_PER_COMMIT CACHE_MIB IMAGE
//
// They are inodes, 185 bytes each with their heads, which need no other items beside them. The image is
// of a filesystem on one device, which is nobody else's; afterwards it has in it what it had.

#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "ebcache/transaction.h"
#include "tools/json_output.h"
#include "tools/memory_report.h"
#include "tools/progress.h"

namespace ebcache::bench {
namespace {

constexpr uint32_t kRegularFile = 0100644;
// Behind all inodes that mkfs.btrfs makes.
constexpr uint64_t kFirstInode = 1024;

struct Load {
  uint64_t items = 0;
  uint64_t items_per_commit = 0;
  uint64_t cache_mib = 0;
};

struct Sums {
  uint64_t commits = 0;
  TransactionCounts blocks;
};

class Work {
 public:
  Work(Session* session, const Load& load) : session_(*session), load_(load), order_(load.items) {
    std::iota(order_.begin(), order_.end(), uint32_t{0});
  }

  absl::Status Insert() {
    return InCommits([this](Transaction& transaction, uint64_t number) -> absl::Status {
      data_.clear();
      const InodeItem inode{
          .generation = 1, .transaction = 1, .link_count = 1, .mode = kRegularFile};
      absl::Status status = AppendItem(inode, data_);
      return status.ok() ? transaction.Insert(kFsTreeId, KeyOf(number), data_) : status;
    });
  }
  absl::Status Remove() {
    return InCommits([](Transaction& transaction, uint64_t number) {
      return transaction.Remove(kFsTreeId, KeyOf(number));
    });
  }
  const Sums& sums() const { return sums_; }

 private:
  static Key KeyOf(uint64_t number) { return {kFirstInode + number, kInodeItemType, 0}; }

  template <typename Change>
  absl::Status InCommits(Change change) {
    std::shuffle(order_.begin(), order_.end(), random_);
    for (uint64_t done = 0; done < order_.size();) {
      const absl::StatusOr<std::unique_ptr<Transaction>> transaction = session_.Begin();
      if (!transaction.ok()) return transaction.status();
      const uint64_t end = std::min<uint64_t>(order_.size(), done + load_.items_per_commit);
      for (; done < end; ++done) {
        absl::Status status = change(**transaction, order_[done]);
        if (!status.ok()) return status;
      }
      if (absl::Status status = (*transaction)->Commit(); !status.ok()) return status;
      ++sums_.commits;
      const TransactionCounts more = (*transaction)->counts();
      sums_.blocks.blocks_copied += more.blocks_copied;
      sums_.blocks.blocks_made += more.blocks_made;
      sums_.blocks.blocks_freed += more.blocks_freed;
      sums_.blocks.blocks_written += more.blocks_written;
      sums_.blocks.blocks_written_early += more.blocks_written_early;
    }
    return absl::OkStatus();
  }

  Session& session_;
  const Load load_;
  std::vector<uint32_t> order_;
  std::vector<std::byte> data_;
  std::mt19937_64 random_{1};
  Sums sums_;
};

absl::StatusOr<tools::Json> Run(const Load& load, const std::string& image) {
  FilesystemOptions options;
  options.writable = true;
  options.cache.budget_bytes = load.cache_mib << 20;
  const auto filesystem = Filesystem::Open({image}, std::move(options));
  if (!filesystem.ok()) return filesystem.status();
  const auto session = Session::Open(filesystem->get());
  if (!session.ok()) return session.status();
  Work work(session->get(), load);
  const tools::Progress clock;
  absl::Status status = work.Insert();
  const double inserted_s = clock.elapsed_s();
  if (status.ok()) status = work.Remove();
  if (!status.ok()) return status;
  const Sums& sums = work.sums();
  return tools::Json{{"items", load.items},
                     {"commits", sums.commits},
                     {"insert_s", inserted_s},
                     {"remove_s", clock.elapsed_s() - inserted_s},
                     {"node_bytes", (*filesystem)->superblock().node_bytes},
                     {"copied_blocks", sums.blocks.blocks_copied},
                     {"new_blocks", sums.blocks.blocks_made},
                     {"freed_blocks", sums.blocks.blocks_freed},
                     {"written_blocks", sums.blocks.blocks_written},
                     {"written_early_blocks", sums.blocks.blocks_written_early},
                     {"peak_rss_bytes", tools::PeakRssBytes()}};
}

int Main(int argc, char** argv) {
  Load load;
  if (argc != 5 || !absl::SimpleAtoi(argv[1], &load.items) ||
      !absl::SimpleAtoi(argv[2], &load.items_per_commit) ||
      !absl::SimpleAtoi(argv[3], &load.cache_mib) || load.items_per_commit == 0) {
    fprintf(stderr, "usage: many_items ITEMS ITEMS_PER_COMMIT CACHE_MIB IMAGE\n");
    return 2;
  }
  const absl::StatusOr<tools::Json> report = Run(load, argv[4]);
  if (!report.ok()) {
    fprintf(stderr, "many_items: %s\n", report.status().ToString().c_str());
    return 1;
  }
  tools::PrintJson(*report);
  return 0;
}

}  // namespace
}  // namespace ebcache::bench

int main(int argc, char** argv) { return ebcache::bench::Main(argc, argv); }
