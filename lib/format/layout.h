// The one place for offsets: every structure of the on-disk format, by family.
//
// Each list is checked while compiling: no byte is left out, none belongs to two fields, and the
// size is what the struct says of itself. Who adds a structure writes a struct in include/ebcache/
// and its list here; parser and encoder follow (docs/format.md).

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_H_

#include "lib/format/layout_block.h"
#include "lib/format/layout_device.h"
#include "lib/format/layout_extent.h"
#include "lib/format/layout_file.h"
#include "lib/format/layout_root.h"
#include "lib/format/layout_space.h"
#include "lib/format/layout_superblock.h"

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_H_
