#include "lib/device/ring_pool.h"

#include <liburing.h>

#include <cerrno>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

namespace ebcache {

class RingPool::Ring {
 public:
  // One for transfers of these files, by direction, of which `depth` are under way at the most;
  // null where the kernel gives none. Throws bad_alloc.
  static std::unique_ptr<Ring> Create(const std::array<int, 2>& fds, uint32_t depth) {
    std::unique_ptr<Ring> ring(new Ring(depth));
    ring->ready_ = io_uring_queue_init(depth, &ring->ring_, 0) == 0;
    // Registered: the kernel need not look the file up for every transfer.
    const bool usable =
        ring->ready_ &&
        io_uring_register_files(&ring->ring_, fds.data(), static_cast<unsigned>(fds.size())) == 0;
    return usable ? std::move(ring) : nullptr;
  }
  ~Ring() {
    if (ready_) io_uring_queue_exit(&ring_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // False when the ring broke, and must not be used again; all the same each run is told of. What
  // `done` throws comes out when nothing is under way any more: the kernel goes on
  // with the memory of transfers that it has, whatever became of their callers. Later runs are not
  // told of then.
  bool Transfer(Direction direction, const TransferRuns& runs, size_t first,
                absl::FunctionRef<void(size_t, int)> tell) {
    std::exception_ptr thrown;
    const auto done = [&](size_t number, int result) {
      if (thrown != nullptr) return;
      try {
        tell(number, result);
      } catch (...) {
        thrown = std::current_exception();
      }
    };
    const bool whole = TransferAll(direction, runs, first, done);
    if (thrown != nullptr) std::rethrow_exception(thrown);
    return whole;
  }

 private:
  explicit Ring(uint32_t depth) : depth_(depth) {}

  bool TransferAll(Direction direction, const TransferRuns& runs, size_t first,
                   absl::FunctionRef<void(size_t, int)> done) {
    size_t next = first;  // the first run that was not queued
    size_t flying = 0;    // queued and not done
    int broken = 0;
    while (broken == 0 && (next < runs.runs.size() || flying > 0)) {
      while (next < runs.runs.size() && flying < depth_ && Queue(direction, runs, next))
        ++next, ++flying;
      const int submitted = io_uring_submit_and_wait(&ring_, 1);
      if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN) broken = submitted;
      flying -= Reap(done);
    }
    if (broken == 0) return true;
    // What the kernel has must come back before the memory may go. What it never took it forgets.
    size_t untaken = io_uring_sq_ready(&ring_);
    for (io_uring_cqe* cqe = nullptr; flying > untaken;) {
      if (io_uring_wait_cqe(&ring_, &cqe) == 0) flying -= Reap(done);
    }
    for (; untaken > 0; --untaken) done(next - untaken, broken);
    for (; next < runs.runs.size(); ++next) done(next, broken);
    return false;
  }

  bool Queue(Direction direction, const TransferRuns& runs, size_t number) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return false;
    const TransferRun& run = runs.runs[number];
    const auto vectors = runs.VectorsOf(run);
    const auto prepare = direction == Direction::kRead ? io_uring_prep_readv : io_uring_prep_writev;
    prepare(sqe, static_cast<int>(direction), vectors.data(), static_cast<unsigned>(vectors.size()),
            run.offset);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, number);
    return true;
  }

  // Tells of all transfers that are over; how many.
  size_t Reap(absl::FunctionRef<void(size_t, int)> done) {
    size_t reaped = 0;
    for (io_uring_cqe* cqe = nullptr; io_uring_peek_cqe(&ring_, &cqe) == 0; ++reaped) {
      const auto number = static_cast<size_t>(io_uring_cqe_get_data64(cqe));
      const int result = cqe->res;
      io_uring_cqe_seen(&ring_, cqe);
      done(number, result);
    }
    return reaped;
  }

  io_uring ring_;
  const uint32_t depth_;
  bool ready_ = false;
};

RingPool::RingPool(int read_fd, int write_fd, uint32_t depth)
    : fds_{read_fd, write_fd},
      depth_(depth),
      at_fork_(
          // The lock is held over the fork: the two are halves of one function.
          ForkHandler::Phase::kLocks, [this]() EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); },
          [this](bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
            // To let go of a ring asks nothing of it, and the parent still has it.
            if (in_child) idle_.clear();
            mutex_.unlock();
          }) {}
RingPool::~RingPool() = default;

std::unique_ptr<RingPool::Ring> RingPool::Take() {
  if (unavailable_.load(std::memory_order_relaxed)) return nullptr;
  {
    sync::MutexLock lock(mutex_);
    if (!idle_.empty()) {
      auto ring = std::move(idle_.back());
      idle_.pop_back();
      return ring;
    }
  }
  try {
    std::unique_ptr<Ring> ring = Ring::Create(fds_, depth_);
    if (ring == nullptr) unavailable_.store(true, std::memory_order_relaxed);
    return ring;
  } catch (const std::bad_alloc&) {
    return nullptr;  // the next batch may have more luck
  }
}

void RingPool::GiveBack(std::unique_ptr<Ring> ring) {
  sync::MutexLock lock(mutex_);
  try {
    idle_.push_back(std::move(ring));
  } catch (const std::bad_alloc&) {
    // There is no memory to remember it by: the next batch makes one.
  }
}

bool RingPool::Transfer(Direction direction, const TransferRuns& runs, size_t first,
                        absl::FunctionRef<void(size_t, int)> done) {
  if (first == runs.runs.size()) return true;
  std::unique_ptr<Ring> ring = Take();
  if (ring == nullptr) return false;
  if (ring->Transfer(direction, runs, first, done)) GiveBack(std::move(ring));
  return true;
}

}  // namespace ebcache
