// Runs something in a copy of this process, so that it changes nothing here: the state of a machine
// is kept, as a snapshot of a virtual one would keep it.

#ifndef EBCACHE_BENCH_LAB_IN_COPY_H_
#define EBCACHE_BENCH_LAB_IN_COPY_H_

#include <absl/status/statusor.h>

#include <functional>
#include <string>

namespace ebcache::lab {

// What `work` returned there. Unavailable: the OS has no process or pipe for it, or the copy died.
absl::StatusOr<std::string> InCopy(const std::function<std::string()>& work);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_IN_COPY_H_
