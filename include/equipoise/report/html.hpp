// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One self-contained HTML page: sections, tables, charts, images. No script, no network; light and dark; readable on a
/// phone.

#include <equipoise/io/atomic_file.hpp>
#include <equipoise/report/svg.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::report {

[[nodiscard]] inline std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                (i + 1 < bytes.size() ? static_cast<std::uint32_t>(bytes[i + 1]) << 8 : 0U) |
                                (i + 2 < bytes.size() ? static_cast<std::uint32_t>(bytes[i + 2]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : digits[(group >> (18 - 6 * k)) & 63U];
  }
  return out;
}

class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}

  void heading(std::string_view text) { body_ += "<h2>" + escaped(text) + "</h2>\n"; }
  void paragraph(std::string_view text) { body_ += "<p>" + escaped(text) + "</p>\n"; }
  void chart(const Chart& c) { body_ += svg(c) + "\n"; }
  /// Charts side by side where there is room; images stay small enough to be compared.
  void row(const std::vector<std::string>& figures, bool images = false) {
    body_ += images ? "<div class='row images'>" : "<div class='row'>";
    for (const std::string& f : figures) body_ += f;
    body_ += "</div>\n";
  }
  /// Cells as text; the first column is a heading. Wide tables scroll by themselves.
  void table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
    body_ += "<div class='scroll'><table><thead><tr>";
    for (const std::string& h : header) body_ += "<th>" + escaped(h) + "</th>";
    body_ += "</tr></thead><tbody>";
    for (const auto& row : rows) {
      body_ += "<tr>";
      for (std::size_t i = 0; i < row.size(); ++i)
        body_ += (i == 0 ? "<th>" : "<td>") + escaped(row[i]) + (i == 0 ? "</th>" : "</td>");
      body_ += "</tr>";
    }
    body_ += "</tbody></table></div>\n";
  }
  void details(std::string_view summary, std::string_view text) {
    body_ += "<details><summary>" + escaped(summary) + "</summary><pre>" + escaped(text) + "</pre></details>\n";
  }

  [[nodiscard]] static std::string image(std::span<const std::uint8_t> png, std::string_view caption) {
    return "<figure class='image'><img alt='" + escaped(caption) + "' src='data:image/png;base64," + base64(png) +
           "'><figcaption>" + escaped(caption) + "</figcaption></figure>";
  }

  [[nodiscard]] std::string html() const {
    return "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
           "content='width=device-width,initial-scale=1'><title>" +
           escaped(title_) + "</title><style>" + std::string(style()) + "</style></head><body><main><h1>" +
           escaped(title_) + "</h1>\n" + body_ + "</main></body></html>\n";
  }

  /// \throws FileError when it cannot be written.
  void write(const std::filesystem::path& path) const {
    io::AtomicFile file(path);
    file.write(html());
    file.commit();
  }

 private:
  [[nodiscard]] static std::string_view style() {
    return ":root{--bg:#fff;--fg:#1d2330;--soft:#5c6678;--line:#dfe3ea;--c0:#2563a8;--c1:#c8553d;--c2:#3b8a5a;--c3:#"
           "8a5fb0;--c4:#b08a2e;--c5:#2e9aa8;--c6:#a83279;--c7:#6b7280}"
           "@media(prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e6e9ef;--soft:#9aa4b5;--line:#2b323d;--c0:#"
           "6ba6e8;--c1:#ef8a72;--c2:#6fc492;--c3:#b996df;--c4:#dcb85c;--c5:#63c7d4;--c6:#e07bb8;--c7:#9ca3af}}"
           "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 "
           "system-ui,sans-serif}main{max-width:1060px;margin:0 auto;padding:28px 18px 60px}"
           "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .6em}h2{font-size:1.2rem;margin:2.2em 0 "
           ".6em;padding-bottom:.25em;border-bottom:1px solid var(--line)}p{max-width:46em}"
           ".row{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px}.row.images{grid-"
           "template-columns:repeat(auto-fit,minmax(150px,1fr))}figure{margin:12px 0;min-width:0;max-width:640px}"
           "figcaption{color:var(--soft);font-size:.86rem;margin:.2em 0}svg{width:100%;height:auto;display:block}svg "
           "text{fill:var(--soft);font:12px system-ui,sans-serif}svg text.label{fill:var(--fg)}"
           ".grid{stroke:var(--line)}.axis{stroke:var(--soft)}.identity{stroke:var(--soft);stroke-dasharray:5 "
           "4}.whisker{stroke:var(--fg);stroke-width:1.4}"
           ".legend{font-size:.86rem;margin:.3em 0}.legend span{margin-right:1.1em;white-space:nowrap}.legend "
           "i{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em}"
           ".image{display:inline-block}.image img{width:100%;image-rendering:pixelated;border:1px solid "
           "var(--line)}.scroll{overflow-x:auto}"
           "table{border-collapse:collapse;font-size:.78rem;font-variant-numeric:tabular-nums}th,td{padding:.38em "
           ".5em;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}"
           "th:first-child,td:first-child{text-align:left}thead th{color:var(--soft);font-weight:600}tbody "
           "th{font-weight:600}pre{overflow-x:auto;font-size:.8rem}summary{cursor:pointer}@media(max-width:600px){svg "
           "text{font-size:16px}}";
  }

  std::string title_, body_;
};

}  // namespace equipoise::report
