/* The part of ebcache.h that has the numbers of the format: ids of trees, types of items, flags. */

#ifndef EBCACHE_C_FORMAT_H_
#define EBCACHE_C_FORMAT_H_

#include <stdint.h>

/* ---- Trees, and other object ids ------------------------------------------------------------- */
/* Subvolumes and snapshots have ids from 256 on, and files of a tree have inode numbers from 256 on:
 * that one is the tree's top directory. */

/* Id of the tree of tree roots. */
#define EBCACHE_TREE_ROOT UINT64_C(1)
/* Of the tree of extents. */
#define EBCACHE_TREE_EXTENT UINT64_C(2)
/* Of the tree of chunks and devices. */
#define EBCACHE_TREE_CHUNK UINT64_C(3)
/* Of the tree of device extents. */
#define EBCACHE_TREE_DEV UINT64_C(4)
/* Of the top-level subvolume. */
#define EBCACHE_TREE_FS UINT64_C(5)
/* Objectid of the directory in the root tree that names the default subvolume. */
#define EBCACHE_ROOT_TREE_DIRECTORY UINT64_C(6)
/* Id of the tree of data checksums. */
#define EBCACHE_TREE_CSUM UINT64_C(7)
/* Of the tree of quota groups. */
#define EBCACHE_TREE_QUOTA UINT64_C(8)
/* Of the tree of subvolumes by uuid. */
#define EBCACHE_TREE_UUID UINT64_C(9)
/* Of the tree of free space. */
#define EBCACHE_TREE_FREE_SPACE UINT64_C(10)
/* Of the tree of block groups, where they are not in that of extents. */
#define EBCACHE_TREE_BLOCK_GROUP UINT64_C(11)
/* Of the tree of data stripes. */
#define EBCACHE_TREE_RAID_STRIPE UINT64_C(12)
/* Of the trees of logs: -6. */
#define EBCACHE_TREE_LOG (UINT64_MAX - 5)
/* Of what a log leaves to be mended: -7. */
#define EBCACHE_TREE_LOG_FIXUP (UINT64_MAX - 6)
/* Of trees that are being relocated: -8. */
#define EBCACHE_TREE_RELOC (UINT64_MAX - 7)
/* Of data that is being relocated: -9. */
#define EBCACHE_TREE_DATA_RELOC (UINT64_MAX - 8)
/* Objectid of EXTENT_CSUM items: -10. */
#define EBCACHE_DATA_CHECKSUMS (UINT64_MAX - 9)
/* The first id of a subvolume, and of an inode. */
#define EBCACHE_FIRST_FREE_OBJECTID UINT64_C(256)
/* The last one: -256. */
#define EBCACHE_LAST_FREE_OBJECTID (UINT64_MAX - 255)
/* Inode number of a subvolume's top directory. */
#define EBCACHE_TOP_DIRECTORY EBCACHE_FIRST_FREE_OBJECTID
/* Objectid of CHUNK_ITEM. */
#define EBCACHE_FIRST_CHUNK_TREE UINT64_C(256)

