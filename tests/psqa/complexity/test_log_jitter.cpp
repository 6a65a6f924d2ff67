/// \file
/// Delivery logs: jitter of a log's resolution is no complexity, true motion stays.

#include <equipoise/core/base/random.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/readers/log_reader.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using namespace small_beams;
namespace eq = equipoise;

namespace {

double uniform(std::uint64_t seed, std::uint64_t n) {
  return 2 * eq::to_uniform(eq::hash_of({seed, n})) - 1;
}

/// A record every `1 / steps` of each interval, as a log writes what moves evenly.
Plan recorded(const Plan& plan, std::size_t steps) {
  Plan out = plan;
  out.logged = true;
  for (Beam& beam : out.beams) {
    const std::vector<ControlPoint> points = beam.control_points;
    beam.control_points = {points[0]};
    for (std::size_t k = 1; k < points.size(); ++k)
      for (std::size_t i = 1; i <= steps; ++i) {
        const double at = double(i) / double(steps);
        const ControlPoint &from = points[k - 1], &to = points[k];
        ControlPoint cp = from;
        cp.weight += at * (to.weight - from.weight);
        cp.gantry += at * std::remainder(to.gantry - from.gantry, 360.0);
        for (std::size_t l = 0; l < cp.leaves[0].a.size(); ++l) {
          cp.leaves[0].a[l] += at * (to.leaves[0].a[l] - from.leaves[0].a[l]);
          cp.leaves[0].b[l] += at * (to.leaves[0].b[l] - from.leaves[0].b[l]);
        }
        beam.control_points.push_back(cp);
      }
  }
  return out;
}

Plan with_jitter(Plan plan, double mm, double deg, std::uint64_t seed) {
  std::uint64_t n = 0;
  const auto shift = [&](double& v, double by) {
    if (std::isfinite(v)) v += by * uniform(seed, ++n);
  };
  for (Beam& beam : plan.beams)
    for (ControlPoint& cp : beam.control_points) {
      for (double* angle : {&cp.gantry, &cp.collimator, &cp.couch}) shift(*angle, deg);
      for (double* jaw : {&cp.x1, &cp.x2, &cp.y1, &cp.y2}) shift(*jaw, mm);
      for (LeafPositions& leaves : cp.leaves)
        for (auto* bank : {&leaves.a, &leaves.b})
          for (double& tip : *bank) shift(tip, mm);
    }
  return plan;
}

const std::vector<const char*> kAll = {"AAV",     "LSV",   "MCS",   "MCSv",     "LT_mm",    "LTMCS",   "LTSUM_mm",
                                       "ARC_deg", "SAS10", "SAS20", "MAD_mm",   "CLS",      "CAS",     "ALG_mm",
                                       "PA_mm2",  "PI",    "PM",    "EFS_mm",   "EM_mm-1",  "EAM",     "CAM",
                                       "TGI",     "FMAX",  "FCOV",  "PERIM_mm", "COLL_deg", "JAWX_mm", "FENT_bit"};

}  // namespace

TEST_CASE("a signal that stays within twice the band is one value; none moves by more than the band",
          "[psqa][complexity][property]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<double> still, walk;
    double at = 0;
    for (std::uint64_t k = 0; k < 300; ++k) {
      still.push_back(12.3 + 0.2 * uniform(seed, k));
      walk.push_back(at += 0.3 * uniform(seed + 1000, k));
    }
    const std::vector<double> one = without_jitter(still, 0.2), followed = without_jitter(walk, 0.2);
    CHECK(std::all_of(one.begin(), one.end(), [&](double v) { return v == one[0]; }));
    CHECK(one[0] == Approx(12.3).margin(0.1));
    for (std::size_t k = 0; k < walk.size(); ++k) CHECK(std::abs(followed[k] - walk[k]) <= 0.2 + 1e-12);
    CHECK(without_jitter(walk, 0) == walk);
  }
}

TEST_CASE("a slow drift, and turns wider than the band, keep their way", "[psqa][complexity][property]") {
  const auto way = [](const std::vector<double>& x) {
    double sum = 0;
    for (std::size_t k = 1; k < x.size(); ++k) sum += std::abs(x[k] - x[k - 1]);
    return sum;
  };
  std::vector<double> drift, swing, jittered;
  for (int k = 0; k <= 1000; ++k) {
    drift.push_back(0.005 * k);  // 5 mm, 0.005 mm a record
    swing.push_back(10 * std::sin(0.02 * k));
    jittered.push_back(drift.back() + 0.1 * uniform(7, std::uint64_t(k)));
  }
  for (const auto* x : {&drift, &swing}) {
    const std::vector<double> y = without_jitter(*x, 0.2);
    CHECK(way(y) == Approx(way(*x)).margin(0.4));
    for (std::size_t k = 0; k < y.size(); ++k) CHECK(y[k] == Approx((*x)[k]).margin(1e-9).epsilon(0));
  }
  CHECK(way(jittered) > 30);
  CHECK(way(without_jitter(jittered, 0.2)) == Approx(5).margin(0.2));
}

