# The unit tests against single_include/mlrt.hpp in place of runtime/ (-DMLRT_SINGLE_HEADER=ON).
# Each header of runtime/ becomes a shim that includes the single header, so the tests are the same files.

set(MLRT_SINGLE_DIR ${PROJECT_SOURCE_DIR}/single_include)
set(shims ${PROJECT_BINARY_DIR}/shims)
file(GLOB mlrt_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/*/*.hpp)
foreach(header IN LISTS mlrt_headers)
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/runtime ${header})
  file(CONFIGURE OUTPUT ${shims}/${name} CONTENT "#include <mlrt.hpp>\n")  # <>: api/mlrt.hpp is one of them
endforeach()

add_library(mlrt_single INTERFACE)
target_include_directories(mlrt_single INTERFACE ${MLRT_SINGLE_DIR} ${shims})
target_compile_definitions(mlrt_single INTERFACE
  MLRT_EXPOSE_INTERNALS MLRT_WITH_SERVER MLRT_WITH_LUA MLRT_LUA_IS_CPP)
# What is tested here is that the merged text works; -O0 halves the time to compile it so often.
target_compile_options(mlrt_single INTERFACE -O0 -U_FORTIFY_SOURCE)
target_link_libraries(mlrt_single INTERFACE dep_json dep_yaml dep_zlib dep_mbedcrypto dep_sqlite
  dep_httplib dep_lua Threads::Threads)

file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/single/implementation.cpp
  CONTENT "#define MLRT_IMPLEMENTATION\n#include \"mlrt.hpp\"\n")
add_library(mlrt_single_implementation STATIC ${PROJECT_BINARY_DIR}/single/implementation.cpp)
target_link_libraries(mlrt_single_implementation PRIVATE mlrt_single mlrt_warnings)

add_custom_target(mlrt_tests)
file(STRINGS ${PROJECT_SOURCE_DIR}/scripts/layers.txt mlrt_layer_lines REGEX "^[a-z]")
foreach(line IN LISTS mlrt_layer_lines)
  string(REGEX REPLACE ":.*" "" layer "${line}")
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${layer}/*_test.cpp)
  if(layer STREQUAL "cli" OR NOT sources)
    continue()
  endif()
  add_executable(test_${layer} ${sources} $<TARGET_OBJECTS:mlrt_test_main>)
  target_include_directories(test_${layer} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${layer} PRIVATE mlrt_single mlrt_single_implementation dep_doctest)
  target_compile_definitions(test_${layer} PRIVATE
    MLRT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MLRT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${layer} COMMAND test_${layer})
  add_dependencies(mlrt_tests test_${layer})
endforeach()
