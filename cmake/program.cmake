# The program ebcache, with the static library in it: it uses the C++ functions, which no shared one has.
find_package(CLI11 REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)

set(_schemas "${CMAKE_CURRENT_BINARY_DIR}/schemas")
file(GLOB _json CONFIGURE_DEPENDS docs/schema/*.json)
add_custom_command(
  OUTPUT ${_schemas}/tools/json_schemas.h
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${_schemas}/tools/json_schemas.h
          -DSCHEMAS=${CMAKE_CURRENT_SOURCE_DIR}/docs/schema
          -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/json_schemas.cmake
  DEPENDS ${_json} cmake/json_schemas.cmake
  VERBATIM)

add_executable(ebcache_program ${EBCACHE_PROGRAM_SOURCES} ${_schemas}/tools/json_schemas.h)
set_target_properties(ebcache_program PROPERTIES OUTPUT_NAME ebcache)
target_include_directories(ebcache_program PRIVATE . ${_schemas})
target_link_libraries(ebcache_program PRIVATE ebcache_static CLI11::CLI11 nlohmann_json::nlohmann_json)
if(EBCACHE_PROGRAM_MIMALLOC)
  find_package(mimalloc QUIET CONFIG)
  if(TARGET mimalloc)
    target_link_libraries(ebcache_program PRIVATE mimalloc)
  endif()
endif()
