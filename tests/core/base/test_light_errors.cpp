#include <equipoise/core/base/errors.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;

TEST_CASE("an exception carries its id, and is also the standard's exception", "[core][error]") {
  try {
    eq::check_option(false, "Gated.width", "> 0", -1);
    FAIL("an option out of its range must throw");
  } catch (const eq::Error& e) {
    CHECK(e.id() == eq::ErrorId("value.201"));
    CHECK(std::string(e.what()) == "[equipoise.value.201] Gated.width: expected > 0, got -1");
  }
  CHECK_THROWS_AS(eq::check_index(3, 3, "here"), std::invalid_argument);
  const auto fail = [] { throw eq::FileError(eq::message("file.401", "a.npy", "expected a readable file")); };
  CHECK_THROWS_AS(fail(), std::runtime_error);
  CHECK_THROWS_AS(fail(), eq::Error);
}

TEST_CASE("a numeric error carries the ids of its records", "[core][error]") {
  const eq::NumericError e(eq::message("numeric.501", "step 3", "expected a finite loss, got nan"), {7, 9});
  CHECK(e.id().text() == "numeric.501");
  CHECK(e.records == std::vector<std::int64_t>{7, 9});
}

TEST_CASE("a place is added before the colon of an error's message, and its id stays", "[core][error]") {
  const eq::ShapeError e(eq::message("shape.101", "Mlp", "expected [B, 4]"));
  const eq::ErrorMessage placed = eq::with_place(e, "modality dose");
  CHECK(placed.id == e.id());
  CHECK(placed.text == "[equipoise.shape.101] Mlp, modality dose: expected [B, 4]");
}

TEST_CASE("every kind of error has one line in the table, a kind and a meaning", "[core][error]") {
  for (const eq::ErrorKind& k : eq::kErrorKinds) {
    INFO(k.id);
    CHECK(std::count_if(eq::kErrorKinds.begin(), eq::kErrorKinds.end(), [&](const auto& o) { return o.id == k.id; }) ==
          1);
    CHECK_FALSE(k.meaning.empty());
    CHECK(k.id.find('.') != std::string_view::npos);
  }
}
