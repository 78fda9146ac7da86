#include "tests/capi/session_stage.h"

#include <gtest/gtest.h>
#include <unistd.h>

extern "C" {
#include "tests/capi/sample_image.h"
#include "tests/capi/sample_item.h"
}

namespace ebcache {
namespace {

constexpr int kFirst = 1;  // the attribute of the stage's transaction
constexpr int kNext = 2;   // of the one behind it

int Insert(ebcache_transaction* transaction, int number) {
  const sample_item item = make_sample_item(number, 100, 'i');
  return ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes);
}

}  // namespace

SessionStage::SessionStage(SessionShape shape) : undo_file(std::string(sample_image()) + ".undo") {
  written_device_init(&device);
  EXPECT_EQ(written_device_open(&device, &filesystem), 0) << ebcache_last_error();
  ebcache_session_options options{};
  options.size = sizeof options;
  if (shape != SessionShape::kOpen) options.undo_file = undo_file.c_str();
  EXPECT_EQ(ebcache_session_open(filesystem, &options, &session), 0) << ebcache_last_error();
  EXPECT_EQ(ebcache_transaction_begin(session, &transaction), 0) << ebcache_last_error();
  EXPECT_EQ(Insert(transaction, kFirst), 0) << ebcache_last_error();
  if (shape == SessionShape::kClosed) {
    EXPECT_EQ(ebcache_transaction_commit(transaction, nullptr, nullptr), 0) << ebcache_last_error();
    CloseSession();
    EXPECT_EQ(ebcache_close(filesystem), 0) << ebcache_last_error();
    filesystem = nullptr;
    return;
  }
  EXPECT_EQ(ebcache_view_open(session, &view), 0) << ebcache_last_error();
}

bool SessionStage::HasUndoFile() const { return access(undo_file.c_str(), F_OK) == 0; }

SessionStage::~SessionStage() {
  CloseSession();
  EXPECT_EQ(ebcache_close(filesystem), 0) << ebcache_last_error();
  written_device_free(&device);
  unlink(undo_file.c_str());
}

void SessionStage::CloseTransaction() {
  EXPECT_EQ(ebcache_transaction_close(transaction), 0) << ebcache_last_error();
  transaction = nullptr;
}

void SessionStage::CloseSession() {
  CloseTransaction();
  ebcache_view_close(view);
  view = nullptr;
  EXPECT_EQ(ebcache_session_close(session), 0) << ebcache_last_error();
  session = nullptr;
}

// What is not there any more.
void SessionStage::Open() {
  if (filesystem == nullptr) {
    ASSERT_EQ(written_device_open(&device, &filesystem), 0) << ebcache_last_error();
  }
  if (session == nullptr) {
    ASSERT_EQ(ebcache_session_open(filesystem, nullptr, &session), 0) << ebcache_last_error();
  }
}

void SessionStage::ExpectSound() {
  // Of a commit that had no memory for what a device says, it may not be known how it has ended.
  if (ebcache_transaction_stage(transaction) == EBCACHE_STAGE_UNKNOWN) {
    CloseSession();
    EXPECT_EQ(ebcache_close(filesystem), 0) << ebcache_last_error();
    filesystem = nullptr;
  }
  // What was refused for want of memory, and says that it can go on, is committed.
  if (transaction != nullptr && ebcache_transaction_check(transaction) == 0) {
    EXPECT_EQ(ebcache_transaction_commit(transaction, nullptr, nullptr), 0) << ebcache_last_error();
  }
  CloseTransaction();
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_EQ(ebcache_transaction_begin(session, &transaction), 0) << ebcache_last_error();
  EXPECT_EQ(Insert(transaction, kNext), 0) << ebcache_last_error();
  EXPECT_EQ(ebcache_transaction_commit(transaction, nullptr, nullptr), 0) << ebcache_last_error();
  ebcache_tree* tree = nullptr;
  ASSERT_EQ(ebcache_tree_open(filesystem, FILES, &tree), 0) << ebcache_last_error();
  EXPECT_EQ(sample_item_fill(tree, kNext), 'i');
  ebcache_tree_close(tree);
  CloseSession();
  // Another one finds chunks, block groups and free space of one mind.
  ASSERT_NO_FATAL_FAILURE(Open());
  CloseSession();
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  struct ebcache_cache_stats stats {};
  stats.size = sizeof stats;
  EXPECT_EQ(ebcache_cache_stats(cache, &stats), 0);
  EXPECT_EQ(stats.dirty_buffers, 0u);
  ebcache_drop_caches(cache);
  EXPECT_EQ(ebcache_cache_stats(cache, &stats), 0);
  EXPECT_EQ(stats.cached_buffers, 0u);
}

}  // namespace ebcache
