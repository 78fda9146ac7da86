# libebcache, shared and static.
find_package(PkgConfig REQUIRED)
pkg_check_modules(EBCACHE_NEEDS REQUIRED IMPORTED_TARGET
  absl_statusor absl_status absl_cord absl_strings absl_str_format absl_inlined_vector absl_cleanup
  absl_function_ref absl_span absl_optional
  libgcrypt libisal libxxhash liburing)

add_library(ebcache_objects OBJECT
  ${EBCACHE_BASE_SOURCES} ${EBCACHE_MM_SOURCES} ${EBCACHE_FORMAT_SOURCES} ${EBCACHE_DEVICE_SOURCES}
  ${EBCACHE_CACHE_SOURCES} ${EBCACHE_VOLUME_SOURCES} ${EBCACHE_TREE_SOURCES} ${EBCACHE_SPACE_SOURCES}
  ${EBCACHE_FS_SOURCES} ${EBCACHE_TXN_SOURCES} ${EBCACHE_CAPI_SOURCES})
target_include_directories(ebcache_objects PRIVATE include .)
target_link_libraries(ebcache_objects PRIVATE PkgConfig::EBCACHE_NEEDS)
set_target_properties(ebcache_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)

add_library(ebcache_static STATIC "$<TARGET_OBJECTS:ebcache_objects>")
add_library(ebcache::static ALIAS ebcache_static)
set_target_properties(ebcache_static PROPERTIES OUTPUT_NAME ebcache LINKER_LANGUAGE CXX)
target_include_directories(ebcache_static INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/include")
target_compile_features(ebcache_static INTERFACE cxx_std_20)
target_link_libraries(ebcache_static INTERFACE PkgConfig::EBCACHE_NEEDS ${CMAKE_DL_LIBS} stdc++ m)

add_library(ebcache SHARED "$<TARGET_OBJECTS:ebcache_objects>")
add_library(ebcache::ebcache ALIAS ebcache)
set_target_properties(ebcache PROPERTIES
  LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/package/ebcache.map")
target_include_directories(ebcache INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/include")
target_link_libraries(ebcache PRIVATE PkgConfig::EBCACHE_NEEDS ${CMAKE_DL_LIBS})
target_link_options(ebcache PRIVATE
  "LINKER:--version-script,${CMAKE_CURRENT_SOURCE_DIR}/package/ebcache.map"
  LINKER:--no-undefined LINKER:-z,relro,-z,now LINKER:--as-needed)