TEST_CASE("jitter within the dead band leaves a static field as it is", "[psqa][complexity][property]") {
  for (const double half : {2.5, 12.37, 20.3, 20.0}) {
    Plan still = plan_of({within(beam_of(std::vector<double>(200),
                                         [&](std::size_t, std::size_t l) {
                                           return l < 10 ? std::pair{0.0, 0.0} : std::pair{-half, half};
                                         }),
                                 -50, 50, -50, 50)});
    for (std::size_t k = 0; k < 200; ++k) still.beams[0].control_points[k].weight = double(k) / 199;
    still.logged = true;
    const MetricList want = complexity(still).plan;
    for (const std::uint64_t seed : {1, 2, 3}) {
      const MetricList got = complexity(with_jitter(still, 0.15, 0.15, seed)).plan;
      CHECK(metric(got, "MCSv") == Approx(1).margin(0.002));
      CHECK(metric(got, "LT_mm") == 0);
      CHECK(metric(got, "ARC_deg") == 0);
      for (const auto& [name, x] : want) {
        INFO(half << " mm, seed " << seed << ", " << name);
        if (std::isnan(x))
          CHECK(std::isnan(metric(got, name)));
        else if (name == "COLL_deg")
          CHECK(std::abs(std::remainder(metric(got, name) - x, 360)) < 0.05);
        else
          CHECK(metric(got, name) == Approx(x).epsilon(0.02).margin(0.1));
      }
    }
    const MetricList raw =
        complexity(with_jitter(still, 0.15, 0.15, 1), {.log_band_mm = 0, .log_band_deg = 0, .log_line_mm = 0}).plan;
    CHECK(metric(raw, "MCSv") < 0.9);
    CHECK(metric(raw, "ARC_deg") > 5);
  }
}

TEST_CASE("the dead band changes the metrics of moving leaves by less than 2 %", "[psqa][complexity][property]") {
  for (const Technique technique : {Technique::sliding_window, Technique::arc}) {
    const Plan plan = recorded(generate_plan(3, 2, "m", {}, technique), 8);
    const MetricList raw = complexity(plan, {.log_band_mm = 0, .log_band_deg = 0}).plan, calm = complexity(plan).plan,
                     jittered = complexity(with_jitter(plan, 0.05, 0.05, 5)).plan;
    for (const char* name : kAll) {
      INFO(int(technique) << " " << name);
      // Pairs that open by less than a log can tell are closed; in the file they are long and narrow.
      const bool slits = std::string(name) == "PI" || std::string(name) == "TGI";
      CHECK(metric(calm, name) == Approx(metric(raw, name)).epsilon(slits ? 0.25 : 0.02).margin(0.002));
      CHECK(metric(jittered, name) == Approx(metric(raw, name)).epsilon(0.25).margin(0.06));
    }
  }
}

TEST_CASE("leaf errors of an open field are no complexity, and a log states no energy", "[psqa][complexity][worked]") {
  // Ten pairs in line but for errors of up to 0.3 mm, which stay all the time.
  const auto field = [](double error) {
    Plan plan = plan_of({within(beam_of(std::vector<double>(3),
                                        [&](std::size_t, std::size_t l) {
                                          const double e = l % 2 ? error : -error;
                                          return std::pair{-20 + e, 20 - e};
                                        }),
                                -50, 50, -50, 50)});
    for (std::size_t k = 0; k < 3; ++k) plan.beams[0].control_points[k].weight = double(k) / 2;
    return plan;
  };
  Plan log = field(0.3);
  CHECK(metric(complexity(log).plan, "LSV") == Approx(0).margin(1e-9));  // of a plan every step counts
  log.logged = true;
  for (const char* name : {"LSV", "MCS", "MCSv"}) CHECK(metric(complexity(log).plan, name) == Approx(1));
  CHECK(metric(complexity(log, {.log_line_mm = 0.5}).plan, "LSV") == Approx(0).margin(1e-9));
  Plan ragged = field(3);
  ragged.logged = true;
  CHECK(metric(complexity(ragged).plan, "LSV") == Approx(0).margin(1e-9));

  log.beams[0].energy_MV = 0;
  const MetricList unknown = complexity(log).plan;
  CHECK(std::isnan(metric(unknown, "ENERGY_MV")));
  CHECK(std::isnan(metric(unknown, "FFF")));
  log.beams[0].energy_MV = 6;
  CHECK(metric(complexity(log).plan, "ENERGY_MV") == 6);
  CHECK(metric(complexity(log).plan, "FFF") == 0);

  const auto folder = support::samples("linac_log");
  if (folder.empty()) return;
  const MetricList real = complexity(read_elekta_log(folder / "elekta_log_B.csv").delivered).plan;  // 218 x 204 mm
  CHECK(metric(real, "LSV") == 1);
  CHECK(metric(real, "MCS") > 0.99);
  CHECK(metric(real, "PM") >= 0);
  CHECK(std::isnan(metric(real, "ENERGY_MV")));
}

TEST_CASE("logs with jitter have about the metrics of the log without", "[psqa][complexity][samples]") {
  const auto folder = support::samples("reported/log_jitter");
  if (folder.empty()) return;
  const MetricList want = complexity(read_elekta_log(folder / "s0.csv").delivered).plan;
  CHECK(metric(want, "MCSv") == Approx(1));
  for (const char* file : {"s1.csv", "s2.csv"}) {
    const DeliveryLog log = read_elekta_log(folder / file);
    for (const Plan* plan : {&log.delivered, &log.prescribed}) {
      const MetricList got = complexity(*plan).plan;
      for (const auto& [name, x] : want) {
        INFO(file << " " << name);
        if (std::isnan(x))
          CHECK(std::isnan(metric(got, name)));
        else
          CHECK(metric(got, name) == Approx(x).epsilon(0.005).margin(0.02));
      }
      CHECK(metric(got, "LT_mm") == 0);
      CHECK(metric(got, "ARC_deg") == 0);
    }
  }
}
