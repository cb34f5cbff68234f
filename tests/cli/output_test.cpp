#include "cli/output.hpp"

#include <doctest/doctest.h>

#include <string>

namespace mlrt {

TEST_CASE("a table is aligned by characters, with numbers to the right") {
  TextTable table({{"NAME"}, {"N", TextTable::Align::kRight}, {"NOTE"}});
  table.add({"caf\xC3\xA9", "7", "short"});
  table.add({"tea", "1234", ""});
  CHECK(table.text() ==
        "NAME     N  NOTE\n"
        "caf\xC3\xA9     7  short\n"
        "tea   1234\n");
}

TEST_CASE("a cell cannot steer the terminal") {
  TextTable table({{"NAME"}});
  table.add({"\x1B[2Jx\ny\x7F"});
  table.add(
      {"a\xC2\x9B"
       "b"});
  table.add({"\xFF"});
  CHECK(table.text() == "NAME\n?[2Jx?y?\na?b\n'\\xff'\n");
}

}  // namespace mlrt
