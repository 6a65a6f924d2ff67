#include <equipoise/core/base/utf8.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;

TEST_CASE("UTF-8 stays, and other bytes are taken as Latin-1", "[core][worked]") {
  CHECK(eq::as_utf8("") == "");
  CHECK(eq::as_utf8("plan 1") == "plan 1");
  CHECK(eq::as_utf8("M\xc3\xbcnster \xe2\x80\x93 \xf0\x9f\x98\x80") == "M\xc3\xbcnster \xe2\x80\x93 \xf0\x9f\x98\x80");
  CHECK(eq::as_utf8("M\xfcnster") == "M\xc3\xbcnster");
  CHECK(eq::as_utf8("\xff") == "\xc3\xbf");
  CHECK(eq::as_utf8("b\xe4r.dcm: \xc3\xbf") == "b\xc3\xa4r.dcm: \xc3\xbf");
  CHECK(eq::as_utf8("a\x80z") == "a\xef\xbf\xbdz");
}

TEST_CASE("what is no UTF-8 is told from it", "[core][worked]") {
  for (const char* wrong : {"\xff", "\xc3", "\xc3(", "\xe2\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\x80"}) {
    INFO(wrong);
    CHECK_FALSE(eq::is_utf8(wrong));
    CHECK(eq::is_utf8(eq::as_utf8(wrong)));
  }
}
