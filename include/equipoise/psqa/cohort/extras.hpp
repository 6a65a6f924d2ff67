// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a cohort may hold beside its records: delivery maps of its plans, and what monthly quality
/// assurance measured of its machines.

#include <equipoise/psqa/cohort/delivery_maps.hpp>
#include <equipoise/psqa/cohort/machines.hpp>
#include <equipoise/psqa/cohort/writer.hpp>
#include <equipoise/psqa/complexity/delivery_maps.hpp>
#include <equipoise/psqa/machine_qa.hpp>
#include <equipoise/psqa/simulator/monthly_qa.hpp>
#include <equipoise/psqa/simulator/settings.hpp>

#include <nlohmann/json.hpp>

#include <optional>
#include <vector>

namespace equipoise::psqa {

/// What a simulated cohort holds beside its records.
struct CohortExtras {
  bool delivery_maps = false;
  MachineQaNoise qa_noise{};  ///< of the figures in `machines.csv`
};

/// The plane of a cohort's delivery maps: that of its doses. Portal images of single fields lie
/// along the leaves.
[[nodiscard]] inline PlaneGeometry maps_plane(const CohortSettings& s) {
  return {.pixels = s.pixels, .spacing_mm = s.spacing_mm, .turned = s.records != RecordsOf::fields};
}

/// From here on a cohort holds delivery maps (`CohortWriter::append_maps`).
inline void keep_delivery_maps(CohortWriter& writer, const CohortSettings& s) {
  writer.keep_maps(kDeliveryMapsFile, {kDeliveryChannels, s.pixels, s.pixels}, "delivery_maps",
                   delivery_maps_description(maps_plane(s).turned));
}

/// Adds `machines.csv`. \param noise of simulated measurements; none where the figures were given
inline void add_machines(CohortWriter& writer, const std::vector<MachineQa>& machines,
                         const std::optional<MachineQaNoise>& noise) {
  nlohmann::ordered_json about{
      {"file", kMachinesFile}, {"provenance", noise ? "simulated" : "given"}, {"machines", machines.size()}};
  if (noise)
    about["noise"] = {{"leaf_gap_mm", noise->leaf_gap_mm},
                      {"transmission_percent", noise->transmission_percent},
                      {"output_percent", noise->output_percent},
                      {"leaf_mm", noise->leaf_mm}};
  writer.add_file(kMachinesFile, machines_csv(machines), "machine_qa", about);
}

}  // namespace equipoise::psqa
