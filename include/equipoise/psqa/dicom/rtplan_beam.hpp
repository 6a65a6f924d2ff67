// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One beam of an RTPLAN: its devices and control points. Values that vendors leave out are carried
/// forward from control point to control point. A beam whose data contradict each other is refused
/// with a sentence that names it.

#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// More leaf pairs than any collimator has, over all its layers.
inline constexpr std::size_t kMostPairs = 200;

/// Which beam an error is about, and where warnings go.
struct BeamSource {
  const std::string& where;
  int number;
  std::vector<std::string>& warnings;

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw FileError(message("file.424", where, "beam ", number, ": ", parts...));
  }
  void warn(const std::string& text) const { warnings.push_back("beam " + std::to_string(number) + ": " + text); }
};

/// Three digits, or more, for a sentence.
[[nodiscard]] inline std::string short_text(double value, int digits = 3) {
  TextWriter out;
  out << std::setprecision(digits) << value;
  return std::move(out).str();
}

[[nodiscard]] inline bool is_multileaf(const std::string& type) {
  return type.starts_with("MLC");
}
[[nodiscard]] inline bool is_x_jaw(const std::string& type) {
  return type == "X" || type == "ASYMX";
}
[[nodiscard]] inline bool is_y_jaw(const std::string& type) {
  return type == "Y" || type == "ASYMY";
}

[[nodiscard]] inline std::vector<double> places_of(DcmItem& item, const DcmTagKey& tag, const std::string& type,
                                                   const BeamSource& source) {
  std::vector<double> out = finite_numbers_of(item, tag, source.where + ": beam " + std::to_string(source.number));
  for (const double v : out)
    if (!(std::abs(v) <= kFarthest_mm)) source.refuse("expected ", type, " within ±2000 mm, got ", v);
  return out;
}

/// The multileaf collimators that say where their leaves' sides are. \returns the names of those that do not
[[nodiscard]] inline std::set<std::string> read_devices(DcmItem& item, Beam& beam, const BeamSource& source) {
  std::set<std::string> without_sides;
  for (DcmItem* device : sequence_items(item, DCM_BeamLimitingDeviceSequence)) {
    const std::string type = dicom_text(*device, DCM_RTBeamLimitingDeviceType);
    if (!is_multileaf(type)) continue;
    Layer layer;
    layer.axis = type.starts_with("MLCY") ? LeafAxis::y : LeafAxis::x;
    layer.boundaries = places_of(*device, DCM_LeafPositionBoundaries, "boundaries of " + type, source);
    layer.tag = type;
    const auto falls = std::adjacent_find(layer.boundaries.begin(), layer.boundaries.end(),
                                          [](double low, double high) { return !(low < high); });
    if (falls != layer.boundaries.end())
      source.refuse("expected leaf boundaries of ", type, " that rise, got ", *falls, " before ", *std::next(falls));
    if (layer.pairs() == 0) {
      without_sides.insert(type);
      source.warn("a multileaf collimator " + type + " without leaf boundaries is taken as absent");
    } else {
      beam.layers.push_back(std::move(layer));
    }
  }
  // Every control point holds all of them, whether it names them or not.
  std::size_t pairs = 0;
  for (const Layer& layer : beam.layers) pairs += layer.pairs();
  if (pairs > kMostPairs) source.refuse("expected at most ", kMostPairs, " leaf pairs, got ", pairs);
  for (const Layer& layer : beam.layers)
    if (layer.axis != beam.layers[0].axis) source.refuse("expected leaves along one axis, got MLCX and MLCY");
  return without_sides;
}

/// Two jaws that stand in their order, but for noise of their last decimals; jaws without positions stay where they are.
/// \returns whether they have any
[[nodiscard]] inline bool read_jaws(const std::vector<double>& p, const std::string& type, double& first,
                                    double& second, const BeamSource& source) {
  if (p.empty()) return false;
  if (p.size() != 2) source.refuse("expected 2 jaw positions of ", type, ", got ", p.size());
  if (p[0] > p[1] + kPlaceTolerance_mm)
    source.refuse("expected jaws ", type, " in ascending order, got ", p[0], " and ", p[1]);
  first = std::min(p[0], p[1]), second = std::max(p[0], p[1]);
  return true;
}

