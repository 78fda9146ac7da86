// What redundancy can save is saved, and what it cannot is reported by address and mirror: for each
// profile, each fault, and each set of copies that have it.

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/format/buffer_pool.h"
#include "tests/support/faulty_device.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kLogical = TestVolume::kLogical;
constexpr ParentCheck kCheck{.level = 0, .generation = 7};

// What was at `logical` before: sound, but of an older generation, and with other bytes at its end.
Bytes PastBlockAt(uint64_t logical) {
  return LeafBytes({.bytenr = logical, .generation = 6},
                   {{{256, kStringItemType, logical}, "what was there before"}});
}

// A volume whose devices can be made faulty, each with a past of its own: the same blocks, a
// generation older.
class FaultyVolume {
 public:
  explicit FaultyVolume(RaidProfile profile)
      : volume_({.profile = profile, .wrap = [this](std::unique_ptr<BlockDevice> device) {
                   past_.push_back(std::make_unique<MemoryDevice>("past", device->size_bytes()));
                   auto faulty = std::make_unique<FaultyDevice>(std::move(device));
                   faulty->set_past(past_.back().get());
                   devices_.push_back(faulty.get());
                   return faulty;
                 }}) {}

  TestVolume& test() { return volume_; }
  Volume& volume() { return volume_.volume(); }
  FaultyDevice& device(uint64_t id) { return *devices_[id - 1]; }
  FaultyDevice& device_of(const PhysicalExtent& copy) { return device(copy.place.device_id); }

  std::vector<PhysicalExtent> CopiesOf(uint64_t logical) { return *volume().Map(logical, 16384); }
  void Store(uint64_t logical) {
    for (const PhysicalExtent& copy : CopiesOf(logical)) {
      volume_.device(copy.place.device_id).Store(copy.place.offset, BlockAt(logical));
      past_[copy.place.device_id - 1]->Store(copy.place.offset, PastBlockAt(logical));
    }
  }

 private:
  std::vector<std::unique_ptr<MemoryDevice>> past_;
  std::vector<FaultyDevice*> devices_;  // the volume's
  TestVolume volume_;
};

using Parameters = std::tuple<RaidProfile, Fault>;

class RedundancyTest : public ::testing::TestWithParam<Parameters> {
 protected:
  RaidProfile profile() const { return std::get<0>(GetParam()); }
  Fault fault() const { return std::get<1>(GetParam()); }
  // A device that is gone takes all of its copies along: dup's are on one.
  bool Fails(const std::vector<PhysicalExtent>& copies, unsigned faulty, size_t copy) const {
    if (fault() == Fault::kSlow) return false;
    if (fault() != Fault::kDisappeared) return (faulty >> copy & 1) != 0;
    for (size_t other = 0; other <= copy; ++other) {
      if ((faulty >> other & 1) != 0 && copies[other].device == copies[copy].device) return true;
    }
    return false;
  }
};

