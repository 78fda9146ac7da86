// Memory that is out while a session is opened, or a view taken: nothing of it is left.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/support/failing_new.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class OpenMemoryTest : public SessionTest {
 protected:
  void Commit(int number) {
    const std::unique_ptr<Transaction> transaction = Begin();
    ASSERT_TRUE(PutAttribute(*transaction, 1, 100, static_cast<uint8_t>(number)).ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
};

// A state that stays held is never given out again: each block of it that is replaced is lost to the
// session.
TEST_F(OpenMemoryTest, AViewThatWasNotHad) {
  Make("");
  ASSERT_NO_FATAL_FAILURE(Open());
  for (int number = 0; number < 4; ++number) ASSERT_NO_FATAL_FAILURE(Commit(number));
  const uint64_t free_before = session_->free_bytes();
  for (const NewFails how : {NewFails::kOnce, NewFails::kFromThenOn}) {
    int64_t refused = 0;
    for (int64_t nth = 0;; ++nth) {
      FailNew(nth, how);
      const absl::StatusOr<CommittedView> view = session_->View();
      const bool failed = StopFailingNew();
      if (!failed) {
        EXPECT_TRUE(view.ok()) << view.status();
        break;
      }
      EXPECT_TRUE(absl::IsResourceExhausted(view.status())) << view.status();
      ++refused;
    }
    EXPECT_GT(refused, 1);
  }
  for (int number = 0; number < 4; ++number) ASSERT_NO_FATAL_FAILURE(Commit(number));
  EXPECT_EQ(session_->free_bytes(), free_before);
  ExpectSound();
}

// It may be opened again, and its undo file is not in the way.
TEST_F(OpenMemoryTest, ASessionThatWasNotOpened) {
  Make("");
  filesystem_ = OpenWritable(paths_);
  const SessionOptions options{.undo_file = paths_[0] + ".undo"};
  for (const NewFails how : {NewFails::kOnce, NewFails::kFromThenOn}) {
    int64_t refused = 0;
    for (int64_t nth = 0;; ++nth) {
      filesystem_->cache().DropCaches();
      SessionOptions given = options;
      FailNew(nth, how);
      absl::StatusOr<std::unique_ptr<Session>> session =
          Session::Open(filesystem_.get(), std::move(given));
      const bool failed = StopFailingNew();
      if (!failed) {
        ASSERT_TRUE(session.ok()) << session.status();
        ASSERT_TRUE((*session)->Settle().ok());
        break;
      }
      if (session.ok()) {
        ASSERT_TRUE((*session)->Settle().ok());  // what has failed was not needed
        continue;
      }
      ASSERT_TRUE(absl::IsResourceExhausted(session.status())) << session.status();
      ASSERT_NE(access(options.undo_file.c_str(), F_OK), 0) << "call " << nth;
      ++refused;
    }
    EXPECT_GT(refused, 20);
  }
  filesystem_.reset();
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

}  // namespace
}  // namespace ebcache::testing