/// The leaves of one device. Stacked layers may share a name, and their order is not fixed: the number of leaves tells
/// them apart.
inline void read_leaves(const std::vector<double>& p, const std::string& type, const Beam& beam,
                        std::vector<bool>& taken, ControlPoint& cp, const BeamSource& source) {
  std::string expected;
  for (std::size_t l = 0; l < beam.layers.size(); ++l) {
    const std::size_t n = beam.layers[l].pairs();
    if (beam.layers[l].tag != type) continue;
    expected += (expected.empty() ? "" : " or ") + std::to_string(2 * n);
    if (taken[l] || p.size() != 2 * n) continue;
    taken[l] = true;
    cp.leaves[l].a.assign(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n));
    cp.leaves[l].b.assign(p.begin() + static_cast<std::ptrdiff_t>(n), p.end());
    return;
  }
  const std::size_t k = beam.control_points.size();
  if (expected.empty()) source.refuse("control point ", k, ": expected positions of its devices, got some of ", type);
  source.refuse("control point ", k, ": expected ", expected, " positions of ", type, ", got ", p.size());
}

/// Jaws and leaves of one control point; devices that are not named keep their place.
inline void read_positions(DcmItem& item, Beam& beam, const std::set<std::string>& without_sides, ControlPoint& cp,
                           const BeamSource& source) {
  std::vector<bool> taken(beam.layers.size(), false);
  for (DcmItem* device : sequence_items(item, DCM_BeamLimitingDevicePositionSequence)) {
    const std::string type = dicom_text(*device, DCM_RTBeamLimitingDeviceType);
    const std::vector<double> p = places_of(*device, DCM_LeafJawPositions, "positions of " + type, source);
    if (is_x_jaw(type) && read_jaws(p, type, cp.x1, cp.x2, source)) beam.has_x_jaw = true;
    if (is_y_jaw(type) && read_jaws(p, type, cp.y1, cp.y2, source)) beam.has_y_jaw = true;
    if (is_multileaf(type) && !p.empty() && !without_sides.count(type)) read_leaves(p, type, beam, taken, cp, source);
  }
}

inline void read_control_points(DcmItem& item, Beam& beam, const std::set<std::string>& without_sides,
                                const BeamSource& source) {
  const std::string where = source.where + ": beam " + std::to_string(source.number);
  ControlPoint cp;
  cp.leaves.resize(beam.layers.size());
  for (DcmItem* point : sequence_items(item, DCM_ControlPointSequence)) {
    const auto carry = [&](const DcmTagKey& tag, double& value) {
      value = finite_number_of(*point, tag, value, where);
    };
    // Without a new angle the gantry stays; the same angle, written again, may be a full turn.
    if (!beam.control_points.empty() && trimmed(dicom_text(*point, DCM_GantryAngle)).empty())
      beam.control_points.back().rotation = Rotation::none;
    carry(DCM_GantryAngle, cp.gantry);
    carry(DCM_BeamLimitingDeviceAngle, cp.collimator);
    carry(DCM_PatientSupportAngle, cp.couch);
    for (const double angle : {cp.gantry, cp.collimator, cp.couch})
      if (std::abs(angle) > 3600) source.refuse("expected angles within ±3600 degree, got ", angle);
    // Without its weight a control point has no share of the MU; that of the first one is 0.
    if (beam.mu > 0 && !beam.control_points.empty() &&
        trimmed(dicom_text(*point, DCM_CumulativeMetersetWeight)).empty())
      source.refuse("control point ", beam.control_points.size(), ": expected a cumulative meterset weight, got none");
    carry(DCM_CumulativeMetersetWeight, cp.weight);
    carry(DCM_DoseRateSet, cp.dose_rate);
    carry(DCM_NominalBeamEnergy, beam.energy_MV);
    const std::string direction = dicom_text(*point, DCM_GantryRotationDirection);
    if (!direction.empty())
      cp.rotation = direction == "CW"   ? Rotation::clockwise
                    : direction == "CC" ? Rotation::counter_clockwise
                                        : Rotation::none;
    const std::vector<double> isocentre = finite_numbers_of(*point, DCM_IsocenterPosition, where);
    if (isocentre.size() == 3) {
      std::copy(isocentre.begin(), isocentre.end(), beam.isocentre);
      beam.has_isocentre = true;
    }
    read_positions(*point, beam, without_sides, cp, source);
    beam.control_points.push_back(cp);
  }
}

