// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One self-contained HTML page: sections, tables, charts, images. No script, no network; light and dark; readable on a
/// phone.

#include <equipoise/io/atomic_file.hpp>
#include <equipoise/report/data_url.hpp>
#include <equipoise/report/dot_plot.hpp>
#include <equipoise/report/map_svg.hpp>
#include <equipoise/report/markup.hpp>
#include <equipoise/report/svg.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::report {

namespace detail {

/// A cell's text whose intervals `[low, high]` are not broken between their numbers.
[[nodiscard]] inline std::string with_whole_intervals(const std::string& text) {
  std::string out;
  bool inside = false;
  for (const char c : text) {
    inside = c == '[' || (inside && c != ']');
    if (inside && c == ' ')
      out += "\u00a0";
    else
      out += c;
  }
  return out;
}

}  // namespace detail

/// The colours of a map from its lowest value to its highest, with units.
struct ColourBar {
  std::vector<std::uint8_t> png;  ///< one row of pixels
  std::string low, high;          ///< `-10 %`, `+10 %`
};

/// A PNG file's bytes, what is in it, and what its colours mean.
struct Image {
  std::vector<std::uint8_t> png;
  std::string caption;
  std::optional<ColourBar> bar{};
};

class Page {
 public:
  explicit Page(const std::string& title) {
    using detail::append;
    document_.append_child(pugi::node_doctype).set_value("html");
    pugi::xml_node html = append(document_, "html", {{"lang", "en"}}), head = append(html, "head");
    append(head, "meta", {{"charset", "utf-8"}});
    append(head, "meta", {{"name", "viewport"}, {"content", "width=device-width,initial-scale=1"}});
    append(head, "title", {}, title);
    append(head, "style", {}, style());
    main_ = append(append(html, "body"), "main");
    append(main_, "h1", {}, title);
    end_line();
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  void heading(const std::string& text) { block("h2", text); }
  void paragraph(const std::string& text) { block("p", text); }
  /// Names and values, a line each.
  void facts(const std::vector<std::pair<std::string, std::string>>& facts) {
    pugi::xml_node list = detail::append(main_, "dl", {}, "");
    for (const auto& [name, value] : facts) {
      detail::append(list, "dt", {}, name);
      detail::append(list, "dd", {}, value);
    }
    end_line();
  }
  void chart(const Chart& c) {
    detail::append_chart(main_, c);
    end_line();
  }
  void chart(const DotPlot& plot) {
    detail::append_dots(main_, plot);
    end_line();
  }
  /// Charts side by side where there is room.
  void row(const std::vector<Chart>& charts) {
    pugi::xml_node row = detail::append(main_, "div", {{"class", "row"}});
    for (const Chart& c : charts) detail::append_chart(row, c);
    if (charts.empty()) detail::append_text(row, "");
    end_line();
  }
  void row(const std::vector<DotPlot>& plots) {
    pugi::xml_node row = detail::append(main_, "div", {{"class", "row"}});
    for (const DotPlot& plot : plots) detail::append_dots(row, plot);
    if (plots.empty()) detail::append_text(row, "");
    end_line();
  }
  /// Images side by side, small enough to be compared.
  void row(const std::vector<Image>& images) {
    pugi::xml_node row = detail::append(main_, "div", {{"class", "row images"}});
    for (const Image& image : images) {
      pugi::xml_node figure = detail::append(row, "figure", {{"class", "image"}});
      detail::append(figure, "img", {{"alt", image.caption}, {"src", data_url(image.png)}});
      if (image.bar) {
        pugi::xml_node bar = detail::append(figure, "div", {{"class", "bar"}});
        detail::append(bar, "span", {}, image.bar->low);
        detail::append(
            bar, "img",
            {{"alt", "colours from " + image.bar->low + " to " + image.bar->high}, {"src", data_url(image.bar->png)}});
        detail::append(bar, "span", {}, image.bar->high);
      }
      detail::append(figure, "figcaption", {}, image.caption);
    }
    if (images.empty()) detail::append_text(row, "");
    end_line();
  }
  /// Maps with axes and colour bars, side by side where there is room.
  void row(const std::vector<MapFigure>& maps) {
    pugi::xml_node row = detail::append(main_, "div", {{"class", "row"}});
    for (const MapFigure& map : maps) detail::append_map(row, map);
    if (maps.empty()) detail::append_text(row, "");
    end_line();
  }
  /// Lines to fill in by hand, each with what belongs on it: `Name`, `Date`, `Signature`.
  void signature(const std::vector<std::string>& names) {
    pugi::xml_node row = detail::append(main_, "div", {{"class", "sign"}});
    for (const std::string& name : names) detail::append(row, "span", {}, name);
    end_line();
  }
  /// Lines of a list.
  void list(const std::vector<std::string>& lines) {
    pugi::xml_node list = detail::append(main_, "ul", {}, "");
    for (const std::string& line : lines) detail::append(list, "li", {}, line);
    end_line();
  }
  /// Cells as text; the first column is a heading. Cells wrap before an interval `[low, high]`. Tables that are still too
  /// wide scroll by themselves, and their first column stays.
  void table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
    using detail::append;
    pugi::xml_node table = append(append(main_, "div", {{"class", "scroll"}}), "table");
    pugi::xml_node names = append(append(table, "thead"), "tr", {}, ""), body = append(table, "tbody", {}, "");
    for (const std::string& h : header) append(names, "th", {}, h);
    for (const auto& row : rows) {
      pugi::xml_node line = append(body, "tr", {}, "");
      for (std::size_t i = 0; i < row.size(); ++i)
        append(line, i == 0 ? "th" : "td", {}, detail::with_whole_intervals(row[i]));
    }
    end_line();
  }
  void details(const std::string& summary, const std::string& text) {
    pugi::xml_node details = detail::append(main_, "details");
    detail::append(details, "summary", {}, summary);
    detail::append(details, "pre", {}, text);
    end_line();
  }

