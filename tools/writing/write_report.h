// What programs that write say of their commits.

#ifndef EBCACHE_TOOLS_WRITING_WRITE_REPORT_H_
#define EBCACHE_TOOLS_WRITING_WRITE_REPORT_H_

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/transaction.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/writing/way_back.h"
#include "tools/writing/write_target.h"

namespace ebcache::tools {

struct WriteReport {
  uint64_t commits = 0;
  uint64_t generation = 0;   // of the last commit; 0: none
  TransactionCounts counts;  // of all that were committed
  std::vector<SuperblockFailure> failures;
  bool interrupted = false;
  absl::Status status;  // why it ended early
  double elapsed_s = 0;
  std::optional<PreviewCheck> check;  // of a preview that came to its end
  std::optional<WayBack> way_back;    // none where nothing was committed
  bool unknown = false;               // whether the last commit has happened

  // Commits, and counts what was done.
  absl::Status Commit(Transaction& transaction);
};

// Ends a run: `session` and the filesystem go, a preview is read and held against what it should be.
// Where nothing was changed the undo file goes as well.
void FinishWriting(WriteTarget& target, std::unique_ptr<Session> session, Progress& progress,
                   WriteReport& report);

// The members that all such programs print: "preview", "interrupted", "error", "commits", ...
void AddWriteReport(const WriteReport& report, bool preview, const Superblock& superblock,
                    Json& json);
// The same as text, but what goes to stderr: see below.
void PrintWriteReport(const WriteReport& report, bool preview, const Superblock& superblock);
// On stderr, what did not go well. Returns the exit code.
int JudgeWriting(const Command& command, const WriteReport& report, const CopyLog& copies);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_WRITING_WRITE_REPORT_H_
