// What a scrub found, printed to stdout.

#ifndef EBCACHE_EXAMPLES_SCRUB_OUTPUT_H_
#define EBCACHE_EXAMPLES_SCRUB_OUTPUT_H_

#include "examples/scrub.h"

namespace ebcache::examples {

void PrintScrubText(const ScrubReport& report);
void PrintScrubJson(const ScrubReport& report);

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_SCRUB_OUTPUT_H_
