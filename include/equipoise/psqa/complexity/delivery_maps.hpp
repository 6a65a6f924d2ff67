// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Delivery maps: what a plan asks of the machine, at each point of the dose plane, from the plan
/// alone. A plan's metrics say how demanding it is, its maps say where.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/beam_parts.hpp>
#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/jaw_phases.hpp>
#include <equipoise/psqa/complexity/leaf_end_time.hpp>
#include <equipoise/psqa/complexity/map_planes.hpp>
#include <equipoise/psqa/complexity/open_time.hpp>
#include <equipoise/psqa/delivery_channels.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The square plane in which maps lie, about the beam axis, and how beams lie in it.
struct PlaneGeometry {
  std::size_t pixels = 120;  ///< along each side
  double spacing_mm = 2;
  bool turned = true;  ///< each beam by its collimator's angle, as in a composite plane; else along the leaves
};

/// How fast a machine delivers where the plan does not say it.
struct DeliverySpeed {
  double dose_rate_MU_per_min = 600;  ///< where the plan gives none
  double gantry_speed_deg_per_s = 6;  ///< the fastest
  double leaf_speed_mm_per_s = 50;    ///< the fastest: the dose rate falls where leaves would have to be faster
};

/// The delivery maps of a plan, of one fraction.
struct DeliveryMaps {
  std::size_t pixels = 0;
  std::vector<float> values;  ///< [channels, pixels, pixels], rows go up in y, columns in x

  [[nodiscard]] std::span<const float> channel(DeliveryChannel c) const {
    return std::span(values).subspan(static_cast<std::size_t>(c) * pixels * pixels, pixels * pixels);
  }
  [[nodiscard]] float at(DeliveryChannel c, std::size_t y, std::size_t x) const { return channel(c)[y * pixels + x]; }
};

namespace detail {

/// What a pair's row shows over some intervals; [pixels].
struct PairMaps {
  OpenTime open, over_gap, joint;  ///< joint: with the pair above
  LeafEndTime ends;
  bool opens = false;

  PairMaps(std::size_t pixels, double begin, double size)
      : open(pixels, begin, size), over_gap(open), joint(open), ends(pixels, begin, size) {}
};

/// Adds a beam's share of the maps, in the system of its merged bank, whose leaves move along x.
class BankMaps {
 public:
  BankMaps(const Beam& beam, const DeliverySpeed& speed, MapPlanes& total)
      : beam_(beam), bank_(merged_bank(beam)), speed_(speed), degrees_(gantry_steps(beam)), total_(total) {}

  void add() {
    for (const JawPhase& phase : jaw_phases(beam_, bank_)) add_phase(phase);
  }

 private:
  [[nodiscard]] std::size_t pairs() const { return bank_.boundaries.size() - 1; }

  /// A pair's opening between the jaws at both ends of interval k.
  [[nodiscard]] Span span(std::size_t k, std::size_t l) const {
    const Bank::Point &p = bank_.points[k - 1], &q = bank_.points[k];
    return {std::clamp(p.a[l], p.x1, p.x2), std::clamp(p.b[l], p.x1, p.x2), std::clamp(q.a[l], q.x1, q.x2),
            std::clamp(q.b[l], q.x1, q.x2)};
  }

  /// Seconds that interval k takes, without regard to the leaves.
  [[nodiscard]] double seconds(std::size_t k) const {
    const double rate = beam_.control_points[k - 1].dose_rate;
    return std::max(60 * beam_.interval_mu(k) / (rate > 0 ? rate : speed_.dose_rate_MU_per_min),
                    degrees_[k - 1] / speed_.gantry_speed_deg_per_s);
  }