TEST_P(RedundancyTest, EverySetOfFaultyCopies) {
  const size_t copies = SoundChunk(profile(), 0, 4096).copies();
  // The second stripe element lies elsewhere on striped profiles.
  for (uint64_t logical : {kLogical, kLogical + 65536}) {
    for (unsigned faulty = 0; faulty < 1u << copies; ++faulty) {
      FaultyVolume t(profile());
      t.Store(logical);
      const std::vector<PhysicalExtent> places = t.CopiesOf(logical);
      ASSERT_EQ(places.size(), copies);
      for (size_t copy = 0; copy < copies; ++copy) {
        if ((faulty >> copy & 1) == 0) continue;
        t.device_of(places[copy]).FailAt(places[copy].place.offset, 16384, fault());
      }
      size_t good = 0;
      while (good < copies && Fails(places, faulty, good)) ++good;

      BufferPool pool;
      const ExtentBufferRef buffer = pool.Make(logical);
      const absl::Status status = t.test().Read(*buffer, &kCheck);
      EXPECT_EQ(status.ok(), good < copies) << status;
      if (status.ok()) {
        Bytes bytes(16384);
        ASSERT_TRUE(buffer->Read(0, absl::MakeSpan(bytes)).ok());
        EXPECT_EQ(bytes, BlockAt(logical));
        EXPECT_EQ(buffer->mirror(), good + 1);
      } else {
        EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("block ", logical)));
      }
      const std::vector<std::string> damage = t.test().damage();
      ASSERT_EQ(damage.size(), good);
      for (size_t copy = 0; copy < good; ++copy) {
        const std::string where =
            absl::StrCat("mirror ", copy + 1, " on disk", places[copy].place.device_id, ".img at ",
                         places[copy].place.offset, ": ");
        EXPECT_THAT(damage[copy], HasSubstr(absl::StrCat(logical, ": ", where)));
        EXPECT_THAT(damage[copy], HasSubstr(status.ok() ? "(recovered)" : "(lost)"));
        if (!status.ok()) {
          EXPECT_THAT(std::string(status.message()), HasSubstr(where));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, RedundancyTest,
    ::testing::Combine(::testing::Values(RaidProfile::kSingle, RaidProfile::kDup,
                                         RaidProfile::kRaid0, RaidProfile::kRaid1,
                                         RaidProfile::kRaid1c3, RaidProfile::kRaid1c4,
                                         RaidProfile::kRaid10),
                       ::testing::Values(Fault::kReadError, Fault::kShortRead, Fault::kTornBlock,
                                         Fault::kStaleBlock, Fault::kSilentFlip, Fault::kSlow,
                                         Fault::kDisappeared)),
    [](const ::testing::TestParamInfo<Parameters>& info) {
      return absl::StrCat(std::string(RaidProfileName(std::get<0>(info.param))),
                          std::string(FaultName(std::get<1>(info.param))));
    });

// Random faults on two of the three devices: whatever happens there, the third has it all.
TEST(RandomFaults, OneGoodDeviceIsEnough) {
  const std::vector<Fault> all = {Fault::kReadError,  Fault::kShortRead,  Fault::kTornBlock,
                                  Fault::kStaleBlock, Fault::kSilentFlip, Fault::kDisappeared};
  uint64_t injected = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    FaultyVolume t(RaidProfile::kRaid1c3);
    const uint64_t good = 1 + seed % 3;
    for (uint64_t id = 1; id <= 3; ++id) {
      if (id != good) t.device(id).FailAtRandom(seed * 10 + id, 3, all);
    }
    BufferCache cache({.budget_bytes = 64 << 10}, &t.volume());
    for (uint64_t i = 0; i < 32; ++i) {
      const uint64_t logical = kLogical + i * 16384;
      t.Store(logical);
      const absl::StatusOr<ExtentBufferRef> block = cache.ReadBlock(logical, &kCheck);
      ASSERT_TRUE(block.ok()) << "seed " << seed << ": " << block.status();
      EXPECT_EQ((*block)->Compare(0, BlockAt(logical)).value(), 0) << "seed " << seed;
    }
    for (uint64_t id = 1; id <= 3; ++id) {
      for (Fault fault : all) injected += t.device(id).injected(fault);
    }
  }
  EXPECT_GT(injected, 300);
}

// ---- Through the cache --------------------------------------------------------------------------

// All readers of a block that cannot be read get the error, and the copies were read once.
TEST(FailingBlock, ConcurrentReadersGetTheOneError) {
  constexpr int kReaders = 8;
  for (Fault fault : {Fault::kReadError, Fault::kStaleBlock, Fault::kDisappeared}) {
    FaultyVolume t(RaidProfile::kRaid1);
    t.Store(kLogical);
    const std::vector<PhysicalExtent> places = t.CopiesOf(kLogical);
    BufferCache cache({.budget_bytes = 0}, &t.volume());
    // The first copy comes late: not before everybody is waiting. It is of the past, too.
    t.device_of(places[0]).set_past(nullptr);
    t.device_of(places[0]).set_wait([&] {
      while (cache.stats().read_waits < kReaders - 1) std::this_thread::yield();
    });
    t.device_of(places[0]).FailAt(places[0].place.offset, 16384, Fault::kSlow);
    t.test().Damage(1, kLogical);
    t.device_of(places[1]).FailAt(places[1].place.offset, 16384, fault);
    const uint64_t before = t.device_of(places[0]).reads() + t.device_of(places[1]).reads();

    std::vector<absl::Status> outcomes(kReaders);
    std::vector<std::thread> readers;
    for (absl::Status& outcome : outcomes) {
      readers.emplace_back([&] { outcome = cache.ReadBlock(kLogical, &kCheck).status(); });
    }
    for (std::thread& reader : readers) reader.join();
    for (const absl::Status& outcome : outcomes) {
      EXPECT_FALSE(outcome.ok());
      EXPECT_EQ(outcome, outcomes[0]);
      EXPECT_THAT(std::string(outcome.message()), HasSubstr("mirror 1 on disk1.img"));
      EXPECT_THAT(std::string(outcome.message()), HasSubstr("mirror 2 on disk2.img"));
    }
    EXPECT_EQ(t.device_of(places[0]).reads() + t.device_of(places[1]).reads() - before, 2)
        << "each copy once";
    EXPECT_EQ(t.test().damage().size(), 2);
    EXPECT_EQ(cache.stats().cached_buffers, 0) << "a failed read stayed in the cache";
  }
}

// A failed read never stays: the next one asks the devices again, and gets what is there by then.
TEST(FailingBlock, IsReadAgain) {
  for (int fault = 0; fault < kFaults; ++fault) {
    FaultyVolume t(RaidProfile::kSingle);
    t.Store(kLogical);
    t.device(1).FailAt(t.CopiesOf(kLogical)[0].place.offset, 16384, static_cast<Fault>(fault));
    BufferCache cache({.budget_bytes = 0}, &t.volume());
    const bool read = static_cast<Fault>(fault) == Fault::kSlow;
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(cache.ReadBlock(kLogical, &kCheck).ok(), read) << fault;
      EXPECT_EQ(cache.stats().cached_buffers, read ? 1 : 0) << fault;
    }
    t.device(1).Mend();
    EXPECT_TRUE(cache.ReadBlock(kLogical, &kCheck).ok()) << fault;
  }
}

// The same block, wanted by two parents that expect different things: each gets its own answer, and
// neither spoils the other's.
TEST(FailingBlock, OfTwoParentsOneIsWrong) {
  FaultyVolume t(RaidProfile::kDup);
  t.Store(kLogical);
  BufferCache cache({.budget_bytes = 0}, &t.volume());
  const ParentCheck wrong{.level = 1, .generation = 7};
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(cache.ReadBlock(kLogical, &kCheck).ok());
    EXPECT_THAT(std::string(cache.ReadBlock(kLogical, &wrong).status().message()),
                HasSubstr("level 0, the parent expects 1"));
  }
  EXPECT_EQ(cache.stats().reads, 1) << "it was in the cache, and good";
  EXPECT_THAT(t.test().damage(), IsEmpty()) << "no copy is at fault";
}

}  // namespace
}  // namespace ebcache::testing
