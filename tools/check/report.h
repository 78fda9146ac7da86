// What a check found, printed to stdout.

#ifndef EBCACHE_TOOLS_CHECK_REPORT_H_
#define EBCACHE_TOOLS_CHECK_REPORT_H_

#include "ebcache/filesystem.h"
#include "tools/check/checker.h"

namespace ebcache::tools {

void PrintCheckText(Filesystem& filesystem, const CheckReport& report);
void PrintCheckJson(Filesystem& filesystem, const CheckOptions& options, const CheckReport& report);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_REPORT_H_
