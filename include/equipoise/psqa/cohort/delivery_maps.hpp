// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `delivery_maps.npy`, the optional delivery maps of a cohort's plans: float32 [N, C, H, W], the
/// channels named in `cohort.json`. The file is mapped into memory: only the records that are
/// looked at are read.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/mapped_file.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/delivery_channels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

inline constexpr const char* kDeliveryMapsFile = "delivery_maps.npy";

/// What `cohort.json` says of delivery maps, under "delivery_maps".
/// \param turned whether beams lie turned by their collimator's angle, else along the leaves
[[nodiscard]] inline nlohmann::ordered_json delivery_maps_description(bool turned) {
  nlohmann::ordered_json channels = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < kDeliveryChannels; ++c)
    channels.push_back({{"name", names_of(DeliveryChannel{})[c]}, {"unit", kDeliveryUnits[c]}});
  return {{"file", kDeliveryMapsFile},
          {"channels", channels},
          {"geometry", turned ? "each beam turned by its collimator's angle" : "along the leaves"}};
}

/// A channel of a cohort's maps.
struct NamedChannel {
  std::string name, unit;
};

/// The channels of a cohort's maps; none where it holds no maps. \throws FileError for a
/// description that is malformed
[[nodiscard]] inline std::vector<NamedChannel> delivery_channels(const Cohort& cohort) {
  std::vector<NamedChannel> out;
  try {
    if (cohort.about.contains("delivery_maps"))
      for (const nlohmann::ordered_json& c : cohort.about.at("delivery_maps").at("channels"))
        out.push_back({c.at("name"), c.at("unit")});
  } catch (const nlohmann::json::exception& e) {
    throw FileError(
        message("file.437", "cohort.json delivery_maps", "expected names and units of channels: ", e.what()));
  }
  return out;
}

/// The delivery maps of a cohort's records.
class CohortMaps {
 public:
  /// \throws FileError when the cohort holds no maps, or they do not go with its records and planes
  CohortMaps(const std::filesystem::path& folder, const Cohort& cohort)
      : where_((folder / kDeliveryMapsFile).string()), channels_(delivery_channels(cohort)) {
    if (channels_.empty())
      throw FileError(message("file.437", folder.string(),
                              "expected delivery maps, got a cohort without them: make it with --delivery-maps"));
    const io::detail::NpyLayout layout = io::detail::npy_layout(where_);
    if (layout.type != "<f4" || layout.fortran || layout.begin % sizeof(float) != 0)
      throw FileError(message("file.413", where_, "expected numbers of type <f4 in C order"));
    layout.check_size(sizeof(float), where_);
    const std::vector<std::size_t> planes = io::detail::npy_layout(folder / "planned.npy").shape;
    std::vector<std::size_t> expected = {cohort.records.size(), channels_.size()};
    expected.insert(expected.end(), planes.begin() + (planes.empty() ? 0 : 1), planes.end());
    if (layout.shape != expected)
      throw FileError(message("file.435", where_, "expected maps ", io::detail::shape_text(expected),
                              " as records, channels and planes, got ", io::detail::shape_text(layout.shape)));
    for (const CohortRecord& r : cohort.records) ids_.push_back(r.id);
    begin_ = layout.begin, size_ = layout.count() / std::max<std::size_t>(1, ids_.size());
    file_.emplace(where_);
    if (file_->size() != layout.file_size)
      throw FileError(message("file.412", where_, "expected a file that does not change while it is opened"));
  }

  [[nodiscard]] const std::vector<NamedChannel>& channels() const { return channels_; }

  /// The maps [C, H, W] of a record, which live as long as this object. \throws FileError for
  /// values that are not finite
  [[nodiscard]] std::span<const float> record(std::size_t i) const {
    const std::span<const float> out(reinterpret_cast<const float*>(file_->data() + begin_) + i * size_, size_);
    if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }))
      throw FileError(message("file.436", where_, "record ", ids_.at(i), ": expected finite numbers"));
    return out;
  }

 private:
  std::string where_;
  std::vector<NamedChannel> channels_;
  std::vector<std::string> ids_;
  std::size_t begin_ = 0, size_ = 0;
  std::optional<io::MappedFile> file_;
};

}  // namespace equipoise::psqa
