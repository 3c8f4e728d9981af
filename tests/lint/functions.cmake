# The build's own vocabulary: one static library a folder, one program a main.cpp.

# The headers that nearly all files include, parsed once: about 1 s of the 1 to 4 s that a file takes. Only standard ones and common/core,
# so that the pure folders still see nothing else; SLIPWAY_PCH=OFF shows who forgot an #include.
set(slipway_core_headers [["common/core/ip.hpp"]] [["common/core/result.hpp"]] [["common/core/secret.hpp"]] [["common/core/text.hpp"]]
    [["common/core/time.hpp"]])
function(slipway_standard_headers)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/standard_headers.cpp CONTENT "" @ONLY)
  add_library(slipway_standard_headers OBJECT ${CMAKE_BINARY_DIR}/generated/standard_headers.cpp)
  target_link_libraries(slipway_standard_headers PRIVATE slipway_flags)
  target_precompile_headers(slipway_standard_headers PRIVATE <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <optional>
    <set> <string> <string_view> <utility> <variant> <vector> ${slipway_core_headers})
endfunction()
function(slipway_precompiled target)
  if(SLIPWAY_PCH)
    target_precompile_headers(${target} REUSE_FROM slipway_standard_headers)
  endif()
endfunction()

# slipway_library(LIBS a b ... [PRIVATE_LIBS c d ...])
# Makes the static library of the current folder: common/http -> slipway_common_http, alias slipway::common_http.
function(slipway_library)
  cmake_parse_arguments(ARG "" "" "LIBS;PRIVATE_LIBS;EXCLUDE" ${ARGN})
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(pattern main.cpp ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX "/${pattern}$")
  endforeach()
  if(sources)
    add_library(slipway_${name} STATIC ${sources})
    target_link_libraries(slipway_${name} PUBLIC slipway_flags ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS})
    slipway_precompiled(slipway_${name})
  else()
    add_library(slipway_${name} INTERFACE)
    target_link_libraries(slipway_${name} INTERFACE slipway_flags ${ARG_LIBS})
  endif()
  add_library(slipway::${name} ALIAS slipway_${name})
  set_property(GLOBAL APPEND PROPERTY SLIPWAY_LIBRARIES slipway::${name})
endfunction()

# slipway_program(slipwayctl LIBS ...): the program made from main.cpp of the current folder, installed in bin.
function(slipway_program name)
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  add_executable(${name} main.cpp)
  if(SLIPWAY_PORTABLE)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/common/portable/arc4random.cpp)
  endif()
  target_link_libraries(${name} PRIVATE slipway_flags ${ARG_LIBS})
  slipway_precompiled(${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# slipway_add_folders(top ...): every folder below `top` that has a CMakeLists.txt.
# Folders may name libraries of folders that come later: CMake links by name.
function(slipway_add_folders)
  foreach(top ${ARGN})
    file(GLOB_RECURSE lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${top}/CMakeLists.txt)
    foreach(list ${lists})
      get_filename_component(folder ${list} DIRECTORY)
      add_subdirectory(${folder})
    endforeach()
  endforeach()
endfunction()
