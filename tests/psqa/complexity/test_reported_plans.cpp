/// \file
/// Small plans on which metrics or warnings were once wrong (tests/psqa/reported), with the right values.

#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>

#include <cmath>
#include <string>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;

namespace {

Plan reported(const std::string& file) {
  return read_rtplan(support::reported(file));
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

TEST_CASE("a beam without meterset, with a block or a compensator is warned of by name", "[psqa][dicom][error]") {
  const auto warnings = [](const char* file) {
    std::string all;
    for (const std::string& w : reported(file).warnings) all += w + "\n";
    return all;
  };
  CHECK_THAT(warnings("beam_meterset/P06.dcm"), Catch::Contains("beam 2: the fraction group gives no meterset"));
  CHECK_THAT(warnings("block_compensator/P07a.dcm") + warnings("block_compensator/P07b.dcm"),
             Catch::Contains("beam 1: blocks are ignored") && Catch::Contains("beam 1: compensators are ignored"));
}

TEST_CASE("gaps of exactly a limit, and segments of exactly 5 MU, are not smaller", "[psqa][complexity][worked]") {
  CHECK(value("thresholds/sas5.dcm", "SAS5") == 0);
  CHECK(value("thresholds/sas5.dcm", "SAS10") == 1);
  const Complexity binary = complexity(reported("thresholds/sas5.dcm"), {.limits = Limits::binary});
  CHECK(metric(binary.plan, "SAS5") == 1);
  CHECK(value("thresholds/seg5.dcm", "SEG5MU") == 0);
}

TEST_CASE("noise of the leaves' last digits changes no metric", "[psqa][complexity][worked]") {
  const auto same = [](const char* clean, const char* noisy) {
    const MetricList one = complexity(reported(clean)).plan, other = complexity(reported(noisy)).plan;
    for (const auto& [name, x] : one) {
      INFO(noisy << " " << name);
      if (std::isnan(x))
        CHECK(std::isnan(metric(other, name)));
      else
        CHECK(metric(other, name) == Approx(x).epsilon(1e-6).margin(1e-6));
    }
  };
  same("leaf_noise/a0.dcm", "leaf_noise/a1e-09.dcm");
  same("leaf_noise/lt0.dcm", "leaf_noise/lt1e-08.dcm");
  same("leaf_noise/lat0.dcm", "leaf_noise/lat1.dcm");
}
