# The tests of the C face that are C and ask for nothing else. All others are Bazel's.
set(_core_tests buffer_test cache_test port_test reentrant_test structs_test threads_test)
# Those of filesystems make one.
set(_full_tests allocator_test damage_test errors_test filesystem_test hostile_calls_test preview_test
  session_test transaction_test tree_test)
find_program(EBCACHE_MKFS_BTRFS mkfs.btrfs PATHS /usr/sbin /sbin)

function(_ebcache_test name library)
  add_executable(${name}_of_${library} tests/capi/${name}.c ${ARGN})
  target_include_directories(${name}_of_${library} PRIVATE .)
  target_compile_definitions(${name}_of_${library} PRIVATE _GNU_SOURCE)
  target_link_libraries(${name}_of_${library} PRIVATE ebcache::${library})
  add_test(NAME ${library}/${name} COMMAND ${name}_of_${library})
  # Each has files of its own: they run side by side.
  set(scratch "${CMAKE_CURRENT_BINARY_DIR}/tests/${library}/${name}")
  file(MAKE_DIRECTORY "${scratch}")
  set_tests_properties(${library}/${name} PROPERTIES ENVIRONMENT "TEST_TMPDIR=${scratch}")
endfunction()

foreach(name IN LISTS _core_tests)
  _ebcache_test(${name} core tests/capi/memory_source.c tests/capi/counting_allocator.c)
  _ebcache_test(${name} core-static tests/capi/memory_source.c tests/capi/counting_allocator.c)
endforeach()
if(EBCACHE_FULL AND NOT EBCACHE_MKFS_BTRFS)
  message(WARNING "No mkfs.btrfs: the tests of filesystems are left out: ${_full_tests}")
  set(_full_tests "")
endif()
if(EBCACHE_FULL)
  foreach(name IN LISTS _core_tests _full_tests)
    _ebcache_test(${name} ebcache tests/capi/memory_source.c tests/capi/counting_allocator.c
      tests/capi/sample_image.c tests/capi/sample_item.c tests/capi/written_device.c)
  endforeach()
endif()
