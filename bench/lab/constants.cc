#include "bench/lab/constants.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

namespace ebcache::lab {
namespace {

constexpr char kWorkload[] = "the workload";
constexpr char kBoot[] = "two boot censuses of 6.12, at 2.3 and 4.5 GiB";
constexpr char kRule[] = "how 6.12 falls back between kinds of page blocks";

using C = Constants;

const std::vector<ConstantRow> kWorkloadRows = {
  {"slabs", &C::slabs, false, "of memory: live unmovable slab objects; twice that at peak",
   kWorkload},
  {"dentries", &C::dentries, false,
   "of memory: live reclaimable slab objects (dentries, inodes); twice that at peak", kWorkload},
  {"daemons", &C::daemons, false, "of memory: anonymous pages that stay when the job ends",
   kWorkload},
  {"job", &C::job, false, "of memory: anonymous pages of the job; a page table for every 512",
   kWorkload},
  {"process", &C::process, false, "of memory: one process of the job", kWorkload},
  {"job_huge", &C::job_huge, false, "of the job's memory is asked for as 2 MiB pages first",
   kWorkload},
  {"free_target", &C::free_target, false, "of memory: filling ends when only this is free",
   kWorkload},
  {"btree", &C::btree, false, "of memory: btree pages when filling ends", kWorkload},
  {"tree_blocks", &C::tree_blocks, false, "blocks of the trees, for each of those", kWorkload},
  {"fill_rounds", &C::fill_rounds, false, "rounds in which the machine fills, all kinds at once",
   kWorkload},
  {"churn_rounds", &C::churn_rounds, false, "rounds of churn after that", kWorkload},
  {"process_turnover", &C::process_turnover, false,
   "of the job's processes end and start, each round", kWorkload},
  {"slab_turnover", &C::slab_turnover, false,
   "of the unmovable objects freed and allocated, each round", kWorkload},
  {"dentry_turnover", &C::dentry_turnover, false, "the same of the reclaimable ones", kWorkload},
  {"daemon_turnover", &C::daemon_turnover, false, "of the daemons' pages replaced, each round",
   kWorkload},
  {"page_cache_turnover", &C::page_cache_turnover, false,
   "of memory: page cache read, once, each round", kWorkload},
  {"large_folios", &C::large_folios, false,
   "1: page cache in folios of up to 128 KiB, as XFS has it; 0: single pages, as btrfs in 6.12",
   kWorkload},
  {"btree_reads", &C::btree_reads, false,
   "of the blocks of `btree`: read at random, each round", kWorkload},
  {"btree_writes", &C::btree_writes, false, "of these: copied on write, each round, with the paths to them", kWorkload},
  {"commit_rounds", &C::commit_rounds, false, "rounds between commits", kWorkload},
  {"job_files", &C::job_files, false, "of the page cache goes with the job, the oldest",
   kWorkload},
  {"in_use_per_gib", &C::in_use_per_gib, false,
   "extent buffers in use, as the roots of open trees are, for each GiB", kWorkload},
  {"in_use", &C::in_use, false, "the same, whatever the size",
   "6.12: 36 pages of 16 KiB buffers stayed in use at both sizes"},
  {"roots_unhinted", &C::roots_unhinted, false,
   "1: the buffers in use are allocated without the hint", "a question, not a kernel"},
  {"callers", &C::callers, false,
   "other users of pages in btrfs (stripes, scrub, send): a factor, 1 at 250 GiB; 0: off",
   kWorkload},
  {"boot_pages", &C::boot_pages, false, "unmovable pages that are in use from boot on", kBoot},
  {"reserved_pages", &C::reserved_pages, false, "pages reserved at boot, whatever the size",
   kBoot},
  {"reserved_share", &C::reserved_share, false, "and of all pages (the memory map)", kBoot},
  {"drop_gib", &C::drop_gib, false, "GiB of page cache dropped when a 1 GiB page is refused",
   kWorkload},
  {"defrag_steps", &C::defrag_steps, false,
   "steps of the defragmenter each round, with superpageblocks", kWorkload},
};

const std::vector<ConstantRow> kKernelRows = {
  {"claim_largest", &C::claim_largest, true,
   "1: a free block of 4 MiB is claimed as a whole; 0: one page block of it", kRule},
  {"lists_by_pageblock", &C::lists_by_pageblock, true,
   "1: a freed page goes to the per-CPU list of its page block's kind; 0: of its own kind",
   "the per-CPU lists of 6.12"},
  {"page_list_pages", &C::page_list_pages, true,
   "pages in a per-CPU list, filled by half; up to 128",
   "twice 6.12's batch of 63; one CPU"},
  {"slab_objects", &C::slab_objects, true,
   "objects of a slab, whose frames stay until the last has gone; 1: no frame stays",
   "16 objects of 256 bytes in a page"},
  {"buffer_slab", &C::buffer_slab, true,
   "descriptors of extent buffers in an unmovable page; 0: they cost none",
   "240 bytes each in 6.12"},
  {"asked_reclaimable", &C::asked_reclaimable, true,
   "of the pages of reclaimable slabs are asked for as reclaimable; the others as unmovable",
   "6.12: 0.32 to 0.35 lay in such page blocks, at every stage and size"},
  {"unhinted_moves", &C::unhinted_moves, true,
   "1: btree pages without the hint are placed as unmovable, and move; 0: they are pinned",
   "6.12: 52,600 to 57,400 migrated in a compaction"},
  {"keep_buffer", &C::keep_buffer, true,
   "0: a btree page that moves loses its extent buffer; 1: the buffer goes along",
   "6.12: 45,000 of 108,000 pages had none after one compaction"},
  {"reclaim_btree", &C::reclaim_btree, true,
   "1: btree pages are on the LRU lists beside page cache; 0: page cache goes first, all of it",
   "two lists, second access activates, refaults activate: 6.12's documentation"},
  {"reclaim_dentries", &C::reclaim_dentries, true,
   "reclaimable objects that go for each 256 frames of page cache",
   "0: those of 6.12's workload are tmpfs's, and pinned"},
  {"boost", &C::boost, true,
   "of the high watermark: how far falling back to part of a page block raises it",
   "watermark_boost_factor, admin-guide/sysctl/vm"},
  {"min_free_blocks", &C::min_free_blocks, true,
   "page blocks that the min watermark is, at 2 GiB and more",
   "11 a zone with huge pages on, three zones; what stayed free at both sizes agrees"},
  {"kswapd_gap", &C::kswapd_gap, true,
   "1: kswapd is woken by each request for 2 MiB pages, and reclaims two of them; 0: it is not",
   "compaction wants a gap of twice the block's pages"},
  {"two_scanners", &C::two_scanners, true,
   "1: compaction fills movable page blocks from above; 0: whichever is cheapest to empty",
   "mm/compaction as documented"},
  {"failed_passes", &C::failed_passes, true,
   "passes of compaction that may fail before a request for huge pages gives up",
   "6.12 asks once, and what failed is deferred"},
};

}  // namespace

const std::vector<ConstantRow>& ConstantTable() {
  static const std::vector<ConstantRow> table = [] {
    std::vector<ConstantRow> all = kWorkloadRows;
    all.insert(all.end(), kKernelRows.begin(), kKernelRows.end());
    return all;
  }();
  return table;
}

std::vector<std::string> PresetNames() { return {"large", "kernel-6.12"}; }

Constants Preset(std::string_view name) {
  Constants constants;
  if (name != "kernel-6.12") return constants;
  constants.btree = 0.125;
  constants.fill_rounds = 50;
  constants.churn_rounds = 50;
  constants.dentry_turnover = 0.02;
  constants.daemon_turnover = 0;
  constants.large_folios = 0;
  constants.btree_reads = 0.15;
  constants.btree_writes = 0.0042;
  constants.commit_rounds = 1;
  constants.in_use_per_gib = 0;
  constants.in_use = 9;
  constants.callers = 0;
  constants.boot_pages = 2287;
  constants.reserved_pages = 19956;
  constants.reserved_share = 0.01786;
  return constants;
}

absl::Status SetConstant(std::string_view text, Constants& constants) {
  const size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  double value = 0;
  if (equals == std::string_view::npos ||
      !absl::SimpleAtod(std::string(text.substr(equals + 1)), &value) || !(value >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", std::string(text), "' is not NAME=VALUE, with a number from 0 on"));
  }
  const auto& table = ConstantTable();
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const ConstantRow& r) { return name == r.name; });
  if (row == table.end()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no constant '", name, "'"));
  }
  constants.*(row->value) = value;
  return absl::OkStatus();
}

}  // namespace ebcache::lab
