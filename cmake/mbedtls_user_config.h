// Our changes to mbedTLS's default configuration: it is included after the defaults. What the
// defaults leave on and nobody calls is dropped by the linker (--gc-sections).

// Requests are served by several threads that share one random generator.
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

// Signatures of the same bytes are the same bytes: RFC 6979, no random number in them.
#ifndef MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_ECDSA_DETERMINISTIC
#endif

// All file access goes through core/fs: the library gets bytes, never paths.
#undef MBEDTLS_FS_IO
#undef MBEDTLS_PSA_ITS_FILE_C
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C

// Its self-tests are the upstream's business; they would stay in the executable's debug builds.
#undef MBEDTLS_SELF_TEST
