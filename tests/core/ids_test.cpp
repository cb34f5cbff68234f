#include "core/ids.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

TEST_CASE("a run id is 32 lower-case hex digits, and no two are the same") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    std::string id = mlrt::new_run_id();
    REQUIRE(id.size() == 32);
    REQUIRE(id.find_first_not_of("0123456789abcdef") == std::string::npos);
    REQUIRE(seen.insert(id).second);
  }
}

TEST_CASE("random_hex gives two digits a byte, none for none") {
  CHECK(mlrt::random_hex(0).empty());
  CHECK(mlrt::random_hex(1).size() == 2);
  CHECK(mlrt::random_hex(100000).size() == 200000);
}

TEST_CASE("a random run name is two words and a number") {
  for (int i = 0; i < 200; ++i) {
    std::string name = mlrt::random_run_name();
    std::size_t first = name.find('-'), last = name.rfind('-');
    REQUIRE(first != std::string::npos);
    REQUIRE(first < last);
    REQUIRE(name.substr(0, first).find_first_not_of("abcdefghijklmnopqrstuvwxyz") ==
            std::string::npos);
    REQUIRE(name.substr(last + 1).find_first_not_of("0123456789") == std::string::npos);
    REQUIRE(std::stoi(name.substr(last + 1)) < 1000);
  }
}
