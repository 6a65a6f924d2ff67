// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `TensorBoardLog`: a run's history as TensorBoard event files.
/// A file is a sequence of TFRecords: length (8 bytes), its masked CRC-32C (4), the data, their masked CRC-32C (4), all little
/// endian. The data are a protobuf message `Event` of TensorFlow's event.proto, written here by hand: wall_time = 1 (double),
/// step = 2 (int64), file_version = 3 (string), summary = 5 { value = 1 { tag = 1 (string), simple_value = 2 (float) } },
/// session_log = 7 { status = 1 (START = 1) }.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/training/callbacks.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace equipoise {

namespace detail {

inline constexpr std::array<std::uint32_t, 256> kCrc32c = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? (c >> 1U) ^ 0x82F63B78U : c >> 1U;
    table[i] = c;
  }
  return table;
}();

/// The Castagnoli CRC: of "123456789" it is 0xE3069283.
[[nodiscard]] constexpr std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t c = ~0U;
  for (const char b : bytes) c = kCrc32c[(c ^ static_cast<unsigned char>(b)) & 0xFFU] ^ (c >> 8U);
  return ~c;
}
static_assert(crc32c("123456789") == 0xE3069283U);

[[nodiscard]] constexpr std::uint32_t masked_crc32c(std::string_view bytes) {
  const std::uint32_t c = crc32c(bytes);
  return ((c >> 15U) | (c << 17U)) + 0xA282EAD8U;
}

/// An integer's bytes, the lowest first.
template <class T>
[[nodiscard]] std::string little_endian(T value) {
  std::string out;
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
  return out;
}

[[nodiscard]] inline std::string tf_record(std::string_view data) {
  const std::string length = little_endian(std::uint64_t{data.size()});
  return length + little_endian(masked_crc32c(length)) + std::string(data) + little_endian(masked_crc32c(data));
}

/// A protobuf message under construction.
class ProtoMessage {
 public:
  ProtoMessage& varint(std::uint32_t field, std::uint64_t value) {
    tag(field, 0);
    raw_varint(value);
    return *this;
  }
  ProtoMessage& real(std::uint32_t field, double value) {
    tag(field, 1);
    bytes_ += little_endian(std::bit_cast<std::uint64_t>(value));
    return *this;
  }
  ProtoMessage& real(std::uint32_t field, float value) {
    tag(field, 5);
    bytes_ += little_endian(std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  ProtoMessage& text(std::uint32_t field, std::string_view value) {
    tag(field, 2);
    raw_varint(value.size());
    bytes_ += value;
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void tag(std::uint32_t field, std::uint32_t wire_type) { raw_varint(field << 3U | wire_type); }
  void raw_varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

}  // namespace detail

/// Writes a file into a folder for each `fit`; a run that goes on from a checkpoint replaces in TensorBoard what an earlier
/// file has of later epochs. `tensorboard --logdir FOLDER` shows it; one folder a run.
class TensorBoardLog {
 public:
  explicit TensorBoardLog(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// \throws FileError when the file cannot be made.
  void on_run_begin(const RunView& run) {
    static std::atomic<int> files = 0;
    std::error_code none;  // the stream says whether there is a folder
    std::filesystem::create_directories(folder_, none);
    path_ = folder_ / ("events.out.tfevents." + std::to_string(static_cast<std::int64_t>(now())) + ".equipoise." +
                       std::to_string(::getpid()) + "." + std::to_string(files++));
    if (out_.is_open()) out_.close();
    out_.open(path_, std::ios::binary | std::ios::trunc);
    write(event(0).text(3, "brain.Event:2"));
    write(event(run.epoch).text(7, detail::ProtoMessage().varint(1, 1).bytes()));
  }
  void on_epoch_end(const RunView&, const EpochRecord& record) {
    detail::ProtoMessage summary;
    for (const auto& [name, value] : record.values)
      summary.text(1, detail::ProtoMessage().text(1, name).real(2, static_cast<float>(value)).bytes());
    write(event(record.epoch).text(5, summary.bytes()));
  }

 private:
  [[nodiscard]] static double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  [[nodiscard]] static detail::ProtoMessage event(std::int64_t step) {
    return detail::ProtoMessage().real(1, now()).varint(2, static_cast<std::uint64_t>(step));
  }
  void write(const detail::ProtoMessage& event) {
    out_ << detail::tf_record(event.bytes()) << std::flush;
    if (!out_) throw FileError(message("file.450", path_.string(), "a log that cannot be written"));
  }

  std::filesystem::path folder_, path_;
  std::ofstream out_;
};

static_assert(CheckCallback<TensorBoardLog>::ok);

}  // namespace equipoise
