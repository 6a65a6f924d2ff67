// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The summary of warnings at the end of a command that gave two at least. Every line on standard error that begins with `warning: ` counts, so
/// that no command can forget one. Warnings are of one kind where they differ in the file, in numbers or in both.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace psqa_program {

/// Passes on what is written to a stream, and counts the warnings in it.
class WarningSummary : public std::streambuf {
 public:
  explicit WarningSummary(std::ostream& stream) : stream_(stream), to_(stream.rdbuf(this)) {}
  WarningSummary(const WarningSummary&) = delete;
  WarningSummary& operator=(const WarningSummary&) = delete;
  ~WarningSummary() override { stream_.rdbuf(to_); }

  /// Writes how many warnings there were of each kind; nothing where there was at most one.
  void print() {
    const std::vector<Kind> kinds = std::move(kinds_);
    std::size_t all = 0;
    for (const Kind& k : kinds) all += k.count;
    if (all < 2) return;
    stream_ << all << " warnings in all:\n";
    for (const Kind& k : kinds) stream_ << "  " << k.count << " x " << text_of(k) << "\n";
  }

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    take(traits_type::to_char_type(c));
    return to_->sputc(traits_type::to_char_type(c));
  }
  std::streamsize xsputn(const char* text, std::streamsize n) override {
    for (std::streamsize i = 0; i < n; ++i) take(text[i]);
    return to_->sputn(text, n);
  }
  int sync() override { return to_->pubsync(); }

 private:
  /// Texts and numbers that alternate, a text first: `beam `, `12`, `: crossed leaves`.
  struct Kind {
    std::vector<std::string> parts;
    std::vector<bool> differs;  ///< of the parts, which are numbers
    std::size_t count = 1;
  };

  void take(char c) {
    if (c != '\n') return void(line_ += c);
    constexpr std::string_view begin = "warning: ";
    if (line_.starts_with(begin)) add(without_file(line_.substr(begin.size())));
    line_.clear();
  }

  /// A warning without the name of the file that it is about.
  static std::string without_file(const std::string& text) {
    std::error_code error;
    for (std::size_t at = text.find(": "); at != std::string::npos; at = text.find(": ", at + 1))
      if (std::filesystem::exists(text.substr(0, at), error)) return text.substr(at + 2);
    return text;
  }

  static std::vector<std::string> parts_of(const std::string& text) {
    std::vector<std::string> out(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto digit = [&](std::size_t k) { return k < text.size() && text[k] >= '0' && text[k] <= '9'; };
      const bool number = digit(i) || (out.size() % 2 == 0 && text[i] == '.' && digit(i + 1));
      if (number != (out.size() % 2 == 0)) out.emplace_back();
      out.back() += text[i];
    }
    return out;
  }

  void add(const std::string& text) {
    std::vector<std::string> parts = parts_of(text);
    const auto same_kind = [&](const Kind& k) {
      if (k.parts.size() != parts.size()) return false;
      for (std::size_t i = 0; i < parts.size(); i += 2)
        if (k.parts[i] != parts[i]) return false;
      return true;
    };
    const auto kind = std::find_if(kinds_.begin(), kinds_.end(), same_kind);
    if (kind == kinds_.end()) return void(kinds_.push_back({parts, std::vector<bool>(parts.size(), false)}));
    ++kind->count;
    for (std::size_t i = 1; i < parts.size(); i += 2)
      if (kind->parts[i] != parts[i]) kind->differs[i] = true;
  }

  /// The kind's text, with `…` for numbers that its warnings do not share.
  static std::string text_of(const Kind& kind) {
    std::string out;
    for (std::size_t i = 0; i < kind.parts.size(); ++i) out += kind.differs[i] ? "…" : kind.parts[i];
    return out;
  }

  std::ostream& stream_;
  std::streambuf* to_;
  std::string line_;
  std::vector<Kind> kinds_;
};

}  // namespace psqa_program
