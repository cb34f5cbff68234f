#include "core/hash.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  CHECK(mlrt::sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(mlrt::sha256_hex("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(mlrt::sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(mlrt::sha256_hex(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 of pieces is that of the whole, wherever it is cut") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i);
  std::string whole = mlrt::sha256_hex(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    mlrt::Sha256 hash;
    hash.update(text.substr(0, cut));
    hash.update(text.data() + cut, text.size() - cut);
    REQUIRE(mlrt::sha256_hex(hash.finish()) == whole);
  }
}

TEST_CASE("after finish() the same object hashes anew, and it can be moved") {
  mlrt::Sha256 hash;
  hash.update("something else");
  hash.finish();
  hash.update("ab");
  mlrt::Sha256 moved = std::move(hash);
  moved.update("c");
  moved.update(nullptr, 0);
  CHECK(moved.finish() == mlrt::sha256("abc"));
}
