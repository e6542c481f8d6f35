# What the library needs of others. Each is named once: it is found here, linked into galley, found again by whoever
# uses the installed library (galleyConfig.cmake), and named in galley.pc and among what libgalley-dev depends on.
#
#   galley_dependency(PACKAGE [VERSION] [COMPONENTS ...]  as find_package takes them
#     [PUBLIC]             the headers in include/galley need it; without it, only the static library does
#     TARGETS target...    what CMake links
#     PKGCONFIG name...    its .pc files, or
#     LIBS flag...         what a link by hand says where there is none
#     DEBIAN package...)   the Debian packages which such a link needs
#
# To add one: a line at the end of this file, and its target behind LIBS of the part that includes its headers
# (galley_part in CMakeLists.txt). For example:
#   galley_dependency(ZLIB TARGETS ZLIB::ZLIB PKGCONFIG zlib DEBIAN zlib1g-dev)
# and for one without a .pc file LIBS -lNAME in place of PKGCONFIG.

function(galley_dependency)
  cmake_parse_arguments(PARSE_ARGV 0 NEEDS "PUBLIC" "" "TARGETS;PKGCONFIG;LIBS;DEBIAN")
  set(package ${NEEDS_UNPARSED_ARGUMENTS})
  find_package(${package} REQUIRED)
  string(REPLACE ";" " " words "${package}")
  set_property(GLOBAL APPEND_STRING PROPERTY GALLEY_FIND_DEPENDENCIES "find_dependency(${words})\n")
  set(scope PRIVATE)
  if(NEEDS_PUBLIC)
    set(scope PUBLIC)
  endif()
  set_property(GLOBAL APPEND PROPERTY GALLEY_${scope}_TARGETS ${NEEDS_TARGETS})
  set_property(GLOBAL APPEND PROPERTY GALLEY_${scope}_PKGCONFIG ${NEEDS_PKGCONFIG})
  set_property(GLOBAL APPEND PROPERTY GALLEY_${scope}_LIBS ${NEEDS_LIBS})
  set_property(GLOBAL APPEND PROPERTY GALLEY_DEBIAN ${NEEDS_DEBIAN})
endfunction()

# galley_dependencies(PROPERTY SEPARATOR VARIABLE): what the calls above have collected, as one text.
function(galley_dependencies property separator variable)
  get_property(items GLOBAL PROPERTY GALLEY_${property})
  list(REMOVE_DUPLICATES items)
  list(JOIN items "${separator}" text)
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

galley_dependency(Threads PUBLIC TARGETS Threads::Threads LIBS -pthread)
galley_dependency(Boost 1.81 COMPONENTS json PUBLIC TARGETS Boost::headers Boost::json LIBS -lboost_json
                  DEBIAN libboost1.81-dev libboost-json1.81-dev)
galley_dependency(spdlog TARGETS spdlog::spdlog PKGCONFIG spdlog DEBIAN libspdlog-dev)
galley_dependency(SQLite3 TARGETS SQLite::SQLite3 PKGCONFIG sqlite3
                  DEBIAN libsqlite3-dev zlib1g-dev)  # sqlite3.pc asks for -lz in a static link

# Reads the debug information for the names and lines of a stack. It is no package: g++ brings it along, and clang finds
# it in the folders of the g++ that it takes its standard library from. Without it a stack has modules and offsets.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libbacktrace.a
                OUTPUT_VARIABLE galley_backtrace OUTPUT_STRIP_TRAILING_WHITESPACE)
get_filename_component(galley_backtrace_include "${galley_backtrace}/../include" ABSOLUTE)
set(GALLEY_BACKTRACE_FLAGS)
if(EXISTS "${galley_backtrace}" AND EXISTS "${galley_backtrace_include}/backtrace.h")
  set(GALLEY_BACKTRACE_FLAGS -idirafter ${galley_backtrace_include} -DGALLEY_BACKTRACE)
  set_property(GLOBAL APPEND PROPERTY GALLEY_PRIVATE_TARGETS backtrace)
  set_property(GLOBAL APPEND PROPERTY GALLEY_PRIVATE_LIBS -lbacktrace)
endif()
