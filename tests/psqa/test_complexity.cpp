#include <equipoise/psqa/complexity.hpp>
#include <equipoise/psqa/plan_generator.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>
#include <equipoise/psqa/rtplan_writer.hpp>

#include <nlohmann/json.hpp>

#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

/// A beam of square openings, 5 mm leaves; one control point a size.
Plan square_plan(const std::vector<std::pair<double, double>>& size_and_weight) {
  Beam beam;
  beam.number = 1, beam.mu = 100;
  Layer layer{LeafAxis::x, {}, "MLCX"};
  for (int i = 0; i <= 40; ++i) layer.boundaries.push_back(-100 + 5 * i);
  beam.layers = {layer};
  beam.has_x_jaw = beam.has_y_jaw = true;
  for (const auto& [size, weight] : size_and_weight) {
    ControlPoint cp;
    cp.x1 = cp.y1 = -50, cp.x2 = cp.y2 = 50, cp.weight = weight;
    cp.leaves.resize(1);
    for (int i = 0; i < 40; ++i) {
      const double middle = -97.5 + 5 * i;
      const double half = std::abs(middle) < size / 2 ? size / 2 : 0;
      cp.leaves[0].a.push_back(-half), cp.leaves[0].b.push_back(half);
    }
    beam.control_points.push_back(cp);
  }
  Plan plan;
  plan.beams = {beam};
  plan.prescription_Gy = 2;
  return plan;
}

double value(const Plan& plan, const char* name) {
  return metric(complexity(plan).plan, name);
}

}  // namespace

TEST_CASE("a static square field has the metrics that geometry gives it", "[psqa][complexity][worked]") {
  const Plan plan = square_plan({{100, 0}, {100, 1}});
  CHECK(value(plan, "PA_mm2") == Approx(10000));
  CHECK(value(plan, "EM_mm-1") == Approx(0.02));
  CHECK(value(plan, "PERIM_mm") == Approx(400));
  CHECK(value(plan, "PI") == Approx(4 / std::numbers::pi));
  CHECK(value(plan, "MCS") == Approx(1));
  CHECK(value(plan, "LT_mm") == Approx(0));
  CHECK(value(plan, "PM") == Approx(0).margin(1e-12));
}

TEST_CASE("two equal segments, 100 and 50 mm, have the worked metrics", "[psqa][complexity][worked]") {
  const Plan plan = square_plan({{100, 0}, {100, .5}, {50, .5}, {50, 1}});
  CHECK(value(plan, "PA_mm2") == Approx(6250));
  CHECK(value(plan, "PM") == Approx(0.375));
  CHECK(value(plan, "EM_mm-1") == Approx(0.03));
  CHECK(value(plan, "AAV") == Approx(0.625));
  CHECK(value(plan, "MCS") == Approx(0.625));
  CHECK(value(plan, "ALG_mm") == Approx(75));
  CHECK(value(plan, "CLS") == Approx(0.25));
  CHECK(value(plan, "BAR") == Approx(0.625));
  CHECK(value(plan, "LT_mm") == Approx(37.5));
}

TEST_CASE("metrics do not depend on the order of beams, nor on a mirror", "[psqa][complexity][property]") {
  const Plan plan = generate_plan(3, 1, "m", {});
  Plan reversed = plan, mirrored = plan;
  std::reverse(reversed.beams.begin(), reversed.beams.end());
  for (Beam& b : mirrored.beams)
    for (ControlPoint& cp : b.control_points) {
      std::swap(cp.x1, cp.x2), cp.x1 *= -1, cp.x2 *= -1;
      std::swap(cp.leaves[0].a, cp.leaves[0].b);
      for (auto* tips : {&cp.leaves[0].a, &cp.leaves[0].b})
        for (double& t : *tips) t *= -1;
    }
  const Complexity c = complexity(plan), r = complexity(reversed), m = complexity(mirrored);
  for (std::size_t i = 0; i < c.plan.size(); ++i) {
    INFO(c.plan[i].first);
    CHECK(r.plan[i].second == Approx(c.plan[i].second).epsilon(1e-9));
    CHECK(m.plan[i].second == Approx(c.plan[i].second).epsilon(1e-9));
  }
}

