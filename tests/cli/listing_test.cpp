#include "cli/listing.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "cli/gc_command.hpp"
#include "cli/limits_command.hpp"
#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"

namespace mlrt {
namespace {

std::string caret_message(const std::string& message, const SearchQuery& query) {
  return with_caret(Error(ErrorCode::kInvalidParameter, message), query).message();
}

}  // namespace

TEST_CASE("CSV has a column a key, and one for each key of an object within") {
  const OrderedJson blank = {{"id", ""}, {"params", OrderedJson::object()}, {"end", nullptr}};
  CHECK(json_as_csv(blank, OrderedJson::array()) == "id,end\n");
  const OrderedJson list = OrderedJson::array(
      {{{"id", "a,b"}, {"params", {{"z", "1"}, {"l\"2", "x\ny"}}}, {"end", nullptr}},
       {{"id", "c"}, {"params", {{"z", "2"}}}, {"end", 1.5}}});
  CHECK(json_as_csv(blank, list) ==
        "id,\"params.l\"\"2\",params.z,end\n"
        "\"a,b\",\"x\ny\",1,\n"
        "c,,2,1.5\n");
}

TEST_CASE("a caret stands below the column of a mistake") {
  SearchQuery query;
  query.filter = "metrics.rmse and";
  CHECK(caret_message("Invalid filter: column 14: expected x", query) ==
        "Invalid filter: column 14: expected x\n"
        "  metrics.rmse and\n"
        "               ^");
  // Columns count characters, and a line break does not break the line.
  query.filter = "\xC3\xA9\n= 1";
  CHECK(caret_message("Invalid filter: column 3: no", query) ==
        "Invalid filter: column 3: no\n"
        "  \xC3\xA9 = 1\n"
        "    ^");
  // Just behind the end.
  query.filter = "a";
  CHECK(caret_message("Invalid filter: column 2: no", query) ==
        "Invalid filter: column 2: no\n  a\n   ^");
  // A long text is shown around the place.
  query.filter = std::string(100, 'a') + "!" + std::string(100, 'b');
  CHECK(caret_message("Invalid filter: column 101: no", query) ==
        "Invalid filter: column 101: no\n  ..." + std::string(36, 'a') + "!" +
            std::string(35, 'b') + "...\n  " + std::string(39, ' ') + "^");
  query.order_by = {"metrics.b", "nonsense"};
  CHECK(caret_message("Invalid order_by 'nonsense': column 1: no", query) ==
        "Invalid order_by 'nonsense': column 1: no\n  nonsense\n  ^");
  CHECK(caret_message("column 7 of something else", query) == "column 7 of something else");
  CHECK(caret_message("Invalid filter: column x: no", query) == "Invalid filter: column x: no");
}

TEST_CASE("texts are clipped between characters") {
  CHECK(clipped("abc", 3) == "abc");
  CHECK(clipped("abcd", 3) == "ab\xE2\x80\xA6");
  CHECK(clipped("\xC3\xA9\xC3\xA9\xC3\xA9", 2) == "\xC3\xA9\xE2\x80\xA6");
  CHECK(clipped("", 3) == "");
}

TEST_CASE("sizes and ages are read and shown in units") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(1023) == "1023 B");
  CHECK(size_text(1536) == "1.5 KB");
  CHECK(size_text(std::uint64_t{5} << 40) == "5.0 TB");
  CHECK(read_age_ms("0s") == 0);
  CHECK(read_age_ms("90m") == 5400000);
  CHECK(read_age_ms("30d") == 2592000000);
  CHECK(read_age_ms("2w") == 1209600000);
  for (const char* wrong : {"", "d", "30", "30x", "-1d", "1.5h", "9999999999d"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(read_age_ms(wrong), Error);
  }
}

TEST_CASE("a size is a number with or without a unit") {
  CHECK(read_size_bytes("--quota", "0") == 0);
  CHECK(read_size_bytes("--quota", "4096") == 4096);
  CHECK(read_size_bytes("--quota", "4096B") == 4096);
  CHECK(read_size_bytes("--quota", "500MB") == 524288000);
  CHECK(read_size_bytes("--quota", " 1.5 gb ") == 1610612736);
  CHECK(read_size_bytes("--quota", "2T") == 2199023255552);
  for (const char* wrong : {"", "b", "GB", "1x", "-1GB", "nan", "inf", "1e300", "1 2", "2GBB"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(read_size_bytes("--quota", wrong), Error);
  }
}

TEST_CASE("progress is a bar, or a count with no total") {
  CHECK(progress_text("importing", 0, 4) == "importing [" + std::string(30, '.') + "]   0%");
  CHECK(progress_text("importing", 1, 4) ==
        "importing [" + std::string(7, '#') + std::string(23, '.') + "]  25%");
  CHECK(progress_text("importing", 9, 4) == "importing [" + std::string(30, '#') + "] 100%");
  CHECK(progress_text("importing", 12, 0) == "importing 12");
}

}  // namespace mlrt