  [[nodiscard]] std::string html() const { return detail::written(document_) + "\n"; }

  /// \throws FileError when it cannot be written.
  void write(const std::filesystem::path& path) const {
    io::AtomicFile file(path);
    file.write(html());
    file.commit();
  }

 private:
  void block(const char* name, const std::string& text) {
    detail::append(main_, name, {}, text);
    end_line();
  }
  /// So that the source has lines.
  void end_line() { detail::append_text(main_, "\n"); }

  [[nodiscard]] static const char* style() {
    return ":root{--bg:#fff;--fg:#1d2330;--soft:#5c6678;--line:#dfe3ea;--c0:#2563a8;--c1:#c8553d;--c2:#3b8a5a;--c3:#"
           "8a5fb0;--c4:#b08a2e;--c5:#2e9aa8;--c6:#a83279;--c7:#6b7280}"
           "@media(prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e6e9ef;--soft:#9aa4b5;--line:#2b323d;--c0:#"
           "6ba6e8;--c1:#ef8a72;--c2:#6fc492;--c3:#b996df;--c4:#dcb85c;--c5:#63c7d4;--c6:#e07bb8;--c7:#9ca3af}}"
           "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 "
           "system-ui,sans-serif}main{max-width:1200px;margin:0 auto;padding:28px 18px 60px}"
           "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .6em}h2{font-size:1.2rem;margin:2.2em 0 "
           ".6em;padding-bottom:.25em;border-bottom:1px solid var(--line)}p{max-width:46em;overflow-wrap:anywhere}"
           ".row{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px}.row.images{grid-"
           "template-columns:repeat(auto-fit,minmax(150px,1fr))}figure{margin:12px 0;min-width:0;max-width:640px}"
           "figcaption{color:var(--soft);font-size:.86rem;margin:.2em 0}svg{width:100%;height:auto;display:block}svg "
           "text{fill:var(--soft);font:12px system-ui,sans-serif}svg text.label{fill:var(--fg)}"
           ".grid{stroke:var(--line)}.axis{stroke:var(--soft)}.identity{stroke:var(--soft);stroke-dasharray:5 "
           "4}.whisker{stroke:var(--fg);stroke-width:1.4}"
           ".legend{font-size:.86rem;margin:.3em 0}.legend span{margin-right:1.1em;white-space:nowrap}.legend "
           "i{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em}.legend "
           "i.line{width:1.6em;height:.18em;vertical-align:middle}.legend "
           "i.dashed{width:1.6em;height:0;border-top:.18em dashed;border-radius:0;vertical-align:middle}"
           "dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.1em 1em;margin:0 0 "
           "1em;font-size:.86rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
           ".image .bar{display:flex;gap:.4em;align-items:center;font-size:.78rem;color:var(--soft);margin-top:.2em;"
           "white-space:nowrap}.image .bar img{flex:1;min-width:0;height:.7em;image-rendering:auto}"
           ".image{display:inline-block}.image img{width:100%;image-rendering:pixelated;border:1px solid "
           "var(--line)}.scroll{overflow-x:auto;background:linear-gradient(to left,var(--bg) 35%,transparent) 100% "
           "0/36px "
           "100% no-repeat local,linear-gradient(to left,var(--soft) -150%,transparent) 100% 0/14px 100% no-repeat "
           "scroll}"
           "table{border-collapse:separate;border-spacing:0;font-size:.78rem;font-variant-numeric:tabular-nums;line-"
           "height:20px}th,td{"
           "padding:5px 6px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}"
           "th:first-child{text-align:left;position:sticky;left:0;background:var(--bg)}.scroll "
           "th:first-child{border-right:1px solid var(--line)}thead th{color:var(--soft);font-weight:600}tbody "
           "th{font-weight:600}pre{overflow-x:auto;font-size:.8rem}summary{cursor:pointer}@media(max-width:600px){svg "
           "text{font-size:16px}th:first-child{max-width:38vw;white-space:normal;overflow-wrap:break-word}.legend "
           "span{white-space:normal}"
           "dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4em}}"
           "svg text.row{fill:var(--fg);stroke:var(--bg);stroke-width:5px;paint-order:stroke}"
           "svg .span{stroke:var(--fg);stroke-width:4;stroke-linecap:round}"
           "svg .place{font:bold 12px system-ui,sans-serif;fill:#000;stroke:#fff;stroke-width:3px;paint-order:stroke}"
           "ul{max-width:46em;padding-left:1.2em;overflow-wrap:anywhere}"
           ".sign{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:2.6em 2em;margin-top:3.4em}"
           ".sign span{border-top:1px solid var(--fg);padding-top:.3em;font-size:.86rem;color:var(--soft)}"
           ".scroll th,.scroll td{white-space:normal;vertical-align:top}"
           "@media print{.scroll{overflow:visible;background:none}.scroll th:first-child{position:static}}"
           "@media print{:root{--bg:#fff;--fg:#1d2330;--soft:#4a5364;--line:#cfd5df;--c0:#2563a8;--c1:#c8553d;--c2:#"
           "3b8a5a;--c3:#8a5fb0;--c4:#b08a2e;--c5:#2e9aa8;--c6:#a83279;--c7:#6b7280}body{font-size:12px;"
           "print-color-adjust:exact;-webkit-print-color-adjust:exact}main{max-width:none;padding:0}h2{break-after:"
           "avoid}figure,.sign,tr{break-inside:avoid}.row{grid-template-columns:1fr 1fr}}";
  }

  pugi::xml_document document_;
  pugi::xml_node main_;
};

}  // namespace equipoise::report
