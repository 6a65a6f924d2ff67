/// \file
/// Small plans on which metrics or warnings were once wrong (tests/psqa/reported), with the right values.

#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/catch.hpp"

using namespace equipoise::psqa;

namespace {

Plan reported(const std::string& file) {
  const char* source = std::getenv("EQUIPOISE_SOURCE");
  return read_rtplan(std::filesystem::path(source ? source : ".") / "tests" / "psqa" / "reported" / file);
}

double value(const std::string& file, const char* name) {
  return metric(complexity(reported(file)).plan, name);
}

}  // namespace

TEST_CASE("the sense of rotation decides the length of an arc of two control points", "[psqa][complexity][worked]") {
  CHECK(value("full_turn/P04l.dcm", "ARC_deg") == Approx(359.5));
  CHECK(value("full_turn/P04e.dcm", "ARC_deg") == Approx(360));  // 180 to 180 degrees
  CHECK(value("full_turn/P04l.dcm", "MUDEG_MU_per_deg") == Approx(100 / 359.5));
}
