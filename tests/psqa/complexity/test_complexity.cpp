#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>

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

/// Equal to a relative margin, or both undefined.
bool same(double a, double b, double epsilon) {
  return (std::isnan(a) && std::isnan(b)) || a == Approx(b).epsilon(epsilon);
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
    CHECK(same(r.plan[i].second, c.plan[i].second, 1e-9));
    CHECK(same(m.plan[i].second, c.plan[i].second, 1e-9));
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
  // The reference judges SAS and CAS by the last binary digit (`limits`): decimals differ where a gap is exactly a limit.
  const auto compare = [](const nlohmann::json& want, const MetricList& got, const std::string& where, Limits limits) {
    for (const auto& [key, x] : want.items()) {
      const bool has_limit = key.starts_with("SAS") || key == "CAS";
      if (key == "number") continue;
      if (has_limit && limits == Limits::decimals) continue;
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
    const Plan plan = read_rtplan(folder / file);
    for (const Limits limits : {Limits::decimals, Limits::binary}) {
      const Complexity got = complexity(plan, {.limits = limits});
      compare(want["plan"], got.plan, file, limits);
      REQUIRE(got.beams.size() == want["beams"].size());
      for (std::size_t b = 0; b < got.beams.size(); ++b) compare(want["beams"][b], got.beams[b].metrics, file, limits);
    }
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
  for (const Technique technique : {Technique::sliding_window, Technique::step_and_shoot, Technique::arc})
    for (std::uint64_t index = 0; index < 4; ++index) {
      const Plan made = generate_plan(1, index, "linac1", {}, technique);
      write_rtplan(made, folder.path() / "plan.dcm");
      const Complexity a = complexity(made), b = complexity(read_rtplan(folder.path() / "plan.dcm"));
      REQUIRE(a.plan.size() == b.plan.size());
      for (std::size_t i = 0; i < a.plan.size(); ++i) {
        INFO(a.plan[i].first << " technique " << int(technique) << " plan " << index);
        CHECK(same(b.plan[i].second, a.plan[i].second, 1e-6));
      }
    }
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

TEST_CASE("every metric has a row in the documentation", "[psqa][complexity][docs]") {
  const char* source = std::getenv("EQUIPOISE_SOURCE");
  if (!source) return;
  std::ifstream in(std::filesystem::path(source) / "docs" / "complexity.md");
  const std::string page((std::istreambuf_iterator<char>(in)), {});
  REQUIRE_FALSE(page.empty());
  const Complexity c = complexity(generate_plan(1, 0, "m", {}, Technique::arc));
  for (const MetricList* list : {&c.plan, &c.beams[0].metrics})
    for (const auto& [name, value] : *list) {
      INFO(name);
      CHECK(page.find("`" + name + "`") != std::string::npos);
    }
  for (const auto& [key, value] : eq::options(ComplexityChoices{})) {
    INFO(key);
    CHECK(page.find("`" + key + "`") != std::string::npos);
  }
}

TEST_CASE("choices change what they say, and nothing else", "[psqa][complexity][behaviour]") {
  const Plan plan = generate_plan(3, 4, "m", {});
  const Complexity base = complexity(plan);
  const auto changed = [&](const char* key, const char* value) {
    ComplexityChoices choices;
    eq::set_option(choices, key, value);
    const Complexity c = complexity(plan, choices);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < c.plan.size(); ++i)
      if (c.plan[i].second != base.plan[i].second && !std::isnan(base.plan[i].second)) out.push_back(c.plan[i].first);
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(changed("lsv_divisor", "leaves") == Names{"LSV", "MCS", "MCSv", "LTMCS"});
  CHECK(changed("lsv_difference", "with_sign") == Names{"LSV", "MCS", "MCSv", "LTMCS"});
  CHECK(changed("aav_maximum", "union_of_openings") == Names{"AAV", "MCS", "MCSv", "LTMCS"});
  CHECK(changed("aav_maximum", "largest_gap") == Names{"AAV", "MCS", "MCSv", "LTMCS"});
  CHECK(changed("sas_pairs", "bank") == Names{"SAS2", "SAS5", "SAS10", "SAS20"});
  CHECK(changed("travel_leaves", "physical") == Names{});
  CHECK(changed("jaw_edges", "excluded") == Names{"EM_mm-1"});
  CHECK(changed("travel_mean", "pairs") == Names{"LT_mm", "LTi", "LTMCS"});
  CHECK(changed("edge_distance_mm", "3") == Names{"EAM"});
  CHECK(changed("park_k", "1") == Names{"MIs", "MIa", "MIt"});
  ComplexityChoices exposed;
  exposed.sas_pairs = SasPairs::exposed;
  // A 16 mm square between jaws of 100 mm: all open pairs are small, but few of the exposed ones are open.
  CHECK(metric(complexity(square_plan({{16, 0}, {16, 1}}), {}).plan, "SAS20") == Approx(1));
  CHECK(metric(complexity(square_plan({{16, 0}, {16, 1}}), exposed).plan, "SAS20") < 0.3);
}

TEST_CASE("an interval that is cut in two leaves the metrics as they were", "[psqa][complexity][property]") {
  // Static apertures, whose means are all invariant; test_complexity_laws.cpp cuts intervals in which leaves move.
  Plan plan = square_plan({{100, 0}, {100, .5}, {50, .5}, {50, 1}}), cut = plan;
  std::vector<ControlPoint>& points = cut.beams[0].control_points;
  ControlPoint middle = points[0];
  middle.weight = 0.25;
  points.insert(points.begin() + 1, middle);
  const Complexity a = complexity(plan), b = complexity(cut);
  for (const char* name : {"PA_mm2", "PI", "PM", "EM_mm-1", "AAV", "LSV", "MCS", "MCSv", "LT_mm", "SAS10", "ALG_mm",
                           "EAM", "CAM", "WMI", "FD"}) {
    INFO(name);
    const double x = metric(a.plan, name), y = metric(b.plan, name);
    CHECK((std::isnan(x) ? std::isnan(y) : y == Approx(x)));
  }
}

TEST_CASE("lengths scaled together scale the metrics", "[psqa][complexity][property]") {
  const Plan plan = square_plan({{40, 0}, {40, .5}, {20, .5}, {20, 1}});
  Plan large = plan;
  for (Beam& beam : large.beams) {
    for (double& b : beam.layers[0].boundaries) b *= 2;
    for (ControlPoint& cp : beam.control_points) {
      cp.x1 *= 2, cp.x2 *= 2, cp.y1 *= 2, cp.y2 *= 2;
      for (auto* tips : {&cp.leaves[0].a, &cp.leaves[0].b})
        for (double& t : *tips) t *= 2;
    }
  }
  CHECK(value(large, "PA_mm2") == Approx(4 * value(plan, "PA_mm2")));
  CHECK(value(large, "EM_mm-1") == Approx(value(plan, "EM_mm-1") / 2));
  CHECK(value(large, "ALG_mm") == Approx(2 * value(plan, "ALG_mm")));
  for (const char* name : {"PI", "PM", "AAV", "LSV", "MCS"}) CHECK(value(large, name) == Approx(value(plan, name)));
}

TEST_CASE("two layers with the same openings are one, and leaves along y are leaves along x",
          "[psqa][complexity][property]") {
  const Plan plan = square_plan({{100, 0}, {100, .5}, {50, .5}, {50, 1}});
  Plan two = plan, turned = plan;
  two.beams[0].layers.push_back(two.beams[0].layers[0]);
  for (ControlPoint& cp : two.beams[0].control_points) cp.leaves.push_back(cp.leaves[0]);
  turned.beams[0].layers[0].axis = LeafAxis::y;
  for (ControlPoint& cp : turned.beams[0].control_points) std::swap(cp.x1, cp.y1), std::swap(cp.x2, cp.y2);
  const Complexity one = complexity(plan);
  for (const Plan* other : {&two, &turned})
    for (const char* name : {"PA_mm2", "PERIM_mm", "EM_mm-1", "PI", "PM", "MCS", "LT_mm"})
      CHECK(metric(complexity(*other).plan, name) == Approx(metric(one.plan, name)));
}

TEST_CASE("fluence maps: a flat one is smooth, noise is rough", "[psqa][complexity][worked]") {
  FluenceMap ramp{20, 20, 2.5, {}}, noise{20, 20, 2.5, {}};
  for (std::size_t i = 0; i < 400; ++i) {
    ramp.values.push_back(1 + double(i % 20));
    noise.values.push_back(eq::to_uniform(eq::hash_of({5, i})));
  }
  CHECK(fractal_dimension(ramp) == Approx(2).margin(0.15));
  CHECK(fractal_dimension(noise) > 2.6);
  // On a ramp of 20 steps neighbours along x and both diagonals differ by 1, along y by 0; the standard deviation is 5.77.
  const FluenceFeatures f = fluence_features(ramp);
  CHECK(f.webb == Approx(0.75 / std::sqrt(399.0 / 12)));
  CHECK(f.max_over_mean == Approx(20 / 10.5));
  CHECK(f.gradient == Approx(1 / (2.5 * 20)));
}

TEST_CASE("a square's edge area is what geometry gives", "[psqa][complexity][worked]") {
  // Within 5 mm of a 100 mm square's edge: outside 4 strips and 4 quarter discs, inside 100² - 90².
  const double outside = 4 * 500 + 25 * std::numbers::pi, inside = 10000 - 8100;
  CHECK(value(square_plan({{100, 0}, {100, 1}}), "EAM") ==
        Approx((outside + inside) / (outside + inside + 8100)).epsilon(3e-3));  // rows of 1 mm
}