  /// One interval of one pair.
  void add_interval(std::size_t k, std::size_t l, const JawPhase& phase, PairMaps& maps) const {
    const Span s = span(k, l);
    const double gap = 0.5 * (s.b0 - s.a0 + s.b1 - s.a1), mu = beam_.interval_mu(k);
    if (!(gap > 0.5 * kPlaceTolerance_mm)) return;  // the ends of a closed pair abut
    maps.opens = true;
    maps.open.add(s, mu), maps.over_gap.add(s, mu / gap);
    const Bank::Point &p = bank_.points[k - 1], &q = bank_.points[k];
    for (const auto& [from, to] : {std::pair{p.a[l], q.a[l]}, {p.b[l], q.b[l]}})
      maps.ends.add(from, to, phase.x1, phase.x2, mu,
                    std::min(std::abs(to - from) / seconds(k), speed_.leaf_speed_mm_per_s));
    if (l + 1 < pairs()) add_shared(s, span(k, l + 1), mu, maps.joint);
  }

  void add_phase(const JawPhase& phase) {
    const double low = std::max(phase.y1, total_.begin()), high = std::min(phase.y2, -total_.begin());
    double mu = 0;
    for (std::size_t k = phase.first + 1; k <= phase.last; ++k) mu += std::max(0.0, beam_.interval_mu(k));
    // The neighbours beyond the jaws have a side in common with pairs between them.
    std::size_t first = 0, last = pairs();
    while (first < last && bank_.boundaries[first + 1] < low - kPlaceTolerance_mm) ++first;
    while (last > first && bank_.boundaries[last - 1] > high + kPlaceTolerance_mm) --last;
    std::vector<PairMaps> maps(last - first, PairMaps(total_.pixels, total_.begin(), total_.spacing_mm));
    for (std::size_t k = phase.first + 1; k <= phase.last; ++k)
      for (std::size_t l = first; l < last && beam_.interval_mu(k) > 0; ++l) add_interval(k, l, phase, maps[l - first]);
    std::vector<double> below(total_.pixels, 0.0), joint = below;  // open time of the pair below, and of both
    for (std::size_t l = first; l < last; ++l) {
      const std::vector<double> open = maps[l - first].open.values();
      add_pair(l, phase, mu, maps[l - first], open);
      if (l > first) add_side(bank_.boundaries[l], phase, below, open, joint);
      below = open, joint = maps[l - first].joint.values();
    }
  }

  /// Adds a pair's rows, as far as they lie between the jaws.
  void add_pair(std::size_t l, const JawPhase& phase, double mu, const PairMaps& maps,
                const std::vector<double>& open) {
    const double size = total_.spacing_mm, bottom = std::max(bank_.boundaries[l], phase.y1),
                 top = std::min(bank_.boundaries[l + 1], phase.y2);
    const std::vector<double> over_gap = maps.opens ? maps.over_gap.values() : open;
    for (std::size_t y = 0; y < total_.pixels; ++y) {
      const double low = total_.begin() + size * static_cast<double>(y),
                   share = (std::min(top, low + size) - std::max(bottom, low)) / size;
      if (!(share > 0)) continue;
      const std::span<double> behind = total_.row(DeliveryChannel::behind_leaves, y);
      for (std::size_t x = 0; x < total_.pixels; ++x) {
        const double left = total_.begin() + size * static_cast<double>(x);
        behind[x] += share * std::max(0.0, share_between(left, left + size, phase.x1, phase.x2) * mu - open[x]);
      }
      if (!maps.opens) continue;
      add_row(DeliveryChannel::open, y, share, open);
      add_row(DeliveryChannel::over_gap, y, share, over_gap);
      add_row(DeliveryChannel::leaf_ends, y, share, maps.ends.time());
      add_row(DeliveryChannel::leaf_speed, y, share, maps.ends.speed());
    }
  }

  void add_row(DeliveryChannel channel, std::size_t y, double share, const std::vector<double>& values) {
    const std::span<double> row = total_.row(channel, y);
    // Sums of passages leave rounding where they end.
    for (std::size_t x = 0; x < row.size(); ++x) row[x] += share * std::max(0.0, values[x]);
  }

