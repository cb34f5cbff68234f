# One static library a folder of runtime/ and one test executable a folder of tests/.
# scripts/layers.txt says which layer may use which; only those are linked, so a forbidden use of
# another layer's code fails at link time too.

# The third-party libraries of each layer; nobody else gets to see their headers.
set(mlrt_third_party_core dep_yaml dep_zlib dep_mbedcrypto)
set(mlrt_third_party_net dep_httplib)
set(mlrt_third_party_bundle dep_zlib dep_mbedcrypto)
set(mlrt_third_party_store dep_sqlite)
set(mlrt_third_party_lua dep_lua)
set(mlrt_third_party_cli dep_cli11)

# Layers whose time is spent in a library, a disk or a network: smaller code, so that the executable stays
# within four megabytes.
set(mlrt_small_layers api bundle cli core data lua net registry server store tracking)
# But for what each logged metric goes through.
set_source_files_properties(
  ${PROJECT_SOURCE_DIR}/runtime/server/rest_document.cpp
  ${PROJECT_SOURCE_DIR}/runtime/server/rest_logging.cpp
  ${PROJECT_SOURCE_DIR}/runtime/tracking/metric_blocks.cpp
  ${PROJECT_SOURCE_DIR}/runtime/tracking/metric_folder.cpp
  ${PROJECT_SOURCE_DIR}/runtime/tracking/metric_journal.cpp
  ${PROJECT_SOURCE_DIR}/runtime/tracking/metric_journal_thread.cpp
  ${PROJECT_SOURCE_DIR}/runtime/tracking/metric_slots.cpp
  ${PROJECT_SOURCE_DIR}/runtime/tracking/run_metrics.cpp
  PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O2>)
# And of the layers that compute, what reads descriptions of models.
set_source_files_properties(
  ${PROJECT_SOURCE_DIR}/runtime/model/flavors.cpp
  ${PROJECT_SOURCE_DIR}/runtime/model/signature.cpp
  PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/scripts/layers.txt)
# Globbed over all folders at once, so that the first file of a new folder is noticed too.
file(GLOB mlrt_runtime_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/*/*.cpp)
file(GLOB mlrt_test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/*_test.cpp)
file(GLOB_RECURSE mlrt_stdlib_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/stdlib/*.lua)

add_custom_target(mlrt_tests)
file(STRINGS ${PROJECT_SOURCE_DIR}/scripts/layers.txt mlrt_layer_lines REGEX "^[a-z]")
foreach(line IN LISTS mlrt_layer_lines)
  if(NOT line MATCHES "^([a-z_]+):[ \t]*([a-z_ \t]*)(#.*)?$")
    message(FATAL_ERROR "scripts/layers.txt: '${line}' is not 'layer: layer layer ...'")
  endif()
  set(layer ${CMAKE_MATCH_1})
  string(REGEX MATCHALL "[a-z_]+" below "${CMAKE_MATCH_2}")

  set(sources ${mlrt_runtime_sources})
  list(FILTER sources INCLUDE REGEX "^${PROJECT_SOURCE_DIR}/runtime/${layer}/")
  # main.cpp belongs to the executable, so that the tests can link the rest of cli.
  list(FILTER sources EXCLUDE REGEX "/runtime/cli/main\\.cpp$")
  if(layer STREQUAL "lua" AND sources)
    set(embedded ${PROJECT_BINARY_DIR}/generated/embedded_stdlib.cpp)
    add_custom_command(
      OUTPUT ${embedded}
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/embed --out ${embedded}
      DEPENDS ${PROJECT_SOURCE_DIR}/scripts/embed ${mlrt_stdlib_files}
      COMMENT "Embedding stdlib")
    list(APPEND sources ${embedded})
  endif()
  if(layer STREQUAL "cli" AND sources)
    set(embedded ${PROJECT_BINARY_DIR}/generated/type_stubs.cpp)
    add_custom_command(
      OUTPUT ${embedded}
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/embed --types --out ${embedded}
      DEPENDS ${PROJECT_SOURCE_DIR}/scripts/embed ${mlrt_stdlib_files}
      COMMENT "Embedding the stubs for editors")
    list(APPEND sources ${embedded})
  endif()
  if(NOT sources)
    continue()
  endif()

  add_library(mlrt_${layer} STATIC ${sources})
  target_include_directories(mlrt_${layer} PUBLIC ${PROJECT_SOURCE_DIR}/runtime)
  target_compile_options(mlrt_${layer} PRIVATE ${mlrt_lto_options})
  target_link_libraries(mlrt_${layer} PUBLIC dep_json Threads::Threads
    PRIVATE mlrt_warnings ${mlrt_third_party_${layer}})
  if(layer IN_LIST mlrt_small_layers AND NOT MLRT_SANITIZE)
    target_compile_options(mlrt_${layer} PRIVATE $<$<CONFIG:Release>:-Os>)
  endif()
  foreach(dep IN LISTS below)
    if(TARGET mlrt_${dep})
      target_link_libraries(mlrt_${layer} PUBLIC mlrt_${dep})
    endif()
  endforeach()

  set(sources ${mlrt_test_sources})
  list(FILTER sources INCLUDE REGEX "^${PROJECT_SOURCE_DIR}/tests/${layer}/")
  if(BUILD_TESTING AND sources)
    add_executable(test_${layer} ${sources} $<TARGET_OBJECTS:mlrt_test_main>)
    target_include_directories(test_${layer} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(test_${layer} PRIVATE mlrt_${layer} ${mlrt_third_party_${layer}}
      dep_doctest mlrt_warnings)
    # Where fixtures and the executable under test are.
    target_compile_definitions(test_${layer} PRIVATE
      MLRT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MLRT_BINARY_DIR="${PROJECT_BINARY_DIR}")
    add_test(NAME ${layer} COMMAND test_${layer})
    add_dependencies(mlrt_tests test_${layer})
  endif()
endforeach()