/// A collimator that no control point positions is taken as absent; any other must be positioned from the start.
inline void drop_layers_without_positions(Beam& beam, const BeamSource& source) {
  for (std::size_t l = beam.layers.size(); l-- > 0 && !beam.control_points.empty();) {
    if (!beam.control_points[0].leaves[l].a.empty()) continue;
    if (!beam.control_points.back().leaves[l].a.empty())
      source.refuse("expected positions of ", beam.layers[l].tag, ", got none at the first control point");
    source.warn("a multileaf collimator " + beam.layers[l].tag + " without leaf positions is taken as absent");
    const auto at = static_cast<std::ptrdiff_t>(l);
    beam.layers.erase(beam.layers.begin() + at);
    for (ControlPoint& cp : beam.control_points) cp.leaves.erase(cp.leaves.begin() + at);
  }
}

/// Weights become fractions of the beam's MU; they must not fall by more than their last decimal.
inline void normalise_weights(DcmItem& item, Beam& beam, const BeamSource& source) {
  if (beam.control_points.empty()) {
    if (beam.mu > 0) source.refuse("expected control points for ", beam.mu, " MU, got none");
    return;
  }
  const double last = beam.control_points.back().weight;
  double final_weight = finite_number_of(item, DCM_FinalCumulativeMetersetWeight, 0,
                                         source.where + ": beam " + std::to_string(source.number));
  if (!(final_weight > 0)) final_weight = last;
  if (beam.mu > 0 && beam.control_points.size() > 1 && !(last > 0))
    source.refuse("expected meterset weights for ", beam.mu, " MU, got only zeros");
  if (final_weight > 0 && std::abs(last - final_weight) > 1e-3 * final_weight)
    source.warn("the last meterset weight is " + short_text(last) + ", not the final one " + short_text(final_weight));
  double before = 0;
  for (ControlPoint& cp : beam.control_points) {
    if (final_weight > 0) cp.weight /= final_weight;
    if (!(cp.weight >= before - kWeightTolerance) || !std::isfinite(cp.weight))
      source.refuse("expected meterset weights that never fall, got ", cp.weight, " after ", before);
    before = cp.weight = std::max(before, cp.weight);
  }
}

/// One warning for each kind of what changes a beam beside jaws and leaves: no metric knows of it.
inline void warn_of_accessories(DcmItem& item, const BeamSource& source) {
  const auto has = [&](const DcmTagKey& number, const DcmTagKey& sequence) {
    return number_of(item, number, 0) > 0 || !sequence_items(item, sequence).empty();
  };
  if (has(DCM_NumberOfWedges, DCM_WedgeSequence)) source.warn("wedges are ignored");
  if (has(DCM_NumberOfBlocks, DCM_BlockSequence))
    source.warn("blocks are ignored: areas and shapes are those without them");
  if (has(DCM_NumberOfCompensators, DCM_CompensatorSequence))
    source.warn("compensators are ignored: the fluence is that without them");
  if (has(DCM_NumberOfBoli, DCM_ReferencedBolusSequence)) source.warn("boluses are ignored");
  if (!sequence_items(item, DCM_ApplicatorSequence).empty()) source.warn("applicators are ignored");
}

/// A treatment beam. \param mu its meterset \throws FileError when it contradicts itself
[[nodiscard]] inline Beam read_beam(DcmItem& item, double mu, const BeamSource& source) {
  Beam beam;
  beam.number = source.number, beam.mu = mu;
  beam.name = dicom_text(item, DCM_BeamName);
  beam.dynamic = dicom_text(item, DCM_BeamType) == "DYNAMIC";
  if (const std::string radiation = dicom_text(item, DCM_RadiationType); !radiation.empty()) beam.radiation = radiation;
  if (const std::string delivery = dicom_text(item, DCM_TreatmentDeliveryType); !delivery.empty())
    beam.delivery = delivery;
  if (beam.delivery == "CONTINUATION") source.warn("it continues an interrupted treatment, and counts");
  beam.machine = dicom_text(item, DCM_TreatmentMachineName);
  beam.sad = number_of(item, DCM_SourceAxisDistance, 1000);
  for (DcmItem* mode : sequence_items(item, DCM_PrimaryFluenceModeSequence))
    beam.fff = dicom_text(*mode, DCM_FluenceMode) == "NON_STANDARD" &&
               dicom_text(*mode, DCM_FluenceModeID).find("FFF") != std::string::npos;
  warn_of_accessories(item, source);
  const std::set<std::string> without_sides = read_devices(item, beam, source);
  read_control_points(item, beam, without_sides, source);
  normalise_weights(item, beam, source);
  drop_layers_without_positions(beam, source);
  return beam;
}

}  // namespace equipoise::psqa::detail
