// One transaction on devices that fail.

#ifndef EBCACHE_TESTS_CRASH_FAILING_COMMIT_H_
#define EBCACHE_TESTS_CRASH_FAILING_COMMIT_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/commit_kinds.h"
#include "tests/crash/disks.h"
#include "tests/device/device_log.h"

namespace ebcache::testing {

// A filesystem whose devices are recorded, and the transaction that the kind makes last.
class FailingCommit {
 public:
  FailingCommit(const Disks& disks, const Step& step) : step_(step) {
    auto opened = OpenDisks(
        disks, {.writable = true, .log = &log_, .on_damage = [this](const auto&) { ++damage_; }});
    EXPECT_TRUE(opened.ok()) << opened.status();
    filesystem_ = *std::move(opened);
    auto session = Session::Open(filesystem_.get(), step.options);
    EXPECT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    transaction_ = *session_->Begin();
  }

  // Changes and commits; the first error.
  absl::Status Run() {
    ItemMap items;
    Editor editor(transaction_.get(), &items);
    absl::Status status = step_.change(editor);
    if (status.ok()) {
      status = transaction_->Commit(&failures_);
    } else {
      // Nothing but Abort works.
      EXPECT_FALSE(transaction_->Commit(&failures_).ok());
      EXPECT_EQ(transaction_->stage(), TransactionStage::kOpen);
      transaction_->Abort();
    }
    log_.FailBy(nullptr);
    return status;
  }
  // What the callers of a transaction do that has failed.
  void End() { transaction_.reset(); }

  DeviceLog& log() { return log_; }
  Filesystem& filesystem() { return *filesystem_; }
  Session& session() { return *session_; }
  Transaction& transaction() { return *transaction_; }
  size_t damage() const { return damage_; }
  const std::vector<SuperblockFailure>& failures() const { return failures_; }
  Disks Left() const { return log_.After({.entries = log_.size()}); }

 private:
  DeviceLog log_;
  const Step step_;
  size_t damage_ = 0;
  std::unique_ptr<Filesystem> filesystem_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Transaction> transaction_;
  std::vector<SuperblockFailure> failures_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_FAILING_COMMIT_H_
