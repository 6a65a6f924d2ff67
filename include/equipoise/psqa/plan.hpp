// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The treatment plan: beams, their multileaf collimators and control points. One model for imported and simulated
/// plans. Geometry at the isocentre plane (IEC 61217): mm, degree, MU, Gy. Needs nothing but the standard library.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace equipoise::psqa {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The largest distance from the axis of any part of a collimator.
inline constexpr double kFarthest_mm = 2000;

/// Places of leaves and jaws that differ by less than this are the same place: files hold few decimals of them, and a
/// planning system's arithmetic leaves noise in the last ones.
inline constexpr double kPlaceTolerance_mm = 1e-4;

/// What files leave open of the difference of two control points' weights: they hold at least six decimals of each.
inline constexpr double kWeightTolerance = 1.5e-6;

/// The axis along which the leaves of a bank travel.
enum class LeafAxis : std::uint8_t { x, y };

/// One bank pair of the multileaf collimator; stacked collimators (Halcyon, MRIdian) have two layers.
struct Layer {
  LeafAxis axis = LeafAxis::x;
  std::vector<double> boundaries;  ///< [n + 1] mm, ascending, across the leaves' travel
  std::string tag;                 ///< the device's DICOM name: MLCX, MLCY, MLCX1, MLCX2, …

  [[nodiscard]] std::size_t pairs() const { return boundaries.empty() ? 0 : boundaries.size() - 1; }
};

/// Leaf tips of one layer at one control point; a pair is closed where b <= a.
struct LeafPositions {
  std::vector<double> a;  ///< [n] mm, bank 1 (X1 or Y1 side)
  std::vector<double> b;  ///< [n] mm, bank 2 (X2 or Y2 side)
};

enum class Rotation : std::uint8_t { none, clockwise, counter_clockwise };

/// The machine's state when a fraction `weight` of the beam's MU is delivered. Everything is carried forward: no field
/// is optional.
struct ControlPoint {
  double gantry = 0;  ///< degree
  Rotation rotation = Rotation::none;
  double collimator = 0;                                                    ///< degree
  double couch = 0;                                                         ///< degree
  double x1 = -kInfinity, x2 = kInfinity, y1 = -kInfinity, y2 = kInfinity;  ///< jaws, mm; infinite where there is none
  std::vector<LeafPositions> leaves;                                        ///< one a layer
  double weight = 0;                                                        ///< cumulative meterset weight, 0..1
  double dose_rate = 0;                                                     ///< MU/min; 0 where unknown
};

struct Beam {
  int number = 0;
  std::string name;
  bool dynamic = false;                ///< DICOM beam type DYNAMIC
  std::string delivery = "TREATMENT";  ///< DICOM treatment delivery type
  std::string radiation = "PHOTON";
  double energy_MV = 0;
  bool fff = false;  ///< flattening filter free
  std::string machine;
  double sad = 1000;                ///< source to axis, mm
  double mu = 0;                    ///< beam meterset
  double isocentre[3] = {0, 0, 0};  ///< mm, the patient's x y z
  bool has_isocentre = false;       ///< whether the file gives it
  std::vector<Layer> layers;
  bool has_x_jaw = false, has_y_jaw = false;
  std::vector<ControlPoint> control_points;

  /// Whether any dose can be computed of it: there are MU, and leaves that shape them.
  [[nodiscard]] bool delivers() const { return mu > 0 && !layers.empty(); }

  /// MU between two control points that follow one another.
  [[nodiscard]] double interval_mu(const ControlPoint& from, const ControlPoint& to) const {
    return mu * (to.weight - from.weight);
  }
  /// MU between control points `j - 1` and `j`; 1 <= j < control_points.size().
  [[nodiscard]] double interval_mu(std::size_t j) const {
    return interval_mu(control_points[j - 1], control_points[j]);
  }
};

/// The share of a beam's leaf pairs, over all control points, whose tips have crossed by more than
/// `tolerance` mm: every metric takes them as closed.
[[nodiscard]] inline double crossed_leaf_fraction(const Beam& beam, double tolerance = kPlaceTolerance_mm) {
  std::size_t crossed = 0, pairs = 0;
  for (const ControlPoint& cp : beam.control_points)
    for (const LeafPositions& leaves : cp.leaves) {
      pairs += leaves.a.size();
      for (std::size_t i = 0; i < leaves.a.size(); ++i) crossed += leaves.b[i] < leaves.a[i] - tolerance;
    }
  return pairs > 0 ? static_cast<double>(crossed) / static_cast<double>(pairs) : 0;
}

/// Degrees from one control point to the next in the sense of rotation that the plan gives; the shorter way where it gives
/// none. With a sense, equal angles are a full turn (DICOM PS3.3, C.8.8.14.8).
[[nodiscard]] inline double gantry_step(const ControlPoint& from, const ControlPoint& to) {
  const double shortest = std::remainder(to.gantry - from.gantry, 360.0);
  if (from.rotation == Rotation::none) return std::abs(shortest);
  const double wanted = from.rotation == Rotation::counter_clockwise ? -shortest : shortest;
  return wanted > 0 ? wanted : 360 + wanted;
}

/// The steps of a beam in degrees, one fewer than control points. The sense of rotation decides, as in `gantry_step`, as
/// long as the whole arc is at most a full turn. In a longer arc, a step back of less than a degree is rounding of an
/// angle, and takes the shorter way.
[[nodiscard]] inline std::vector<double> gantry_steps(const Beam& beam) {
  std::vector<double> out;
  double sum = 0;
  for (std::size_t k = 1; k < beam.control_points.size(); ++k) {
    out.push_back(gantry_step(beam.control_points[k - 1], beam.control_points[k]));
    sum += out.back();
  }
  if (sum > 360 + 1e-6)
    for (double& step : out)
      if (step > 359) step = 360 - step;
  return out;
}

/// Degrees that the gantry turns during a beam: the length of its arc.
[[nodiscard]] inline double gantry_travel(const Beam& beam) {
  double sum = 0;
  for (const double step : gantry_steps(beam)) sum += step;
  return sum;
}

struct Plan {
  std::string id;    ///< file name or simulated id
  std::string file;  ///< path of the file that it was read from; empty for a simulated plan
  std::string label, patient, vendor, tps, site;
  std::string frame;               ///< UID of the patient's coordinate system; empty where there is none
  std::string uid;                 ///< SOP instance UID of the file; empty where there is none
  std::size_t fraction_group = 0;  ///< of the file's fraction groups the one that this plan is, from 0
  int fractions = 1;
  double prescription_Gy = 0;  ///< to the target, all fractions; 0 where the plan does not say
  std::vector<Beam> beams;
  bool logged = false;                ///< recorded in a delivery log: places and angles have the log's jitter
  std::vector<std::string> warnings;  ///< what the reader had to repair or ignore, in words

  [[nodiscard]] double dose_per_fraction() const { return fractions > 0 ? prescription_Gy / fractions : 0; }
};

}  // namespace equipoise::psqa
