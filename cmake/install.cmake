# cmake --install: the library for other projects (component development) and the program for people (program).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(GALLEY_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/galley)

# --- development: find_package(galley) and pkg-config

install(TARGETS galley EXPORT galleyTargets ARCHIVE COMPONENT development)
install(EXPORT galleyTargets NAMESPACE galley:: DESTINATION ${GALLEY_CMAKE_DIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/galley DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN *.hpp)

galley_dependencies(FIND_DEPENDENCIES "" GALLEY_FIND)  # a line each
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/galleyConfig.cmake.in ${PROJECT_BINARY_DIR}/galleyConfig.cmake
                              INSTALL_DESTINATION ${GALLEY_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/galleyConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/galleyConfig.cmake ${PROJECT_BINARY_DIR}/galleyConfigVersion.cmake
        DESTINATION ${GALLEY_CMAKE_DIR} COMPONENT development)

galley_dependencies(PUBLIC_PKGCONFIG " " GALLEY_PC_REQUIRES)
galley_dependencies(PRIVATE_PKGCONFIG " " GALLEY_PC_REQUIRES_PRIVATE)
galley_dependencies(PUBLIC_LIBS " " GALLEY_PC_LIBS)
galley_dependencies(PRIVATE_LIBS " " GALLEY_PC_LIBS_PRIVATE)
# The file finds itself, so that the prefix may be chosen when it is installed, and moved.
file(RELATIVE_PATH GALLEY_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" GALLEY_PC_PREFIX ${GALLEY_PC_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/packaging/galley.pc.in ${PROJECT_BINARY_DIR}/galley.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/galley.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# --- program: with its manual pages and its completion, both made from the table of --help

file(GLOB docs_sources CONFIGURE_DEPENDS apps/galley_docs/*.cpp)
add_executable(galley_docs ${docs_sources})
target_include_directories(galley_docs PRIVATE ${PROJECT_SOURCE_DIR}/apps)
target_link_libraries(galley_docs PRIVATE galley_flags galley_cli CLI11::CLI11)
galley_unite(galley_docs)

find_program(GZIP_PROGRAM gzip REQUIRED)
set(docs_folder ${PROJECT_BINARY_DIR}/docs)
add_custom_command(
  OUTPUT ${docs_folder}/stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${docs_folder}  # the pages of commands that are no more
  COMMAND galley_docs ${docs_folder}
  COMMAND ${GZIP_PROGRAM} -9nr ${docs_folder}/man
  COMMAND ${CMAKE_COMMAND} -E touch ${docs_folder}/stamp
  DEPENDS galley_docs
  COMMENT "Writing the manual pages and the completion"
  VERBATIM)
add_custom_target(galley_documents ALL DEPENDS ${docs_folder}/stamp)

install(TARGETS galley_program RUNTIME COMPONENT program)
install(DIRECTORY ${docs_folder}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${docs_folder}/galley.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME galley
        COMPONENT program)
file(GLOB service_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/*.service)
install(FILES ${service_files} DESTINATION lib/systemd/system COMPONENT program)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/galley.sysusers DESTINATION lib/sysusers.d RENAME galley.conf
        COMPONENT program)