/* Types of items: ebcache_key.type. The functions that take each apart are in items.h. */
enum ebcache_item_type {
  EBCACHE_TYPE_UNTYPED = 0,
  EBCACHE_TYPE_INODE_ITEM = 1,
  EBCACHE_TYPE_INODE_REF = 12,
  EBCACHE_TYPE_INODE_EXTREF = 13,
  EBCACHE_TYPE_XATTR_ITEM = 24,
  EBCACHE_TYPE_VERITY_DESC_ITEM = 36,
  EBCACHE_TYPE_VERITY_MERKLE_ITEM = 37,
  EBCACHE_TYPE_ORPHAN_ITEM = 48,
  EBCACHE_TYPE_DIR_LOG_ITEM = 60,
  EBCACHE_TYPE_DIR_LOG_INDEX = 72,
  EBCACHE_TYPE_DIR_ITEM = 84,
  EBCACHE_TYPE_DIR_INDEX = 96,
  EBCACHE_TYPE_EXTENT_DATA = 108,
  EBCACHE_TYPE_EXTENT_CSUM = 128,
  EBCACHE_TYPE_ROOT_ITEM = 132,
  EBCACHE_TYPE_ROOT_BACKREF = 144,
  EBCACHE_TYPE_ROOT_REF = 156,
  EBCACHE_TYPE_EXTENT_ITEM = 168,
  EBCACHE_TYPE_METADATA_ITEM = 169,
  EBCACHE_TYPE_EXTENT_OWNER_REF = 172,
  EBCACHE_TYPE_TREE_BLOCK_REF = 176,
  EBCACHE_TYPE_EXTENT_DATA_REF = 178,
  EBCACHE_TYPE_SHARED_BLOCK_REF = 182,
  EBCACHE_TYPE_SHARED_DATA_REF = 184,
  EBCACHE_TYPE_BLOCK_GROUP_ITEM = 192,
  EBCACHE_TYPE_FREE_SPACE_INFO = 198,
  EBCACHE_TYPE_FREE_SPACE_EXTENT = 199,
  EBCACHE_TYPE_FREE_SPACE_BITMAP = 200,
  EBCACHE_TYPE_DEV_EXTENT = 204,
  EBCACHE_TYPE_DEV_ITEM = 216,
  EBCACHE_TYPE_CHUNK_ITEM = 228,
  EBCACHE_TYPE_RAID_STRIPE = 230,
  EBCACHE_TYPE_IDENTITY_REMAP = 234,
  EBCACHE_TYPE_REMAP = 235,
  EBCACHE_TYPE_REMAP_BACKREF = 236,
  EBCACHE_TYPE_QGROUP_STATUS = 240,
  EBCACHE_TYPE_QGROUP_INFO = 242,
  EBCACHE_TYPE_QGROUP_LIMIT = 244,
  EBCACHE_TYPE_QGROUP_RELATION = 246,
  EBCACHE_TYPE_TEMPORARY_ITEM = 248,
  EBCACHE_TYPE_PERSISTENT_ITEM = 249,
  EBCACHE_TYPE_DEV_REPLACE = 250,
  EBCACHE_TYPE_UUID_SUBVOL = 251,
  EBCACHE_TYPE_UUID_RECEIVED_SUBVOL = 252,
  EBCACHE_TYPE_STRING_ITEM = 253,
};

/* ---- Flags and kinds ------------------------------------------------------------------------- */

/* ebcache_dir_entry.type. */
enum ebcache_file_type {
  EBCACHE_FILE_UNKNOWN = 0,
  EBCACHE_FILE_REGULAR = 1,
  EBCACHE_FILE_DIRECTORY = 2,
  EBCACHE_FILE_CHARACTER_DEVICE = 3,
  EBCACHE_FILE_BLOCK_DEVICE = 4,
  EBCACHE_FILE_FIFO = 5,
  EBCACHE_FILE_SOCKET = 6,
  EBCACHE_FILE_SYMLINK = 7,
  EBCACHE_FILE_XATTR = 8,
  EBCACHE_FILE_ENCRYPTED = 0x80, /* a bit: the name is encrypted */
};

/* ebcache_file_extent.type and .compression. */
enum ebcache_file_extent_type {
  EBCACHE_FILE_EXTENT_INLINE = 0,
  EBCACHE_FILE_EXTENT_REGULAR = 1,
  EBCACHE_FILE_EXTENT_PREALLOCATED = 2,
};
/* How the bytes of an extent are compressed. */
enum ebcache_compression {
  EBCACHE_COMPRESSION_NONE = 0,
  EBCACHE_COMPRESSION_ZLIB = 1,
  EBCACHE_COMPRESSION_LZO = 2,
  EBCACHE_COMPRESSION_ZSTD = 3,
};

/* Of ebcache_root_item.flags: a read-only subvolume. */
#define EBCACHE_ROOT_READ_ONLY UINT64_C(1)
/* Of the same: is being deleted. */
#define EBCACHE_ROOT_DEAD (UINT64_C(1) << 48)
/* Of ebcache_extent_item.flags: data. */
#define EBCACHE_EXTENT_DATA UINT64_C(1)
/* Of the same: a block of a tree. */
#define EBCACHE_EXTENT_TREE_BLOCK UINT64_C(2)
/* Of the same: what the block refers to, refers back by its address. */
#define EBCACHE_EXTENT_FULL_BACKREF (UINT64_C(1) << 8)
/* Of the types of chunks and block groups: data. */
#define EBCACHE_BLOCK_GROUP_DATA UINT64_C(1)
/* Of the same: the chunk tree. */
#define EBCACHE_BLOCK_GROUP_SYSTEM UINT64_C(2)
/* Of the same: all other trees. */
#define EBCACHE_BLOCK_GROUP_METADATA UINT64_C(4)
/* Of ebcache_free_space_info.flags. */
#define EBCACHE_FREE_SPACE_USES_BITMAPS UINT64_C(1)

#endif /* EBCACHE_C_FORMAT_H_ */
