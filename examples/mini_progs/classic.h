/* The classic buffer cache of btrfs tools, as a thin layer over ebcache.h. A tool written against
 * an interface like this one includes this in place of its own cache, and goes on as it was; what
 * to look out for is in docs/embedding.md.
 *
 * Functions that give a buffer give NULL where that fails, and errno says why. */

#ifndef MINI_PROGS_CLASSIC_H_
#define MINI_PROGS_CLASSIC_H_

#include <ebcache/ebcache.h>
#include <errno.h>

/* struct extent_buffer * is what it always was: a pointer that counts as a reference. */
#define extent_buffer ebcache_buffer

struct fs_info {
  ebcache_filesystem* filesystem;
  ebcache_cache* cache;
  uint32_t nodesize;
};

/* ---- The filesystem ---- */

static inline int open_fs(struct fs_info* fs, const char* const* devices, size_t count) {
  const int error = ebcache_open(devices, count, NULL, &fs->filesystem);
  fs->cache = ebcache_filesystem_cache(fs->filesystem);
  fs->nodesize = ebcache_cache_node_bytes(fs->cache);
  return error;
}
static inline int close_fs(struct fs_info* fs) { return ebcache_close(fs->filesystem); }

/* ---- Finding, making, freeing ---- */

/* 0 as an answer; else NULL, with errno. */
static inline struct extent_buffer* or_errno(int error, struct extent_buffer* eb) {
  if (error != 0) errno = -error;
  return eb;
}
static inline struct extent_buffer* find_extent_buffer(struct fs_info* fs, uint64_t bytenr) {
  return ebcache_find(fs->cache, bytenr);
}
static inline struct extent_buffer* find_first_extent_buffer(struct fs_info* fs, uint64_t start) {
  return ebcache_first_at_or_after(fs->cache, start);
}
static inline struct extent_buffer* alloc_extent_buffer(struct fs_info* fs, uint64_t bytenr) {
  struct extent_buffer* eb;
  const int error = ebcache_get_or_create(fs->cache, bytenr, &eb);
  return or_errno(error, eb);
}
static inline struct extent_buffer* alloc_dummy_extent_buffer(struct fs_info* fs, uint64_t bytenr) {
  struct extent_buffer* eb;
  const int error = ebcache_dummy(fs->cache, bytenr, &eb);
  return or_errno(error, eb);
}
static inline struct extent_buffer* clone_extent_buffer(struct fs_info* fs,
                                                        const struct extent_buffer* from) {
  struct extent_buffer* eb;
  const int error = ebcache_clone(fs->cache, from, &eb);
  return or_errno(error, eb);
}
static inline void extent_buffer_get(struct extent_buffer* eb) { (void)ebcache_ref(eb); }
static inline void free_extent_buffer(struct extent_buffer* eb) { ebcache_put(eb); }
static inline void free_extent_buffer_stale(struct extent_buffer* eb) { ebcache_put_stale(eb); }
static inline void free_extent_buffer_nocache(struct extent_buffer* eb) { ebcache_put_stale(eb); }
static inline void extent_buffer_trim_cache(struct fs_info* fs) {
  (void)ebcache_drop_caches(fs->cache);
}

/* ---- Reading and writing ---- */

/* owner or transid 0, or level below 0: whatever it has. */
static inline struct ebcache_check what_parent_says(uint64_t owner, uint64_t transid, int level) {
  struct ebcache_check check = {.size = sizeof check, .owner = owner, .generation = transid};
  if (owner != 0) check.bits |= EBCACHE_CHECK_OWNER;
  if (transid != 0) check.bits |= EBCACHE_CHECK_GENERATION;
  if (level >= 0) {
    check.bits |= EBCACHE_CHECK_LEVEL;
    check.level = (uint32_t)level;
  }
  return check;
}
static inline struct extent_buffer* read_tree_block(struct fs_info* fs, uint64_t bytenr,
                                                    uint64_t owner, uint64_t transid, int level) {
  const struct ebcache_check check = what_parent_says(owner, transid, level);
  struct extent_buffer* eb;
  const int error = ebcache_read(fs->cache, bytenr, &check, &eb);
  return or_errno(error, eb);
}
/* One copy and no other; the buffer is the caller's alone. */
static inline struct extent_buffer* read_tree_block_mirror(struct fs_info* fs, uint64_t bytenr,
                                                           uint32_t mirror) {
  struct extent_buffer* eb;
  const int error = ebcache_read_mirror(fs->filesystem, bytenr, mirror, NULL, &eb);
  return or_errno(error, eb);
}
static inline int write_tree_block(struct fs_info* fs, struct extent_buffer* eb) {
  return ebcache_writeback(fs->cache, eb);
}
static inline int set_extent_buffer_uptodate(struct extent_buffer* eb) {
  return ebcache_set_uptodate(eb);
}
static inline int extent_buffer_uptodate(const struct extent_buffer* eb) {
  return (ebcache_buffer_flags(eb) & EBCACHE_BUFFER_UPTODATE) != 0;
}
static inline int set_extent_buffer_dirty(struct extent_buffer* eb) {
  return ebcache_set_dirty(eb);
}
static inline int clear_extent_buffer_dirty(struct extent_buffer* eb) {
  return ebcache_clear_dirty(eb);
}

/* ---- Bytes ---- */

static inline void read_extent_buffer(const struct extent_buffer* eb, void* to, size_t start,
                                      size_t length) {
  (void)ebcache_copy_out(eb, start, to, length);
}
static inline void write_extent_buffer(struct extent_buffer* eb, const void* from, size_t start,
                                       size_t length) {
  (void)ebcache_copy_in(eb, start, from, length);
}

/* ---- What is in a tree block ---- */

static inline struct ebcache_header tree_header(const struct extent_buffer* eb) {
  struct ebcache_header header = {.size = sizeof header};
  (void)ebcache_header(eb, &header);
  return header;
}
static inline struct ebcache_leaf_slot leaf_item(const struct extent_buffer* leaf, uint32_t slot) {
  struct ebcache_leaf_slot item = {.size = sizeof item};
  (void)ebcache_leaf_slot(leaf, slot, &item);
  return item;
}
static inline struct ebcache_node_slot node_child(const struct extent_buffer* node, uint32_t slot) {
  struct ebcache_node_slot child = {.size = sizeof child};
  (void)ebcache_node_slot(node, slot, &child);
  return child;
}

#endif
