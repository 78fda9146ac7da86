// --record=FILE: what is asked of a program's cache, block by block, as `eviction_bench --trace` reads it.

#ifndef EBCACHE_TOOLS_RECORDING_H_
#define EBCACHE_TOOLS_RECORDING_H_

#include <absl/status/status.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "ebcache/buffer_cache.h"
#include "tools/command.h"
#include "tools/mutex.h"

namespace ebcache::tools {

// A line for each block that is asked for: "f" (it was cached), "a" (it was made) or "s" (it is not wanted
// any more), and its logical address in units of 4096 bytes, hexadecimal.
//
// Thread safety: Note, from any thread; the rest belongs to one.
class Recording {
 public:
  void AddOptions(Command& command);

  // Makes the file, if one was asked for. Errors: Unavailable, with the file's name.
  absl::Status Begin();
  // For BufferCacheOptions::on_access; null when nothing is recorded. What it is told of after End is
  // not written.
  std::function<void(CacheAccess access, uint64_t start)> on_access();
  // Writes what is left. Errors: Unavailable: what the file has is not all.
  absl::Status End();

 private:
  void Note(CacheAccess access, uint64_t start);
  absl::Status Failure(int error) const;

  std::string path_;
  Mutex mutex_;  // one line at a time
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_RECORDING_H_
