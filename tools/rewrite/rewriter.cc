#include "tools/rewrite/rewriter.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "ebcache/key.h"
#include "ebcache/on_disk.h"

namespace ebcache::tools {
namespace {

// Leaves between two looks at whether to stop.
constexpr uint64_t kStep = 256;

absl::Status In(const std::string& what, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

// Trees in the order in which they are rewritten; those that others' changes change come last.
int Turn(uint64_t id) {
  switch (id) {
    case kRootTreeId:
      return 2;
    case kExtentTreeId:
    case kDevTreeId:
    case kChunkTreeId:
    case kFreeSpaceTreeId:
    case kBlockGroupTreeId:
      return 1;
    default:
      return 0;
  }
}

std::string Short(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  return std::string(absl::StripSuffix(lower, "_tree"));
}

bool Names(const std::string& word, const TreeRoot& root) {
  uint64_t id = 0;
  if (absl::SimpleAtoi(word, &id)) return id == root.id;
  return Short(word) == Short(root.name);
}

// One run over several transactions.
class Run {
 public:
  Run(Session& session, uint64_t blocks_per_commit, RewriteReport& report)
      : session_(session), blocks_per_commit_(blocks_per_commit), report_(report) {}

  uint64_t copied() const {
    return report_.writing.counts.blocks_copied +
           (transaction_ == nullptr ? 0 : transaction_->counts().blocks_copied);
  }

  // Copies some more of a tree, up to where a commit is due. Gives what Transaction::Rewrite does.
  absl::StatusOr<std::optional<Key>> Step(uint64_t tree, const Key& from) {
    if (transaction_ == nullptr) {
      absl::StatusOr<std::unique_ptr<Transaction>> begun = session_.Begin();
      if (!begun.ok()) return begun.status();
      transaction_ = *std::move(begun);
    }
    const uint64_t before = transaction_->counts().blocks_copied;
    const uint64_t room = blocks_per_commit_ > before ? blocks_per_commit_ - before : 1;
    return transaction_->Rewrite(tree, from, std::min(kStep, room));
  }

  void TreeIsCopied(RewrittenTree& tree) { copied_trees_.push_back(&tree); }

  bool CommitIsDue() const {
    return transaction_ != nullptr && transaction_->counts().blocks_copied >= blocks_per_commit_;
  }

  absl::Status Commit() {
    if (transaction_ == nullptr) return absl::OkStatus();
    absl::Status committed = report_.writing.Commit(*transaction_);
    transaction_.reset();
    if (!committed.ok()) return committed;
    for (RewrittenTree* tree : copied_trees_) tree->done = true;
    copied_trees_.clear();
    return absl::OkStatus();
  }

 private:
  Session& session_;
  const uint64_t blocks_per_commit_;
  RewriteReport& report_;
  std::unique_ptr<Transaction> transaction_;
  std::vector<RewrittenTree*> copied_trees_;  // and not committed
};

absl::Status RewriteAll(Run& run, absl::FunctionRef<bool(uint64_t, const std::string&)> stop,
                        RewriteReport& report) {
  for (RewrittenTree& tree : report.trees) {
    Key from = kMinKey;
    while (true) {
      const absl::StatusOr<std::optional<Key>> next = run.Step(tree.id, from);
      if (!next.ok()) return In(absl::StrCat("tree ", tree.name), next.status());
      if (!next->has_value()) run.TreeIsCopied(tree);
      const bool stopped = stop(run.copied(), tree.name);
      if (stopped || run.CommitIsDue()) {
        if (absl::Status committed = run.Commit(); !committed.ok()) return committed;
      }
      if (stopped) return absl::OkStatus();
      if (!next->has_value()) break;
      from = **next;
    }
  }
  return run.Commit();
}

}  // namespace

absl::StatusOr<std::vector<RewrittenTree>> TreesToRewrite(Filesystem& filesystem,
                                                          const std::vector<std::string>& words) {
  std::vector<WalkDamage> damage;
  const std::vector<TreeRoot> roots = filesystem.Trees(&damage);
  if (!damage.empty()) {
    return absl::DataLossError(absl::StrCat("not all trees can be found: ", damage[0].ToString()));
  }
  std::vector<RewrittenTree> trees;
  for (const TreeRoot& root : roots) {
    if (words.empty() && !root.deleted()) trees.push_back({.id = root.id, .name = root.name});
  }
  for (const std::string& word : words) {
    const auto named = std::find_if(roots.begin(), roots.end(),
                                    [&](const TreeRoot& root) { return Names(word, root); });
    if (named == roots.end()) return absl::NotFoundError(absl::StrCat("there is no tree ", word));
    if (named->deleted()) {
      return absl::FailedPreconditionError(
          absl::StrCat("tree ", word, " is a subvolume that is deleted: parts may be gone"));
    }
    const bool again = std::any_of(trees.begin(), trees.end(),
                                   [&](const RewrittenTree& tree) { return tree.id == named->id; });
    if (!again) trees.push_back({.id = named->id, .name = named->name});
  }
  std::stable_sort(trees.begin(), trees.end(), [](const RewrittenTree& a, const RewrittenTree& b) {
    return Turn(a.id) < Turn(b.id);
  });
  return trees;
}

void RewriteTrees(Session& session, uint64_t blocks_per_commit,
                  absl::FunctionRef<bool(uint64_t, const std::string&)> stop,
                  RewriteReport& report) {
  Run run(session, blocks_per_commit, report);
  report.writing.status = RewriteAll(run, stop, report);
  report.writing.interrupted = report.writing.status.ok() &&
                               !std::all_of(report.trees.begin(), report.trees.end(),
                                            [](const RewrittenTree& tree) { return tree.done; });
}

}  // namespace ebcache::tools
