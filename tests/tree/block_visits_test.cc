// Which pointers of a tree are followed.

#include "lib/tree/block_visits.h"

#include <gtest/gtest.h>

namespace ebcache {
namespace {

TEST(BlockVisits, ABlockIsEnteredOnce) {
  BlockVisits visits(16384);
  EXPECT_TRUE(visits.MayFollow(65536).ok());
  EXPECT_TRUE(visits.Enter(65536));
  EXPECT_FALSE(visits.Enter(65536));
  EXPECT_TRUE(absl::IsDataLoss(visits.MayFollow(65536)));
  EXPECT_TRUE(visits.MayFollow(81920).ok());
}

// Three pointers may expect different things of it; then it is bad.
TEST(BlockVisits, AskedForThreeTimesInVainAndNoMore) {
  BlockVisits visits(16384);
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_TRUE(visits.MayFollow(65536).ok()) << attempt;
    visits.NoteFailure(65536);
    EXPECT_TRUE(visits.Failed(65536));
  }
  EXPECT_TRUE(absl::IsDataLoss(visits.MayFollow(65536)));
  EXPECT_FALSE(visits.Failed(81920));
  EXPECT_TRUE(visits.MayFollow(81920).ok());
}

}  // namespace
}  // namespace ebcache
