// Goes before libc in a program under test: reads for which the kernel has no memory. By the
// environment: EBCACHE_FAIL_FROM is the number of the first, from 1, EBCACHE_FAIL_COUNT how many.

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef ssize_t Read(int, const struct iovec*, int, off_t);

static long number(const char* name) {
  const char* const text = getenv(name);
  return text != NULL ? atol(text) : 0;
}

ssize_t preadv(int fd, const struct iovec* vectors, int count, off_t offset) {
  static atomic_long reads;
  const long read = atomic_fetch_add(&reads, 1) + 1;
  const long from = number("EBCACHE_FAIL_FROM");
  if (from != 0 && read >= from && read - from < number("EBCACHE_FAIL_COUNT")) {
    errno = ENOMEM;
    return -1;
  }
  return ((Read*)dlsym(RTLD_NEXT, "preadv"))(fd, vectors, count, offset);
}

// What the page cache has would come this way; all is to come by the other one.
ssize_t preadv2(int fd, const struct iovec* vectors, int count, off_t offset, int flags) {
  (void)fd;
  (void)vectors;
  (void)count;
  (void)offset;
  (void)flags;
  errno = EAGAIN;
  return -1;
}

// And so would batches: there is no ring, as in many sandboxes.
int io_uring_queue_init(unsigned entries, void* ring, unsigned flags) {
  (void)entries;
  (void)ring;
  (void)flags;
  return -ENOSYS;
}
