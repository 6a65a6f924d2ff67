// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two doses in one unit: they have one, or the user names a normalisation that gives them one.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/interpolated_dose.hpp>
#include <equipoise/psqa/readers/chequerboard.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// How doses without a common unit are brought together.
/// - `max`: each is divided by its own maximum.
/// - `point`: each is divided by its own dose at one place.
/// - `prescription`: 100 % of a relative dose is the prescription dose of one fraction; doses in Gy stay.
/// - `none`: the numbers are taken as they stand.
/// After `max` and `point` both are multiplied by that dose of the one in Gy (of the second, if both are), so that
/// tolerances in % and norm doses are that one's; if neither is in Gy, by 100.
enum class Normalise : std::uint8_t { max, point, prescription, none };
[[nodiscard]] constexpr std::array<std::string_view, 4> names_of(Normalise) {
  return {"max", "point", "prescription", "none"};
}

struct Normalisation {
  std::optional<Normalise> by{};                  ///< none: doses without a common unit are refused
  std::array<double, 3> first_at{}, second_at{};  ///< mm, x y z in each grid's coordinates; for `point`
  double prescription_Gy = 0;                     ///< of one fraction; for `prescription`
  bool in_gray = false;                           ///< both are needed in Gy, as in a cohort
};

/// What two doses were multiplied with.
struct Normalised {
  double first = 1, second = 1;
  std::string line{};  ///< what was done, in words; empty for nothing
};

namespace detail {

[[nodiscard]] inline bool takes_as_gray(const DoseGrid& g) {
  return g.units == DoseUnits::gray || g.units == DoseUnits::unknown;
}

[[nodiscard]] inline std::string four_digits(double v) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(4);
  out << v;
  return out.str();
}
[[nodiscard]] inline std::string dose_text(double dose, const DoseGrid& g) {
  return four_digits(dose) + ' ' + (takes_as_gray(g) ? "Gy" : g.unit.empty() ? unit_of(g) : g.unit);
}

/// The dose that a grid is divided by. \throws ValueError where it has none above zero
[[nodiscard]] inline double divisor(const DoseGrid& g, Normalise by, const std::array<double, 3>& at,
                                    const std::string& file) {
  double dose = 0;
  if (by == Normalise::max) {
    dose = maximum_dose(g);
  } else {
    dose = interpolated_dose(g, at);
    if (std::isnan(dose) && g.shape[0] == 1) dose = interpolated_dose(between_elements(g), at);
  }
  if (dose > 0 && std::isfinite(dose)) return dose;
  if (by == Normalise::max)
    throw ValueError(message("value.308", file, "expected a dose above zero to divide by, got ", dose));
  throw ValueError(message("value.308", file, "expected a dose above zero at x ", at[0], ", y ", at[1], ", z ", at[2],
                           " mm to divide by (--at), got ", dose));
}

/// Gy for one unit of a grid whose 100 % are the prescription dose.
[[nodiscard]] inline double gray_per_unit(const DoseGrid& g, double prescription, const std::string& file) {
  if (takes_as_gray(g)) return 1;
  if (g.units == DoseUnits::relative) return in_percent(g) ? prescription / 100 : prescription;
  throw ValueError(message("value.307", file, "expected doses in Gy or relative to the prescription dose, got ",
                           unit_of(g), " (--normalise max or point)"));
}

}  // namespace detail

/// Brings two doses to one unit, as the user asks, or leaves them where they have one. Files that do not say their unit
/// hold Gy. \throws ValueError that names both units and files where they have no common one and nothing is asked for
inline Normalised to_one_unit(DoseGrid& first, const std::string& first_file, DoseGrid& second,
                              const std::string& second_file, const Normalisation& n) {
  Normalised out;
  const bool gray = detail::takes_as_gray(first) && detail::takes_as_gray(second);
  if (!n.by) {
    const bool together =
        first.units != DoseUnits::unknown && second.units != DoseUnits::unknown && common_unit(first, second);
    if (gray || (together && !n.in_gray)) return out;
    const auto name = [](const DoseGrid& g) {
      return g.units == DoseUnits::unknown ? std::string("no unit, taken as Gy") : unit_of(g);
    };
    const bool counts = first.units == DoseUnits::other || second.units == DoseUnits::other;
    throw ValueError(message("value.307", first_file, "expected doses ", n.in_gray ? "in Gy" : "of one unit", ", got ",
                             name(first), ", and ", name(second), " in ", second_file,
                             ": compare them with --normalise max or point (each divided by its own dose)",
                             counts ? "" : ", prescription (100 % are the dose of one fraction)",
                             " or none (the numbers as they stand)"));
  }
  const std::string asked = "normalised by " + std::string(name_of(*n.by)) + ": ";
  const auto both = [&](const std::string& a, const std::string& b) {
    return a + " (" + first_file + ") and " + b + " (" + second_file + ")";
  };
  if (*n.by == Normalise::none) {
    out.line = asked + "the numbers are taken as they stand, " + both(unit_of(first), unit_of(second));
    if (!gray) first.units = second.units = DoseUnits::unknown;
    return out;
  }
  if (*n.by == Normalise::prescription) {
    if (!(n.prescription_Gy > 0) || !std::isfinite(n.prescription_Gy))
      throw ValueError(message("value.307", first_file,
                               "expected a prescription dose > 0 Gy of one fraction, of a plan ",
                               "or --prescription, got ", n.prescription_Gy));
    out.first = detail::gray_per_unit(first, n.prescription_Gy, first_file);
    out.second = detail::gray_per_unit(second, n.prescription_Gy, second_file);
    out.line = asked + "relative doses times " + detail::four_digits(n.prescription_Gy) + " Gy, " +
               both(unit_of(first), unit_of(second));
  } else {
    const double a = detail::divisor(first, *n.by, n.first_at, first_file),
                 b = detail::divisor(second, *n.by, n.second_at, second_file);
    const double scale = detail::takes_as_gray(second) ? b : detail::takes_as_gray(first) ? a : 100;
    out.first = scale / a, out.second = scale / b;
    out.line = asked + "divided by " + both(detail::dose_text(a, first), detail::dose_text(b, second)) + ", times " +
               detail::four_digits(scale) +
               (gray || detail::takes_as_gray(first) || detail::takes_as_gray(second) ? " Gy" : "");
  }
  for (double& v : first.values) v *= out.first;
  for (double& v : second.values) v *= out.second;
  if (!gray || *n.by != Normalise::prescription) first.units = second.units = DoseUnits::relative;
  first.unit = second.unit = "normalised";
  return out;
}

}  // namespace equipoise::psqa
