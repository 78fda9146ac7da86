#include "bench/lab/callers.h"

#include <algorithm>
#include <utility>

namespace ebcache::lab {
namespace {

constexpr uint32_t kStripeBytes = 64 << 10;  // of one device
constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kPagesEach = kStripeBytes / kPageBytes;

constexpr size_t kCachedStripes = 1024;
constexpr uint32_t kStripeDevices = 6;
constexpr size_t kStripesPerStep = 64;

constexpr uint32_t kScrubStripes = 128;
constexpr uint32_t kScrubSteps = 10;  // that a scrub lasts
constexpr uint32_t kScrubPause = 10;  // and that pass before the next

constexpr uint32_t kMaxReadPages = 32;
constexpr size_t kReadsInFlight = 64;
constexpr uint32_t kClusterPages = 128;
constexpr size_t kClustersInFlight = 16;

constexpr size_t kPrivateBuffers = 256;

}  // namespace

FilesystemCallers::FilesystemCallers(MovableRegion* region, BufferCache* cache, uint64_t tree_bytes,
                                     double scale)
    : cache_(cache),
      tree_bytes_(tree_bytes),
      scale_(scale),
      stripes_(region, "raid56 stripes", AllocFlags::kNone),
      scrub_(region, "scrub stripes", AllocFlags::kNone),
      encoded_reads_(region, "encoded reads", AllocFlags::kNone),
      relocation_(region, "relocation buffers", AllocFlags::kNone) {}

// At least one.
size_t FilesystemCallers::Scaled(size_t amount) const {
  return std::max<size_t>(1, static_cast<size_t>(scale_ * static_cast<double>(amount)));
}

FilesystemCallers::Group FilesystemCallers::AddPages(Population& population, uint32_t pages) {
  const uint32_t begin = population.next_number();
  for (uint32_t i = 0; i < pages; ++i) {
    if (population.Add(0)) continue;
    population.RemoveRange(begin, population.next_number());
    break;
  }
  return {begin, population.next_number()};
}

// Writes of less than a stripe: some hit the cache and make a stripe the latest, some need another.
void FilesystemCallers::StepStripes(Random& random) {
  const size_t most = Scaled(kCachedStripes);
  for (size_t i = 0; i < Scaled(kStripesPerStep); ++i) {
    if (stripe_lru_.size() == most && random() % 2 == 0) {
      const auto hit = stripe_lru_.begin() + static_cast<int>(random() % most);
      const Group stripe = *hit;
      stripe_lru_.erase(hit);
      stripe_lru_.push_back(stripe);
      continue;
    }
    if (stripe_lru_.size() == most) {
      Drop(stripes_, stripe_lru_.front());
      stripe_lru_.pop_front();
    }
    stripe_lru_.push_back(AddPages(stripes_, kStripeDevices * kPagesEach));
  }
}

void FilesystemCallers::StepScrub() {
  if (scrub_steps_left_ == 0) {
    AddPages(scrub_, static_cast<uint32_t>(Scaled(kScrubStripes)) * kPagesEach);
    scrub_steps_left_ = kScrubSteps + kScrubPause;
  }
  if (--scrub_steps_left_ == kScrubPause) scrub_.RemoveRange(0, scrub_.next_number());
}

void FilesystemCallers::StepTransfers(Random& random) {
  const size_t reads = Scaled(kReadsInFlight);
  for (size_t i = 0; i < reads; ++i) {
    if (reads_.size() == reads) {
      Drop(encoded_reads_, reads_.front());
      reads_.pop_front();
    }
    reads_.push_back(AddPages(encoded_reads_, 1 + static_cast<uint32_t>(random() % kMaxReadPages)));
  }
  const size_t clusters = Scaled(kClustersInFlight);
  for (size_t i = 0; i < (clusters + 1) / 2; ++i) {
    if (clusters_.size() == clusters) {
      Drop(relocation_, clusters_.front());
      clusters_.pop_front();
    }
    clusters_.push_back(AddPages(relocation_, kClusterPages));
  }
}

void FilesystemCallers::StepPrivateBuffers(Random& random) {
  const size_t buffers = Scaled(kPrivateBuffers);
  for (size_t i = 0; i < (buffers + 3) / 4; ++i) {
    if (private_buffers_.size() == buffers) private_buffers_.pop_front();
    const ExtentBufferRef original = cache_->FirstAtOrAfter(random() % tree_bytes_);
    auto made = original && random() % 2 == 0 ? cache_->Clone(*original) : cache_->CreateDummy(0);
    if (made.ok()) private_buffers_.push_back(*std::move(made));
  }
}

void FilesystemCallers::Step(Random& random) {
  if (scale_ == 0) return;
  StepStripes(random);
  StepScrub();
  StepTransfers(random);
  StepPrivateBuffers(random);
}

uint64_t FilesystemCallers::frames() const {
  return stripes_.frames() + scrub_.frames() + encoded_reads_.frames() + relocation_.frames();
}

bool FilesystemCallers::Owns(OwnerId owner) const {
  return owner == stripes_.id() || owner == scrub_.id() || owner == encoded_reads_.id() ||
         owner == relocation_.id();
}

}  // namespace ebcache::lab
