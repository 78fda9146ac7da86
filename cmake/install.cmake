# The same files in the same places as package/install.sh has them; tests/package holds the two together.
# Components: core, core-dev, full, dev, program, licence.

# The way from the libraries to the prefix, for what is to be moved with it. An absolute directory of
# libraries has none: then what is installed stays where it is.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR is to be relative to the prefix: ${CMAKE_INSTALL_LIBDIR}")
endif()
string(REGEX REPLACE "[^/]+" ".." LIBDIR_TO_PREFIX "${CMAKE_INSTALL_LIBDIR}")
set(PC_PREFIX "\${pcfiledir}/${LIBDIR_TO_PREFIX}/..")
set(PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
set(PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
set(VERSION ${PROJECT_VERSION})
set(MAJOR ${PROJECT_VERSION_MAJOR})
set(_pkgconfig "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(_package "${CMAKE_CURRENT_BINARY_DIR}/package")
set(_doc "${CMAKE_INSTALL_DATADIR}/doc/ebcache")

function(_ebcache_install_headers component)
  foreach(header IN LISTS ARGN)
    get_filename_component(directory "${header}" DIRECTORY)
    string(REGEX REPLACE "^include" "${CMAKE_INSTALL_INCLUDEDIR}" directory "${directory}")
    install(FILES "${header}" DESTINATION "${directory}" COMPONENT ${component})
  endforeach()
endfunction()

configure_file(package/ebcache-core.pc.in ${_package}/ebcache-core.pc @ONLY)
install(FILES ${_package}/ebcache-core.pc DESTINATION ${_pkgconfig} COMPONENT core-dev)
install(TARGETS ebcache_core
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT core NAMELINK_COMPONENT core-dev)
install(TARGETS ebcache_core_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT core-dev)
_ebcache_install_headers(core-dev ${EBCACHE_CORE_C_HEADERS})
install(FILES LICENSE DESTINATION ${_doc} COMPONENT licence)

if(EBCACHE_FULL)
  list(JOIN EBCACHE_NEEDS_LDFLAGS " " LIBS)
  list(JOIN EBCACHE_NEEDS_STATIC_LDFLAGS " " PRIVATE_LIBS)
  string(APPEND LIBS " -ldl")
  string(REPLACE " " ";" LIBS_LIST "${LIBS}")
  foreach(name ebcache ebcache-static)
    configure_file(package/${name}.pc.in ${_package}/${name}.pc @ONLY)
    install(FILES ${_package}/${name}.pc DESTINATION ${_pkgconfig} COMPONENT dev)
  endforeach()
  install(TARGETS ebcache
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT full NAMELINK_COMPONENT dev)
  install(TARGETS ebcache_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  _ebcache_install_headers(dev ${EBCACHE_HEADERS})
endif()

foreach(file ebcacheConfig.cmake ebcacheConfigVersion.cmake)
  configure_file(package/${file}.in ${_package}/${file} @ONLY)
  install(FILES ${_package}/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ebcache COMPONENT core-dev)
endforeach()

if(TARGET ebcache_program)
  install(TARGETS ebcache_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
  install(FILES package/completion.bash RENAME ebcache
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
  install(DIRECTORY docs/schema/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ebcache/schema COMPONENT program
    FILES_MATCHING PATTERN "*.json")
  install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT program
    FILES_MATCHING PATTERN "*.8")
endif()