TEST_CASE("a plan without leaves or MU has no metrics, and says so", "[psqa][complexity][error]") {
  Plan plan = square_plan({{100, 0}, {100, 1}});
  plan.beams[0].layers.clear();
  CHECK_THROWS_WITH(complexity(plan), Catch::Contains("multileaf"));
}

TEST_CASE("real plans have the expected metrics", "[psqa][complexity][samples]") {
  const auto folder = support::samples("rtplan");
  if (folder.empty()) return;
  const auto expected = nlohmann::json::parse(std::ifstream(folder / "expected_metrics.json"));
  std::size_t files = 0;
  const auto compare = [](const nlohmann::json& want, const MetricList& got, const std::string& where) {
    for (const auto& [key, x] : want.items()) {
      if (key == "number") continue;
      INFO(where << " " << key);
      if (x.is_null())
        CHECK(std::isnan(metric(got, key)));
      else
        CHECK(metric(got, key) == Approx(x.get<double>()).epsilon(1e-6).margin(1e-6));
    }
  };
  for (const auto& [file, entry] : expected["plans"].items()) {
    if (!entry.contains("published_definitions")) continue;
    const auto& want = entry["published_definitions"];
    if (!want.contains("plan")) continue;
    const Complexity got = complexity(read_rtplan(folder / file));
    compare(want["plan"], got.plan, file);
    REQUIRE(got.beams.size() == want["beams"].size());
    for (std::size_t b = 0; b < got.beams.size(); ++b) compare(want["beams"][b], got.beams[b].metrics, file);
    ++files;
  }
  CHECK(files == 15);
}

TEST_CASE("a plan written as RTPLAN comes back the same", "[psqa][dicom][property]") {
  const support::TemporaryFolder folder;
  const Plan plan = generate_plan(1, 2, "linac1", {});
  write_rtplan(plan, folder.path() / "plan.dcm");
  const Plan back = read_rtplan(folder.path() / "plan.dcm");
  CHECK(back.warnings.empty());
  CHECK(back.fractions == plan.fractions);
  REQUIRE(back.beams.size() == plan.beams.size());
  const Complexity a = complexity(plan), b = complexity(back);
  for (std::size_t i = 0; i < a.plan.size(); ++i) CHECK(b.plan[i].second == Approx(a.plan[i].second).epsilon(1e-9));
}

TEST_CASE("a damaged RTPLAN is refused with a sentence, never a crash", "[psqa][dicom][error]") {
  const support::TemporaryFolder folder;
  write_rtplan(generate_plan(1, 0, "linac1", {}), folder.path() / "whole.dcm");
  std::ifstream in(folder.path() / "whole.dcm", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::size_t refused = 0, tries = 0;
  for (std::size_t length = 0; length < bytes.size(); length += bytes.size() / 60 + 1, ++tries) {
    const auto path = folder.path() / "cut.dcm";
    std::ofstream(path, std::ios::binary) << bytes.substr(0, length);
    try {
      (void)read_rtplan(path);
    } catch (const eq::FileError& e) {
      CHECK(std::string(e.what()).find("cut.dcm") != std::string::npos);
      ++refused;
    }
  }
  CHECK(refused == tries);
  std::ofstream(folder.path() / "text.dcm")
      << "this is no DICOM file, but it is long enough to look like one might begin here";
  CHECK_THROWS_AS(read_rtplan(folder.path() / "text.dcm"), eq::FileError);
  CHECK_THROWS_AS(read_rtplan(folder.path() / "missing.dcm"), eq::FileError);
}

TEST_CASE("crossed leaves are closed, and told", "[psqa][dicom][error]") {
  const support::TemporaryFolder folder;
  Plan plan = square_plan({{100, 0}, {100, 1}});
  std::swap(plan.beams[0].control_points[0].leaves[0].a[20], plan.beams[0].control_points[0].leaves[0].b[20]);
  write_rtplan(plan, folder.path() / "crossed.dcm");
  const Plan back = read_rtplan(folder.path() / "crossed.dcm");
  REQUIRE(back.warnings.size() == 1);
  CHECK(back.warnings[0].find("crossed") != std::string::npos);
}
