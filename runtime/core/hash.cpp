#include "core/hash.hpp"

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "core/error.hpp"
#include "core/text.hpp"

#if MBEDTLS_VERSION_NUMBER < 0x021C0000
#error "mlrt needs mbedTLS 2.28 or newer"
#endif

namespace mlrt {
namespace {

// mbedTLS 2 has the checked calls under another name.
#if MBEDTLS_VERSION_MAJOR < 3
#define MLRT_SHA256_CALL(name) mbedtls_sha256_##name##_ret
#else
#define MLRT_SHA256_CALL(name) mbedtls_sha256_##name
#endif

void check_sha256(int result) {
  if (result != 0)
    throw Error(ErrorCode::kInternal, "SHA-256 failed", "mbedTLS code " + std::to_string(result));
}

}  // namespace

struct Sha256::State {
  mbedtls_sha256_context context;
  State() {
    mbedtls_sha256_init(&context);
    check_sha256(MLRT_SHA256_CALL(starts)(&context, 0));
  }
  ~State() { mbedtls_sha256_free(&context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(const void* data, std::size_t size) {
  check_sha256(
      MLRT_SHA256_CALL(update)(&state_->context, static_cast<const unsigned char*>(data), size));
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  check_sha256(MLRT_SHA256_CALL(finish)(&state_->context, digest.data()));
  check_sha256(MLRT_SHA256_CALL(starts)(&state_->context, 0));
  return digest;
}

#undef MLRT_SHA256_CALL

Sha256Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_hex(std::string_view bytes) { return sha256_hex(sha256(bytes)); }

std::string sha256_hex(const Sha256Digest& digest) { return to_hex(digest.data(), digest.size()); }

}  // namespace mlrt
