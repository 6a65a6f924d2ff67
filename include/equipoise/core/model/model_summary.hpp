// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What `eq::summary` returns: a model's parts with their options, parameters, shapes and
/// multiply-adds; as a table, as JSON and as a picture for Graphviz.

#include <equipoise/core/base/json_text.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/text_stream.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <numeric>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// An encoder, or the fusion or the head of a task. Shapes are of one record, without B.
struct PartSummary {
  std::string place;                       ///< `encoders.<modality>`, `fusions.<task>` or `heads.<task>`
  std::string kind;                        ///< the id of its spec; "module" for a module of your own
  OptionList options;                      ///< what it was built from
  std::int64_t trainable = 0, frozen = 0;  ///< numbers in parameters that require a gradient, and in the others
  std::vector<std::int64_t> input{};       ///< of an encoder or a head; empty where it is not known
  std::vector<std::int64_t> output{};      ///< of its feature, joint feature or prediction; empty where it is not known
  std::int64_t multiply_adds = 0;          ///< of one record; see core/model/multiply_adds.hpp for what counts
};

/// What `summary` returns.
struct ModelSummary {
  std::vector<PartSummary> parts;          ///< encoders, fusions, heads, each in the order of the model
  std::int64_t trainable = 0, frozen = 0;  ///< of the model: a parameter that two parts share counts once
  bool counted = false;                    ///< whether there are shapes and multiply-adds

  [[nodiscard]] std::int64_t multiply_adds() const {
    return std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                           [](std::int64_t sum, const PartSummary& p) { return sum + p.multiply_adds; });
  }
  /// The part's share of the multiply-adds, in [0, 1].
  [[nodiscard]] double share(const PartSummary& part) const {
    const std::int64_t all = multiply_adds();
    return all == 0 ? 0 : static_cast<double>(part.multiply_adds) / static_cast<double>(all);
  }
  [[nodiscard]] std::string text() const;      ///< a table with a line for each part, and the total
  [[nodiscard]] std::string json() const;      ///< an object
  [[nodiscard]] std::string graphviz() const;  ///< a digraph in the language of Graphviz: `dot -Tsvg`

  friend std::ostream& operator<<(std::ostream& out, const ModelSummary& summary) { return out << summary.text(); }
};

namespace detail {

[[nodiscard]] inline std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return out + "]";
}

[[nodiscard]] inline std::string percent_text(double share) {
  TextWriter out;
  out << std::fixed << std::setprecision(1) << 100 * share << " %";
  return std::move(out).str();
}

/// A text in quotation marks, in the language of Graphviz.
[[nodiscard]] inline std::string dot_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '\n' ? "\\n" : c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  return out + '"';
}

}  // namespace detail

inline std::string ModelSummary::text() const {
  std::vector<std::vector<std::string>> rows{
      {"part", "kind", "input", "output", "trainable", "frozen", "multiply-adds", "share"}};
  const auto numbers = [&](std::int64_t a, std::int64_t b, std::int64_t c, double d) {
    rows.back().insert(rows.back().end(),
                       {std::to_string(a), std::to_string(b), std::to_string(c), detail::percent_text(d)});
  };
  const auto shape = [](const std::vector<std::int64_t>& s) { return s.empty() ? "" : detail::shape_text(s); };
  for (const PartSummary& p : parts) {
    rows.push_back({p.place, p.kind, shape(p.input), shape(p.output)});
    numbers(p.trainable, p.frozen, p.multiply_adds, share(p));
  }
  rows.push_back({"together", "", "", ""});
  numbers(trainable, frozen, multiply_adds(), multiply_adds() == 0 ? 0 : 1);
  std::vector<std::size_t> columns = {0, 1, 4, 5};
  if (counted) columns = {0, 1, 2, 3, 4, 5, 6, 7};
  TextWriter out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (const std::size_t c : columns) {
      std::size_t width = 0;
      for (const auto& row : rows) width = std::max(width, row[c].size());
      out << (c == 0 ? "" : "  ") << (c < 4 ? std::left : std::right) << std::setw(static_cast<int>(width))
          << rows[r][c];
    }
    if (r > 0 && r <= parts.size())
      for (const auto& [key, value] : parts[r - 1].options) out << "  " << key << "=" << value;
    out << "\n";
  }
  return std::move(out).str();
}

inline std::string ModelSummary::json() const {
  TextWriter out;
  const auto parameters = [&](std::int64_t a, std::int64_t b) {
    out << "\"trainable\": " << a << ", \"frozen\": " << b;
  };
  out << "{\"parts\": [";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const PartSummary& p = parts[i];
    out << (i == 0 ? "\n" : ",\n") << "  {\"place\": " << json_text(p.place) << ", \"kind\": " << json_text(p.kind)
        << ", \"options\": {";
    for (std::size_t o = 0; o < p.options.size(); ++o)
      out << (o == 0 ? "" : ", ") << json_text(p.options[o].first) << ": " << json_text(p.options[o].second);
    out << "}, ";
    parameters(p.trainable, p.frozen);
    if (counted)
      out << ", \"input\": " << detail::shape_text(p.input) << ", \"output\": " << detail::shape_text(p.output)
          << ", \"multiply_adds\": " << p.multiply_adds << ", \"share\": " << share(p);
    out << "}";
  }
  out << "],\n ";
  parameters(trainable, frozen);
  if (counted) out << ", \"multiply_adds\": " << multiply_adds();
  out << "}\n";
  return std::move(out).str();
}

inline std::string ModelSummary::graphviz() const {
  TextWriter out;
  const auto edge = [&](const std::string& from, const std::string& to, const std::vector<std::int64_t>& shape) {
    out << "  " << detail::dot_text(from) << " -> " << detail::dot_text(to);
    if (!shape.empty()) out << " [label=" << detail::dot_text(detail::shape_text(shape)) << "]";
    out << ";\n";
  };
  const auto end = [&](const std::string& place, const std::string& name) {
    out << "  " << detail::dot_text(place + name) << " [shape=plaintext, label=" << detail::dot_text(name) << "];\n";
  };
  out << "digraph model {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n"
         "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (const PartSummary& p : parts) {
    const std::string name = p.place.substr(p.place.find('.') + 1);
    const bool is_frozen = p.trainable == 0 && p.frozen > 0;
    std::string label = name + ": " + p.kind + "\n" + std::to_string(p.trainable + p.frozen) + " parameters";
    if (is_frozen) label += ", frozen";
    if (counted)
      label += "\n" + std::to_string(p.multiply_adds) + " multiply-adds (" + detail::percent_text(share(p)) + ")";
    out << "  " << detail::dot_text(p.place) << " [label=" << detail::dot_text(label)
        << (is_frozen ? ", style=dashed" : "") << "];\n";
    if (p.place.starts_with("encoders.")) {
      end("inputs.", name);
      edge("inputs." + name, p.place, p.input);
      for (const PartSummary& to : parts)
        if (to.place.starts_with("fusions.")) edge(p.place, to.place, p.output);
    } else if (p.place.starts_with("heads.")) {
      end("outputs.", name);
      edge("fusions." + name, p.place, p.input);
      edge(p.place, "outputs." + name, p.output);
    }
  }
  out << "}\n";
  return std::move(out).str();
}

}  // namespace equipoise
