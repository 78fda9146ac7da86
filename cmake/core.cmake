# libebcache-core, shared and static, out of one object in which only the functions of the C face have names:
# by the commands of core/one_object.bzl.
add_library(ebcache_core_objects OBJECT
  ${EBCACHE_BASE_SOURCES} ${EBCACHE_MM_SOURCES} ${EBCACHE_CACHE_SOURCES} ${EBCACHE_CORE_CAPI_SOURCES})
# core/absl stands in front of whatever Abseil the system has.
target_include_directories(ebcache_core_objects BEFORE PRIVATE core include .)
set_target_properties(ebcache_core_objects PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  CXX_VISIBILITY_PRESET hidden
  VISIBILITY_INLINES_HIDDEN ON
  INTERPROCEDURAL_OPTIMIZATION OFF)
target_compile_options(ebcache_core_objects PRIVATE
  # `ld -r` below wants machine code.
  -fno-gnu-unique -fno-lto -ffunction-sections -fdata-sections)

set(_core "${CMAKE_CURRENT_BINARY_DIR}/ebcache-core")
add_custom_command(
  OUTPUT ${_core}.o
  COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${_core}.all.o
          "$<TARGET_OBJECTS:ebcache_core_objects>"
  COMMAND ${CMAKE_OBJCOPY} --wildcard "--keep-global-symbol=ebcache_*" ${_core}.all.o ${_core}.o
  COMMAND ${CMAKE_COMMAND} -E rm ${_core}.all.o
  DEPENDS ebcache_core_objects "$<TARGET_OBJECTS:ebcache_core_objects>"
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(ebcache_core_object DEPENDS ${_core}.o)
set_source_files_properties(${_core}.o PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

add_library(ebcache_core_static STATIC ${_core}.o)
add_library(ebcache::core-static ALIAS ebcache_core_static)
add_library(ebcache_core SHARED ${_core}.o)
add_library(ebcache::core ALIAS ebcache_core)
foreach(target ebcache_core_static ebcache_core)
  add_dependencies(${target} ebcache_core_object)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ebcache-core LINKER_LANGUAGE CXX)
  target_include_directories(${target} INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/include")
endforeach()
# Projects of C alone link it by their own compiler.
target_link_libraries(ebcache_core_static INTERFACE stdc++ m)
set_target_properties(ebcache_core PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/core/ebcache_core.map")
target_link_options(ebcache_core PRIVATE
  "LINKER:--version-script,${CMAKE_CURRENT_SOURCE_DIR}/core/ebcache_core.map"
  LINKER:--no-undefined LINKER:-z,relro,-z,now LINKER:--as-needed LINKER:--gc-sections LINKER:-O1)
if(EBCACHE_CORE_OWN_LIBSTDCXX)
  target_link_options(ebcache_core PRIVATE -static-libstdc++ -static-libgcc)
endif()
