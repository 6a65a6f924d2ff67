// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// String streams that write and read numbers in the same way whatever the program's locale is: 1024, not 1,024.

#include <locale>
#include <sstream>
#include <string>

namespace equipoise {

/// An output stream to a string, in the classic locale.
struct TextWriter : std::ostringstream {
  TextWriter() { imbue(std::locale::classic()); }
};

/// An input stream from a string, in the classic locale.
struct TextReader : std::istringstream {
  explicit TextReader(const std::string& text) : std::istringstream(text) { imbue(std::locale::classic()); }
};

}  // namespace equipoise
