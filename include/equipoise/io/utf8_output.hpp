// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Output streams in UTF-8: names of files and texts in them come in any encoding, and a terminal, a log or a script gets
/// one. The rule is that of `as_utf8`.

#include <equipoise/core/base/utf8.hpp>

#include <cstddef>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace equipoise::io {

/// As long as it lives, what is written to a stream arrives as UTF-8; bytes that are not UTF-8 are taken as Latin-1. A
/// character may be written in parts.
class Utf8Output : public std::streambuf {
 public:
  explicit Utf8Output(std::ostream& stream) : stream_(stream), target_(stream.rdbuf(this)) {}
  Utf8Output(const Utf8Output&) = delete;
  Utf8Output& operator=(const Utf8Output&) = delete;
  ~Utf8Output() override {
    (void)pass_on(pending_.size());
    target_->pubsync();
    stream_.rdbuf(target_);
  }

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char byte = traits_type::to_char_type(c);
    return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* text, std::streamsize n) override {
    pending_.append(text, static_cast<std::size_t>(n));
    return pending_.size() < kLongest || pass_on(pending_.size() - unfinished()) ? n : 0;
  }
  int sync() override {
    const bool passed = pass_on(pending_.size() - unfinished());
    return passed && target_->pubsync() == 0 ? 0 : -1;
  }

 private:
  static constexpr std::size_t kLongest = 1 << 13;

  /// The bytes at the end that may be the beginning of a character.
  [[nodiscard]] std::size_t unfinished() const {
    for (std::size_t n = 1; n <= 3 && n <= pending_.size(); ++n) {
      const auto byte = static_cast<unsigned char>(pending_[pending_.size() - n]);
      if (byte < 0x80) return 0;
      if (byte < 0xc0) continue;
      const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return n < length ? n : 0;
    }
    return 0;
  }
  bool pass_on(std::size_t n) {
    const std::string text = as_utf8(std::string_view(pending_).substr(0, n));
    pending_.erase(0, n);
    return target_->sputn(text.data(), static_cast<std::streamsize>(text.size())) ==
           static_cast<std::streamsize>(text.size());
  }

  std::ostream& stream_;
  std::streambuf* target_;
  std::string pending_;
};

}  // namespace equipoise::io
