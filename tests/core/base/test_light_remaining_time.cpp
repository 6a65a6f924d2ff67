#include <equipoise/core/base/remaining_time.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;

TEST_CASE("the time left is not said before there is a steady rate", "[core][worked]") {
  eq::RemainingTime quick;  // ten items a second
  for (int i = 1; i <= 20; ++i) {
    quick.update(i, 5 + 0.1001 * i);
    CHECK_FALSE(quick.left(1000));
  }
  for (int i = 21; i <= 30; ++i) quick.update(i, 5 + 0.1001 * i);
  CHECK(quick.left(1000).value() == Approx(970 * 0.1001));
  eq::RemainingTime slow;  // ten seconds an item
  slow.update(1, 10);
  slow.update(2, 20);
  CHECK_FALSE(slow.left(100));
  slow.update(3, 30);
  CHECK(slow.left(100).value() == Approx(970));
  slow.update(100, 1000);
  CHECK_FALSE(slow.left(100));  // nothing is left
}

TEST_CASE("a slow start does not count in the time left", "[core][worked]") {
  eq::RemainingTime r;
  r.update(1, 1000);  // a warm-up of a thousand seconds
  for (int i = 2; i <= 4; ++i) r.update(i, 1000 + (i - 1));
  CHECK(r.left(1004).value() == Approx(1000));
  eq::RemainingTime slowing;  // one item a second for ten seconds, then a tenth of that for a hundred
  for (int i = 0; i <= 10; ++i) slowing.update(i, i);
  for (int i = 11; i <= 20; ++i) slowing.update(i, 10 + 10 * (i - 10));
  CHECK(slowing.left(30).value() == Approx(100).epsilon(0.05));
}

TEST_CASE("items that come in bursts are counted by the burst", "[core][worked]") {
  eq::RemainingTime r;  // 16 at once every three seconds: the rate is 16 / 3 at any of them
  for (int burst = 1; burst <= 10; ++burst)
    for (int i = 1; i <= 16; ++i) {
      const double done = 16 * (burst - 1) + i;
      r.update(done, 3.0 * burst + 0.001 * i);
      if (burst < 3)
        CHECK_FALSE(r.left(320));
      else
        CHECK(r.left(320).value() == Approx((320 - done) * 3 / 16).epsilon(0.01));
    }
}

TEST_CASE("a duration has the unit that a reader expects", "[core][worked]") {
  CHECK(eq::duration_text(40.4) == "40 s");
  CHECK(eq::duration_text(0.2) == "0 s");
  CHECK(eq::duration_text(200) == "3 min");
  CHECK(eq::duration_text(9000) == "2.5 h");
  CHECK(eq::duration_text(720000) == "200 h");
}
