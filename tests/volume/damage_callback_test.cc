// What is told of damage may look at the filesystem; only not at the block that is being read,
// which nobody has yet.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/volume.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kBlock = TestVolume::kLogical;
constexpr uint64_t kNext = kBlock + 16384;

class DamageCallbackTest : public ::testing::Test {
 protected:
  DamageCallbackTest() {
    volume_.Store(kBlock, BlockAt(kBlock));
    volume_.Store(kNext, BlockAt(kNext));
  }

  BufferCache* told_ = nullptr;
  uint64_t wanted_ = 0;
  std::vector<absl::Status> answers_;
  TestVolume volume_{{.on_damage = [this](const MirrorDamage&) {
    answers_.push_back(told_->ReadBlock(wanted_).status());
  }}};
  BufferCache cache_{{.node_bytes = 16384}, &volume_.volume()};
};

TEST_F(DamageCallbackTest, LooksAtTheBlockThatIsBeingRead) {
  told_ = &cache_;
  wanted_ = kBlock;
  volume_.Damage(1, kBlock);
  EXPECT_TRUE(cache_.ReadBlock(kBlock).ok()) << "the second copy is good";
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(absl::IsFailedPrecondition(answers_[0])) << answers_[0];
}

TEST_F(DamageCallbackTest, LooksAtABlockWithoutAGoodCopy) {
  told_ = &cache_;
  wanted_ = kBlock;
  volume_.Damage(1, kBlock);
  volume_.Damage(2, kBlock);
  EXPECT_TRUE(absl::IsDataLoss(cache_.ReadBlock(kBlock).status()));
  ASSERT_EQ(answers_.size(), 2u);
  for (const absl::Status& answer : answers_) EXPECT_TRUE(absl::IsFailedPrecondition(answer));
}

TEST_F(DamageCallbackTest, LooksAtAnotherBlock) {
  told_ = &cache_;
  wanted_ = kNext;
  volume_.Damage(1, kBlock);
  EXPECT_TRUE(cache_.ReadBlock(kBlock).ok());
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(answers_[0].ok()) << answers_[0];
}

}  // namespace
}  // namespace ebcache::testing
