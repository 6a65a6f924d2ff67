#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "psqa/gamma/grids.hpp"
#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
using gamma_grids::mirrored;
using Json = nlohmann::json;

namespace {

Json known_of(const std::filesystem::path& folder) {
  return Json::parse(std::ifstream(folder / "expected_gamma.json"));
}

/// Checks [rate, mean, points] against a search on a pitch, to all the digits that the files have.
/// \param key such as `2%/3mm global cut10% step20`
void reproduces(const DoseGrid& reference, const DoseGrid& evaluated, double norm, const std::string& key,
                const Json& known) {
  INFO(key);
  GammaCriteria c;
  REQUIRE(std::sscanf(key.c_str(), "%lf%%/%lfmm", &c.dd_percent, &c.dta_mm) == 2);
  c.local = key.find("local") != std::string::npos;
  REQUIRE(std::sscanf(key.c_str() + key.find("cut"), "cut%lf%%", &c.cutoff_percent) == 1);
  c.norm = norm;
  const double parts = key.find("step20") != std::string::npos ? 20 : 10;
  const GammaResult g = gamma(reference, evaluated, c, WendlingSearch<>{.pitch_mm = c.dta_mm / parts});
  CHECK(g.pass_rate == Approx(known[0].get<double>()).epsilon(0).margin(0.0005 + 1e-9));
  CHECK(g.mean == Approx(known[1].get<double>()).epsilon(0).margin(0.00005 + 1e-9));
  CHECK(g.evaluated == known[2].get<std::size_t>());
  // The exact minimum is nowhere larger than a search on a pitch, but for the diagonal that cuts its cells.
  CHECK(gamma_pass_rate(reference, evaluated, c) >= g.pass_rate - 0.3);
}

}  // namespace

TEST_CASE("pairs of planes with known pass rates and mean values", "[psqa][gamma][samples]") {
  const auto folder = support::samples("gamma_agnew_mcgarry");
  if (folder.empty()) return;
  const Json known = known_of(folder)["cases"];
  const std::vector<std::array<const char*, 3>> pairs = {
      {"ProstateIMRT_1mm", "ProstateIMRT_Reference_1mmPx.dcm", "ProstateIMRT_Evaluated_1mmPx.dcm"},
      {"HN_VMAT_1mm", "H&N_VMAT_Reference_1mmPx.dcm", "H&N_VMAT_Evaluated_1mmPx.dcm"},
      {"Square_DD_1mm", "GeometricSquare_Reference_1mmPx.dcm", "GeometricSquare_Evaluated_1mmPx_DD_Test.dcm"},
      {"Square_DTA_1mm", "GeometricSquare_Reference_1mmPx.dcm", "GeometricSquare_Evaluated_1mmPx_DTA_Test.dcm"}};
  REQUIRE(known.size() == pairs.size());
  for (const auto& [name, reference, evaluated] : pairs) {
    INFO(name);
    const DoseGrid r = read_rtdose(folder / reference), e = read_rtdose(folder / evaluated);
    const Json& k = known[name];
    CHECK(r.shape[1] == k["shape"][0].get<std::size_t>());
    CHECK(r.shape[2] == k["shape"][1].get<std::size_t>());
    CHECK(maximum_dose(r) == Approx(k["ref_max"].get<double>()).margin(1e-9));
    CHECK(k["gpr_meanGamma_points"].size() >= 5);
    for (const auto& [key, values] : k["gpr_meanGamma_points"].items()) reproduces(r, e, maximum_dose(r), key, values);
  }
}

TEST_CASE("film against plan: what is reference matters", "[psqa][gamma][samples]") {
  const auto folder = support::samples("film_tps");
  if (folder.empty()) return;
  const DoseGrid film = read_csv_plane(folder / "D_FILM.csv", 1), plan = read_csv_plane(folder / "D_TPS.csv", 1);
  REQUIRE(film.shape[1] * film.shape[2] == 105 * 145);
  const Json known = known_of(folder)["cases"];
  CHECK(known.size() == 10);
  for (const auto& [key, values] : known.items()) {
    const std::size_t criteria = key.find(' ') + 1;
    const bool film_is_reference = key.rfind("ref=film,eval=tps ", 0) == 0;
    REQUIRE((film_is_reference || key.rfind("ref=tps,eval=film ", 0) == 0));
    reproduces(film_is_reference ? film : plan, film_is_reference ? plan : film, maximum_dose(plan),
               key.substr(criteria), values);
  }
}

TEST_CASE("a mirror leaves rates and means as they are", "[psqa][gamma][samples]") {
  const auto planes = support::samples("gamma_agnew_mcgarry"), films = support::samples("film_tps");
  if (planes.empty() || films.empty()) return;
  const DoseGrid film = read_csv_plane(films / "D_FILM.csv", 1), plan = read_csv_plane(films / "D_TPS.csv", 1);
  const auto plane = [&](const char* name) { return read_rtdose(planes / name); };
  for (const auto& [r, e] :
       {std::pair{film, plan},
        {plan, film},
        {plane("H&N_VMAT_Reference_1mmPx.dcm"), plane("H&N_VMAT_Evaluated_1mmPx.dcm")},
        {plane("ProstateIMRT_Reference_1mmPx.dcm"), plane("ProstateIMRT_Evaluated_1mmPx.dcm")},
        {plane("GeometricSquare_Reference_1mmPx.dcm"), plane("GeometricSquare_Evaluated_1mmPx_DTA_Test.dcm")}})
    for (const auto& [dd, dta, local] :
         {std::tuple{3.0, 3.0, false}, {3.0, 2.0, false}, {2.0, 2.0, false}, {1.0, 1.0, false}, {1.0, 1.0, true}})
      for (const std::size_t axis : {1U, 2U}) {
        INFO(dd << " %/" << dta << " mm, axis " << axis);
        const GammaCriteria c{.dd_percent = dd, .dta_mm = dta, .local = local};
        const GammaResult plain = gamma(r, e, c), turned = gamma(mirrored(r, axis), mirrored(e, axis), c);
        CHECK(turned.pass_rate == plain.pass_rate);
        CHECK(turned.mean == Approx(plain.mean).epsilon(1e-6));
      }
  const GammaCriteria c{.dd_percent = 2, .dta_mm = 2};
  CHECK(gamma_pass_rate(mirrored(film, 2), mirrored(plan, 2), c, WendlingSearch<>{}) ==
        gamma_pass_rate(film, plan, c, WendlingSearch<>{}));
}
