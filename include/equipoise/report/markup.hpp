// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Elements, attributes and text of HTML and SVG. pugixml nests and escapes them, so that what is written is well-formed
/// whatever a name or a message holds.

#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/core/base/utf8.hpp>

#include <pugixml.hpp>

#include <initializer_list>
#include <string>
#include <utility>

namespace equipoise::report::detail {

struct Attribute {
  const char* name;
  std::string value;
};

/// Text behind what the element holds already.
inline void append_text(pugi::xml_node to, const std::string& text) {
  to.append_child(pugi::node_pcdata).set_value(text.c_str());
}

/// A new last child.
inline pugi::xml_node append(pugi::xml_node to, const char* name, std::initializer_list<Attribute> attributes = {}) {
  pugi::xml_node node = to.append_child(name);
  for (const Attribute& a : attributes) node.append_attribute(a.name).set_value(a.value.c_str());
  return node;
}

/// A new last child that holds text. It has a closing tag even where the text is empty: in HTML only elements that are
/// always empty, as <img/>, go without.
inline pugi::xml_node append(pugi::xml_node to, const char* name, std::initializer_list<Attribute> attributes,
                             const std::string& text) {
  pugi::xml_node node = append(to, name, attributes);
  append_text(node, text);
  return node;
}

/// The document in UTF-8 (`as_utf8`), without an XML declaration and without added space, which HTML would show.
[[nodiscard]] inline std::string written(const pugi::xml_document& document) {
  TextWriter out;
  document.save(out, "", pugi::format_raw | pugi::format_no_declaration | pugi::format_skip_control_chars,
                pugi::encoding_utf8);
  return as_utf8(std::move(out).str());
}

}  // namespace equipoise::report::detail