  /// Adds the side between two pairs: the tongue of one reaches into what the other opens, which
  /// must lie between the jaws.
  void add_side(double boundary, const JawPhase& phase, const std::vector<double>& below,
                const std::vector<double>& above, const std::vector<double>& joint) {
    const double of_below = boundary > phase.y1 + kPlaceTolerance_mm && boundary < phase.y2 + kPlaceTolerance_mm,
                 of_above = boundary < phase.y2 - kPlaceTolerance_mm && boundary > phase.y1 - kPlaceTolerance_mm;
    const double at = (boundary - total_.begin()) / total_.spacing_mm - 0.5;
    for (std::size_t y = 0; y < total_.pixels; ++y) {
      const double share = share_of_line(at - static_cast<double>(y)) / total_.spacing_mm;
      const std::span<double> row = total_.row(DeliveryChannel::leaf_sides, y);
      for (std::size_t x = 0; x < row.size() && share > 0; ++x)
        row[x] += share * std::max(0.0, of_below * (below[x] - joint[x]) + of_above * (above[x] - joint[x]));
    }
  }

  const Beam& beam_;
  Bank bank_;
  DeliverySpeed speed_;
  std::vector<double> degrees_;  ///< of the gantry, by interval
  MapPlanes& total_;
};

/// Adds a beam's share of the maps, turned by an angle in degree. \pre the beam has leaves
inline void add_delivery_maps(const Beam& beam, double angle, const DeliverySpeed& speed, MapPlanes& total) {
  MapPlanes own(side_of_turned_maps(total.pixels, angle), total.spacing_mm);
  BankMaps(beam, speed, own).add();
  if (beam.layers[0].axis == LeafAxis::y) {
    MapPlanes along_x(own.pixels, own.spacing_mm);  // x and y exchanged, as in the merged bank
    along_x.add_transposed(own);
    std::swap(own, along_x);
  }
  add_turned_maps(own, angle, total);
}

}  // namespace detail

/// The delivery maps of a plan. Leaves and jaws move evenly between control points; open times are
/// exact.
/// \throws ValueError for a plane without pixels, or of pixels that are not > 0 mm
[[nodiscard]] inline DeliveryMaps delivery_maps(const Plan& plan, const PlaneGeometry& plane,
                                                const DeliverySpeed& speed = {}) {
  if (plane.pixels < 1 || !(plane.spacing_mm > 0) || !std::isfinite(plane.spacing_mm))
    throw ValueError(message("value.306", "delivery_maps", "expected pixels >= 1 of a spacing > 0 mm, got ",
                             plane.pixels, " of ", plane.spacing_mm, " mm"));
  detail::MapPlanes total(plane.pixels, plane.spacing_mm);
  for (const Beam& beam : plan.beams) {
    if (!beam.delivers()) continue;
    if (!plane.turned)
      detail::add_delivery_maps(beam, 0, speed, total);
    else
      for (const BeamPart& part : collimator_parts(beam))
        detail::add_delivery_maps(part.beam, part.collimator, speed, total);
  }
  const std::vector<double>& ends = total.planes[static_cast<std::size_t>(DeliveryChannel::leaf_ends)];
  std::vector<double>& speeds = total.planes[static_cast<std::size_t>(DeliveryChannel::leaf_speed)];
  // Less than 1e-9 MU/mm is rounding, and no end.
  for (std::size_t p = 0; p < ends.size(); ++p) speeds[p] = ends[p] > 1e-9 ? speeds[p] / ends[p] : 0;
  DeliveryMaps out;
  out.pixels = plane.pixels;
  out.values.reserve(kDeliveryChannels * ends.size());
  for (const std::vector<double>& channel : total.planes)
    for (const double v : channel) out.values.push_back(static_cast<float>(v));
  return out;
}

}  // namespace equipoise::psqa
