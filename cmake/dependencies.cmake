# The third-party libraries as targets dep_<name>, each with the flags that we want and why.
# By default all are built from the pinned sources that scripts/deps puts into its cache.

option(MLRT_SYSTEM_DEPS "Use the system's packages where they are new enough" OFF)

# Fetches the pinned sources (once a configuration; nothing to do when the cache has them) and sets
# MLRT_DEP_<NAME>_DIR and _VERSION. A macro, so that the variables are the caller's.
macro(mlrt_need_pinned)
  if(NOT mlrt_deps_file)
    execute_process(
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/deps --cmake
      OUTPUT_VARIABLE mlrt_deps_file OUTPUT_STRIP_TRAILING_WHITESPACE
      RESULT_VARIABLE mlrt_deps_result)
    if(NOT mlrt_deps_result EQUAL 0)
      message(FATAL_ERROR "scripts/deps could not provide the dependencies: see its message above")
    endif()
    include(${mlrt_deps_file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
      ${PROJECT_SOURCE_DIR}/scripts/deps.lock ${mlrt_deps_file})
  endif()
endmacro()

# A static library of third-party code: headers are system headers, its warnings are not ours.
function(mlrt_add_dep name include_dir)
  add_library(dep_${name} STATIC ${ARGN})
  target_include_directories(dep_${name} SYSTEM PUBLIC ${include_dir})
  target_compile_options(dep_${name} PRIVATE -w)
  if(NOT MLRT_SANITIZE)
    # No exception passes through C code, so it needs no tables to unwind it: 80 KB less.
    target_compile_options(dep_${name} PRIVATE
      $<$<COMPILE_LANG_AND_ID:C,GNU,Clang>:-fno-asynchronous-unwind-tables>)
  endif()
endfunction()

function(mlrt_add_header_dep name include_dir)
  add_library(dep_${name} INTERFACE)
  target_include_directories(dep_${name} SYSTEM INTERFACE ${include_dir})
endfunction()

# With MLRT_SYSTEM_DEPS: makes dep_<name> from a system library if a program that uses it compiles
# and links, its own #error telling a version that is too old. Sets mlrt_have_system.
function(mlrt_try_system name libraries definitions code)
  set(mlrt_have_system FALSE PARENT_SCOPE)
  if(NOT MLRT_SYSTEM_DEPS)
    return()
  endif()
  set(CMAKE_REQUIRED_LIBRARIES ${libraries} Threads::Threads)
  set(CMAKE_REQUIRED_QUIET TRUE)
  set(include_dirs ${ARGN})
  set(CMAKE_REQUIRED_INCLUDES ${include_dirs})
  check_cxx_source_compiles("${code}" MLRT_SYSTEM_${name})
  if(NOT MLRT_SYSTEM_${name})
    message(STATUS "${name}: the system's is absent or too old, using the pinned one")
    return()
  endif()
  message(STATUS "${name}: using the system's")
  add_library(dep_${name} INTERFACE)
  target_link_libraries(dep_${name} INTERFACE ${libraries})
  target_compile_definitions(dep_${name} INTERFACE ${definitions})
  target_include_directories(dep_${name} SYSTEM INTERFACE ${include_dirs})
  set(mlrt_have_system TRUE PARENT_SCOPE)
endfunction()

# ---- Lua ------------------------------------------------------------------------------------
# Compiled as C++, so that an error is an exception and runs destructors. Include "lua.h" as it is,
# never "lua.hpp", which declares C names. A system's library must have been built the same way.
mlrt_try_system(lua "lua5.4-c++" "" "
  #include <lua.h>
  #if LUA_VERSION_NUM != 504 || LUA_VERSION_RELEASE_NUM < 50406
  #error too old
  #endif
  int main() { return lua_gettop(nullptr); }" /usr/include/lua5.4)
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  file(GLOB mlrt_lua_sources ${MLRT_DEP_LUA_DIR}/src/*.c)
  list(FILTER mlrt_lua_sources EXCLUDE REGEX "/(lua|luac)\\.c$")
  set_source_files_properties(${mlrt_lua_sources} PROPERTIES LANGUAGE CXX)
  mlrt_add_dep(lua ${MLRT_DEP_LUA_DIR}/src ${mlrt_lua_sources})
  # POSIX: mkstemp for os.tmpname and the thread-safe gmtime_r. Not LUA_USE_LINUX, which adds
  # LUA_USE_DLOPEN: a script loads no C modules, what is on a machine must not change its meaning.
  target_compile_definitions(dep_lua PRIVATE LUA_USE_POSIX)
  if(MLRT_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    # Checks each use of the C API (stack space, argument kinds) and aborts at a wrong one.
    target_compile_definitions(dep_lua PUBLIC LUA_USE_APICHECK)
  endif()
endif()

# ---- SQLite ---------------------------------------------------------------------------------
mlrt_try_system(sqlite sqlite3 "" "
  #include <sqlite3.h>
  #if SQLITE_VERSION_NUMBER < 3051003
  #error too old
  #endif
  int main() { return sqlite3_libversion_number(); }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  mlrt_add_dep(sqlite ${MLRT_DEP_SQLITE_DIR} ${MLRT_DEP_SQLITE_DIR}/sqlite3.c)
  target_compile_definitions(dep_sqlite PRIVATE
    # A misspelt column in double quotes is an error, not silently a string.
    SQLITE_DQS=0
    # Each connection is used under a mutex of ours, so its own would lock twice; the library's
    # shared state stays guarded.
    SQLITE_THREADSAFE=2
    # No memory statistics: they take a global lock at each allocation.
    SQLITE_DEFAULT_MEMSTATUS=0
    # In WAL mode NORMAL: a crash of the program loses nothing and the file stays sound. Where a
    # loss of power must lose nothing either, the store sets synchronous itself.
    SQLITE_DEFAULT_WAL_SYNCHRONOUS=1
    # Every connection is held to its foreign keys, also one that forgets the pragma.
    SQLITE_DEFAULT_FOREIGN_KEYS=1
    # A schema from elsewhere (an opened or merged store) can call no function with side effects.
    SQLITE_TRUSTED_SCHEMA=0
    # Never loads code from a file; a shared cache and deprecated calls are not used.
    SQLITE_OMIT_LOAD_EXTENSION
    SQLITE_OMIT_SHARED_CACHE
    SQLITE_OMIT_DEPRECATED
    # Nor are these: less code.
    SQLITE_OMIT_UTF16
    SQLITE_OMIT_DESERIALIZE
    SQLITE_OMIT_GET_TABLE
    SQLITE_OMIT_COMPLETE
    SQLITE_OMIT_TRACE
    # A LIKE never matches a blob: lets an index serve it.
    SQLITE_LIKE_DOESNT_MATCH_BLOBS
    # Small temporary buffers on the stack: faster, and our threads have ordinary stacks.
    SQLITE_USE_ALLOCA
    # A search filter becomes an expression: its depth is bounded well below the stack.
    SQLITE_MAX_EXPR_DEPTH=500
    # Temporary tables stay in memory unless told otherwise: an edge box may have a read-only /tmp.
    SQLITE_TEMP_STORE=2
    # A wrong use of its interface is answered with SQLITE_MISUSE instead of a crash.
    SQLITE_ENABLE_API_ARMOR)
  # A fifth of its code are copies of functions and gaps between them, which make it no faster.
  target_compile_options(dep_sqlite PRIVATE $<$<CONFIG:Release>:-fno-inline-functions
    -fno-align-functions -fno-align-loops -fno-align-jumps -fno-align-labels>)
  target_link_libraries(dep_sqlite PUBLIC Threads::Threads m)
endif()

# ---- mbedTLS: its crypto library only ---------------------------------------------------------
# A system's library serves only if it was built with threads and deterministic signatures too.
mlrt_try_system(mbedcrypto mbedcrypto "" "
  #include <mbedtls/version.h>
  #include <mbedtls/sha256.h>
  #include <mbedtls/threading.h>
  #if MBEDTLS_VERSION_NUMBER < 0x03060000 || MBEDTLS_VERSION_NUMBER >= 0x04000000
  #error too old
  #endif
  #if !defined(MBEDTLS_THREADING_PTHREAD) || !defined(MBEDTLS_ECDSA_DETERMINISTIC)
  #error not our configuration
  #endif
  int main() { unsigned char d[32]; return mbedtls_sha256(d, 0, d, 0); }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  file(GLOB mlrt_mbed_sources ${MLRT_DEP_MBEDTLS_DIR}/library/*.c)
  list(FILTER mlrt_mbed_sources EXCLUDE REGEX
    "/(x509[a-z_]*|pkcs7|ssl_[a-z0-9_]*|mps_[a-z]*|debug|net_sockets)\\.c$")
  mlrt_add_dep(mbedcrypto ${MLRT_DEP_MBEDTLS_DIR}/include ${mlrt_mbed_sources})
  target_include_directories(dep_mbedcrypto PRIVATE ${MLRT_DEP_MBEDTLS_DIR}/library)
  # Seen by all who include its headers: the layout of its structures depends on it.
  target_compile_definitions(dep_mbedcrypto PUBLIC
    "MBEDTLS_USER_CONFIG_FILE=\"${PROJECT_SOURCE_DIR}/cmake/mbedtls_user_config.h\"")
  target_link_libraries(dep_mbedcrypto PUBLIC Threads::Threads)
endif()

# ---- zlib -----------------------------------------------------------------------------------
mlrt_try_system(zlib z "" "
  #include <zlib.h>
  #if ZLIB_VERNUM < 0x12d0
  #error too old
  #endif
  int main() { return zlibVersion()[0]; }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  # Without the gz*.c files: they read and write files themselves, ours go through core/fs.
  set(mlrt_zlib_sources)
  foreach(name adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr zutil)
    list(APPEND mlrt_zlib_sources ${MLRT_DEP_ZLIB_DIR}/${name}.c)
  endforeach()
  mlrt_add_dep(zlib ${MLRT_DEP_ZLIB_DIR} ${mlrt_zlib_sources})
  target_compile_definitions(dep_zlib PRIVATE HAVE_HIDDEN Z_HAVE_UNISTD_H PUBLIC ZLIB_CONST)
endif()

# ---- libyaml --------------------------------------------------------------------------------
mlrt_try_system(yaml yaml "" "
  #include <yaml.h>
  int main() { int a, b, c; yaml_get_version(&a, &b, &c); return a; }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  file(GLOB mlrt_yaml_sources ${MLRT_DEP_LIBYAML_DIR}/src/*.c)
  mlrt_add_dep(yaml ${MLRT_DEP_LIBYAML_DIR}/include ${mlrt_yaml_sources})
  string(REPLACE "." ";" mlrt_yaml_version ${MLRT_DEP_LIBYAML_VERSION})
  list(GET mlrt_yaml_version 0 mlrt_yaml_major)
  list(GET mlrt_yaml_version 1 mlrt_yaml_minor)
  list(GET mlrt_yaml_version 2 mlrt_yaml_patch)
  # What its configure script would write into config.h.
  if(NOT MLRT_SANITIZE)
    target_compile_options(dep_yaml PRIVATE $<$<CONFIG:Release>:-Os>)
  endif()
  target_compile_definitions(dep_yaml PRIVATE
    YAML_VERSION_STRING="${MLRT_DEP_LIBYAML_VERSION}" YAML_VERSION_MAJOR=${mlrt_yaml_major}
    YAML_VERSION_MINOR=${mlrt_yaml_minor} YAML_VERSION_PATCH=${mlrt_yaml_patch}
    PUBLIC YAML_DECLARE_STATIC)
endif()

# ---- headers only ---------------------------------------------------------------------------
mlrt_try_system(json "" "" "
  #include <nlohmann/json.hpp>
  #if NLOHMANN_JSON_VERSION_MAJOR != 3 || NLOHMANN_JSON_VERSION_MINOR < 11
  #error too old
  #endif
  int main() { return 0; }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  mlrt_add_header_dep(json ${MLRT_DEP_NLOHMANN_JSON_DIR}/include)
endif()

mlrt_try_system(httplib "" "" "
  #include <httplib.h>
  constexpr int minor_of(const char* text) {
    int value = 0;
    while (*text != '.') ++text;
    for (++text; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (*text - '0');
    return value;
  }
  static_assert(CPPHTTPLIB_VERSION[0] != '0' || minor_of(CPPHTTPLIB_VERSION) >= 41);
  int main() { return 0; }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  mlrt_add_header_dep(httplib ${MLRT_DEP_CPP_HTTPLIB_DIR})
endif()
target_link_libraries(dep_httplib INTERFACE Threads::Threads)

mlrt_try_system(cli11 "" "" "
  #include <CLI/Version.hpp>
  #if CLI11_VERSION_MAJOR != 2 || CLI11_VERSION_MINOR < 4
  #error too old
  #endif
  int main() { return 0; }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  mlrt_add_header_dep(cli11 ${MLRT_DEP_CLI11_DIR}/include)
endif()
# Its own checks of paths would pull std::filesystem in; files are the business of core/fs.
target_compile_definitions(dep_cli11 INTERFACE CLI11_HAS_FILESYSTEM=0)

mlrt_try_system(doctest "" "" "
  #include <doctest/doctest.h>
  #if DOCTEST_VERSION < 20411
  #error too old
  #endif
  int main() { return 0; }")
if(NOT mlrt_have_system)
  mlrt_need_pinned()
  mlrt_add_header_dep(doctest ${MLRT_DEP_DOCTEST_DIR})
endif()
