// The rules by which requests are made to fail, and the wrappers that apply them.

#include "ebcache/testing/fault_injection.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

constexpr AllocFlags kNone = AllocFlags::kNone;

// Which of `count` requests of one page fail.
std::vector<bool> Answers(FaultInjector& injector, int count, int order = 1) {
  std::vector<bool> answers;
  for (int i = 0; i < count; ++i) answers.push_back(injector.ShouldFail(order, 4096, kNone));
  return answers;
}

TEST(FaultInjectorTest, ByDefaultEverythingFailsButOrderZeroAndNoFail) {
  FaultInjector injector({});
  EXPECT_FALSE(injector.ShouldFail(0, 4096, kNone));
  EXPECT_FALSE(injector.ShouldFail(1, 8192, AllocFlags::kNoFail));
  EXPECT_TRUE(injector.ShouldFail(1, 8192, kNone));
  EXPECT_TRUE(injector.ShouldFail(9, 8192, AllocFlags::kMovable));
  EXPECT_EQ(injector.counts().eligible, 2u);
  EXPECT_EQ(injector.counts().failed, 2u);
}

TEST(FaultInjectorTest, NoFailIsSparedOnlyIfAsked) {
  FaultInjector injector({.spare_no_fail = false});
  EXPECT_TRUE(injector.ShouldFail(1, 8192, AllocFlags::kNoFail));
}

TEST(FaultInjectorTest, IntervalTimesAndSpace) {
  FaultInjector injector({.interval = 3, .times = 2, .space_bytes = 2 * 4096});
  EXPECT_EQ(Answers(injector, 12),
            std::vector<bool>({false, false,                            // the space
                               false, false, true, false, false, true,  // every third
                               false, false, false, false}));           // twice, and no more
}

TEST(FaultInjectorTest, SpaceEndsWithTheFirstRequestThatDoesNotFit) {
  FaultInjector injector({.space_bytes = 6000});
  EXPECT_FALSE(injector.ShouldFail(1, 4096, kNone));
  EXPECT_TRUE(injector.ShouldFail(1, 4096, kNone));
  EXPECT_TRUE(injector.ShouldFail(1, 1, kNone));
}

TEST(FaultInjectorTest, ProbabilityIsKeptAndRepeatable) {
  FaultInjector one({.probability = 0.1, .seed = 7});
  FaultInjector two({.probability = 0.1, .seed = 7});
  FaultInjector other({.probability = 0.1, .seed = 8});
  const std::vector<bool> answers = Answers(one, 10000);
  EXPECT_EQ(answers, Answers(two, 10000));
  EXPECT_NE(answers, Answers(other, 10000));
  // Ten standard deviations.
  EXPECT_NEAR(static_cast<double>(one.counts().failed), 1000, 300);
}

TEST(FaultInjectorDeathTest, OptionsOutOfRange) {
  EXPECT_DEATH(FaultInjector({.probability = 1.5}), "probability");
  EXPECT_DEATH(FaultInjector({.interval = 0}), "interval");
  EXPECT_DEATH((void)FaultInjectingOsCalls(OsCalls::Real(), {}), "order 0");
}

// Writes down what it was called for.
class Recorder final : public PageAllocator {
 public:
  std::string_view name() const override { return "recorder"; }
  size_t page_bytes() const override { return 4096; }
  OwnerId RegisterOwner(FolioOwner*) override {
    Note("register");
    return 9;
  }
  void QuiesceOwner(OwnerId owner) override {
    Note("quiesce");
    EXPECT_EQ(owner, 9);
  }
  void UnregisterOwner(OwnerId owner) override {
    Note("unregister");
    EXPECT_EQ(owner, 9);
  }
  absl::Status AllocateBulk(const FolioRequest& request, int order, absl::Span<Folio>) override {
    Note("allocate");
    EXPECT_EQ(request.private_bits, 5u);
    EXPECT_EQ(order, 3);
    return absl::AbortedError("as it was");
  }
  void FreeBulk(int order, absl::Span<Folio>) override {
    Note("free");
    EXPECT_EQ(order, 3);
  }
  absl::Status AllocateBlock(const FolioRequest&, FolioBlock& block) override {
    Note("allocate block");
    block.order = 1;
    return absl::OkStatus();
  }
  void FreeBlock(FolioBlock& block) override {
    Note("free block");
    block.order = 0;
  }
  void SetPrivate(Folio folio, uint32_t bits) override {
    Note("set private");
    EXPECT_EQ(folio.pfn() + bits, 3u);
  }
  std::byte* Address(Folio) const override { return kAddress; }
  std::byte* direct_map() const override { return kAddress + 1; }
  size_t Trim() override {
    Note("trim");
    return 17;
  }
  AllocatorStats stats() const override { return {.in_use_bytes = 4711}; }

  static inline std::byte memory_[2];
  static constexpr std::byte* kAddress = memory_;
  std::vector<std::string> calls;

 private:
  void Note(const char* call) { calls.push_back(call); }
};

TEST(FaultInjectingAllocatorTest, ForwardsEveryMethod) {
  auto recorder = std::make_shared<Recorder>();
  auto failing = FaultInjectingAllocator(recorder, FaultOptions{.probability = 0});
  TestOwner owner(true);
  EXPECT_EQ(failing->name(), "failing recorder");
  EXPECT_EQ(failing->page_bytes(), 4096u);
  EXPECT_EQ(failing->RegisterOwner(&owner), 9);
  failing->QuiesceOwner(9);
  failing->UnregisterOwner(9);
  Folio slot;
  EXPECT_TRUE(absl::IsAborted(failing->AllocateBulk({.private_bits = 5}, 3, {&slot, 1})));
  failing->FreeBulk(3, {&slot, 1});
  FolioBlock block = {.slots = {&slot, 1}};
  EXPECT_TRUE(failing->AllocateBlock({}, block).ok());
  EXPECT_EQ(block.order, 1);
  failing->FreeBlock(block);
  EXPECT_EQ(block.order, 0);
  failing->SetPrivate(Folio(1), 2);
  EXPECT_EQ(failing->Address(Folio(1)), Recorder::kAddress);
  EXPECT_EQ(failing->direct_map(), Recorder::kAddress + 1);
  EXPECT_EQ(failing->Trim(), 17u);
  EXPECT_EQ(failing->stats().in_use_bytes, 4711u);
  EXPECT_EQ(recorder->calls,
            std::vector<std::string>({"register", "quiesce", "unregister", "allocate", "free",
                                      "allocate block", "free block", "set private", "trim"}));
}

TEST(FaultInjectingAllocatorTest, FailuresAreCountedUnlessExpected) {
  auto failing = FaultInjectingAllocator(HeapAllocator(), FaultOptions{});
  Folio slot;
  EXPECT_TRUE(absl::IsResourceExhausted(failing->AllocateBulk({}, 1, {&slot, 1})));
  EXPECT_TRUE(absl::IsResourceExhausted(
      failing->AllocateBulk({.flags = AllocFlags::kNoWarn}, 1, {&slot, 1})));
  EXPECT_TRUE(slot.empty());
  EXPECT_EQ(failing->stats().failed_allocations, 1u);
  ASSERT_TRUE(failing->AllocateBulk({}, 0, {&slot, 1}).ok());
  // Nothing to allocate is nothing to fail.
  EXPECT_TRUE(failing->AllocateBulk({}, 1, {&slot, 1}).ok());
  failing->FreeBulk(0, {&slot, 1});
}

}  // namespace
}  // namespace ebcache
