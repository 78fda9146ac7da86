// What a scrub found, printed to stdout.

#ifndef EBCACHE_TOOLS_VERIFY_REPORT_H_
#define EBCACHE_TOOLS_VERIFY_REPORT_H_

#include "tools/verify/scrub.h"

namespace ebcache::tools {

void PrintScrubText(const ScrubReport& report);
void PrintScrubJson(const ScrubReport& report);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_VERIFY_REPORT_H_
