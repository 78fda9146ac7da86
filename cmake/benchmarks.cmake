# What the C face costs, and the cache beside others. docs/performance.md has the figures.
find_package(benchmark REQUIRED CONFIG)

function(_ebcache_benchmark name)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE .)
  target_link_libraries(${name} PRIVATE ebcache_static benchmark::benchmark ${CMAKE_DL_LIBS})
endfunction()

_ebcache_benchmark(capi_bench bench/capi_bench.cc)
_ebcache_benchmark(cache_bench
  bench/cache/cache_bench.cc bench/cache/block_sequence.cc bench/cache/contenders.cc
  bench/cache/ebcache_contender.cc bench/cache/floors.cc bench/cache/locked_map_contender.cc
  bench/cache/memory_per_block.cc bench/cache/system_heap.cc bench/cache/tree_and_list_contender.cc
  bench/region/node_moves.cc)
if(EBCACHE_BENCHMARK_PEERS)
  find_package(RocksDB REQUIRED CONFIG)
  find_package(TBB REQUIRED CONFIG)
  target_sources(cache_bench PRIVATE bench/cache/rocksdb_contender.cc bench/cache/tbb_contender.cc)
  target_compile_definitions(cache_bench PRIVATE EBCACHE_BENCH_PEERS)
  target_link_libraries(cache_bench PRIVATE RocksDB::rocksdb-shared TBB::tbb)
endif()
