#include "tests/crash/commit_kinds.h"

#include <optional>
#include <utility>

namespace ebcache::testing {

absl::Status Editor::Insert(uint64_t first, uint64_t count, size_t bytes) {
  for (uint64_t i = first; i < first + count; ++i) {
    const SampleItem item = MakeAttribute(i, bytes);
    absl::Status status = transaction_.Insert(kFsTreeId, item.key, item.data);
    if (!status.ok()) return status;
    items_[item.key] = item.data;
  }
  return absl::OkStatus();
}

absl::Status Editor::Replace(uint64_t first, uint64_t count, size_t bytes, uint8_t salt) {
  for (uint64_t i = first; i < first + count; ++i) {
    const SampleItem item = MakeAttribute(i, bytes, salt);
    absl::Status status = transaction_.Replace(kFsTreeId, item.key, item.data);
    if (!status.ok()) return status;
    items_[item.key] = item.data;
  }
  return absl::OkStatus();
}

absl::Status Editor::Remove(uint64_t first, uint64_t count) {
  for (uint64_t i = first; i < first + count; ++i) {
    const Key key = MakeAttribute(i, 0).key;
    absl::Status status = transaction_.Remove(kFsTreeId, key);
    if (!status.ok()) return status;
    items_.erase(key);
  }
  return absl::OkStatus();
}

absl::Status Editor::Rewrite(uint64_t tree) {
  std::optional<Key> from = kMinKey;
  while (from) {
    const absl::StatusOr<std::optional<Key>> next = transaction_.Rewrite(tree, *from, 4);
    if (!next.ok()) return next.status();
    from = *next;
  }
  return absl::OkStatus();
}

absl::Status Editor::TurnFreeSpaceTree() {
  const absl::StatusOr<bool> made = transaction_.MakeFreeSpaceTree();
  if (!made.ok() || *made) return made.status();
  return transaction_.RemoveFreeSpaceTree().status();
}

absl::Status Editor::TurnBlockGroupTree() {
  const absl::StatusOr<bool> removed = transaction_.RemoveBlockGroupTree();
  if (!removed.ok() || *removed) return removed.status();
  absl::StatusOr<bool> made = transaction_.MakeFreeSpaceTree();
  if (made.ok()) made = transaction_.MakeBlockGroupTree();
  return absl::IsInvalidArgument(made.status()) ? Rewrite(kFsTreeId) : made.status();
}

namespace {

absl::Status InsertFew(Editor& editor) { return editor.Insert(0, 40); }
absl::Status InsertMany(Editor& editor) { return editor.Insert(0, 250); }
absl::Status InsertMore(Editor& editor) { return editor.Insert(300, 150); }
absl::Status RemoveMost(Editor& editor) { return editor.Remove(20, 200); }
absl::Status SetLabel(Editor& editor) { return editor.SetLabel("music"); }
absl::Status RewriteFiles(Editor& editor) { return editor.Rewrite(kFsTreeId); }
absl::Status RewriteAndChange(Editor& editor) {
  absl::Status status = editor.Rewrite(kFsTreeId);
  if (status.ok()) status = editor.Replace(0, 20, 120, 1);
  return status.ok() ? editor.Remove(40, 30) : status;
}
// One item fills a leaf. What was written early is copied, or goes, before the commit, and what it
// leaves free is used again.
absl::Status MoreThanMayWait(Editor& editor) {
  absl::Status status = editor.Insert(1000, 90, 2000);
  if (status.ok()) status = editor.Replace(1000, 20, 2000, 1);
  if (status.ok()) status = editor.Remove(1020, 20);
  return status.ok() ? editor.Insert(1100, 30, 2000) : status;
}

// Goes through all of a small filesystem's space, and comes by what it has written early again.
absl::Status UseSpaceTwice(Editor& editor) {
  absl::Status status = editor.Insert(1000, 90, 2000);
  for (int i = 0; status.ok() && i < 40; ++i) status = editor.Rewrite(kFsTreeId);
  return status;
}

absl::Status TurnFreeSpace(Editor& editor) { return editor.TurnFreeSpaceTree(); }
absl::Status TurnGroups(Editor& editor) { return editor.TurnBlockGroupTree(); }
absl::Status TurnAndInsert(Editor& editor) {
  absl::Status status = editor.TurnFreeSpaceTree();
  return status.ok() ? editor.Insert(500, 60) : status;
}

const SessionOptions kEarly = {.most_unwritten_bytes = 1};

}  // namespace

const std::vector<CommitKind> kCommitKinds = {
    {"Label", {{InsertFew}}, {{SetLabel}}, 800},
    {"Splits", {{InsertFew}}, {{InsertMore}}, 1500},
    {"Joins", {{InsertMany}}, {{RemoveMost}}, 1500},
    {"Rewrite", {{InsertMany}}, {{RewriteFiles}}, 1500},
    {"Early", {{InsertFew}}, {{MoreThanMayWait, kEarly}}, 900},
    {"Reuse",
     {{InsertMany}, {RewriteFiles}},
     {{RewriteFiles}, {RewriteAndChange}, {InsertMore, {}, /*same_session=*/true}},
     1500},
    {"FreeSpace",
     {{InsertMany}},
     {{TurnFreeSpace}, {TurnAndInsert, {}, /*same_session=*/true}},
     900},
    {"FreeSpaceTurned", {{InsertMany}, {TurnFreeSpace}}, {{TurnFreeSpace, kEarly}}, 600},
    {"Groups", {{InsertMany}}, {{TurnGroups}, {TurnGroups, {}, /*same_session=*/true}}, 900},
    {"GroupsTurned", {{InsertMany}, {TurnGroups}}, {{TurnGroups}}, 600},
};

const CommitKind kUseSpaceTwice = {"Twice", {{InsertFew}}, {{UseSpaceTwice, kEarly}}, 5000};

absl::Status RunSteps(Filesystem& filesystem, const std::vector<Step>& steps, ItemMap* items,
                      const std::function<void(size_t)>& committed) {
  std::unique_ptr<Session> session;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (!step.same_session) {
      session.reset();
      absl::StatusOr<std::unique_ptr<Session>> opened = Session::Open(&filesystem, step.options);
      if (!opened.ok()) return opened.status();
      session = *std::move(opened);
    }
    absl::StatusOr<std::unique_ptr<Transaction>> transaction = session->Begin();
    if (!transaction.ok()) return transaction.status();
    Editor editor(transaction->get(), items);
    absl::Status status = step.change(editor);
    if (status.ok()) status = (*transaction)->Commit();
    if (!status.ok()) return status;
    committed(i);
  }
  return absl::OkStatus();
}

}  // namespace ebcache::testing
