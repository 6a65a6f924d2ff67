// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The folder of real sample files, which users do not have: EQUIPOISE_DATA, or shared/data beside the checkout.

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

namespace support {

/// A folder of the samples, or an empty path with a printed reason.
inline std::filesystem::path samples(const std::string& folder) {
  std::filesystem::path root;
  if (const char* given = std::getenv("EQUIPOISE_DATA"))
    root = given;
  else if (const char* source = std::getenv("EQUIPOISE_SOURCE"))
    root = std::filesystem::path(source) / ".." / "shared" / "data";
  if (!root.empty() && std::filesystem::is_directory(root / folder)) return root / folder;
  std::cerr << "skipped: no sample files (" << folder << "); set EQUIPOISE_DATA\n";
  return {};
}

/// A file of tests/psqa/reported: small inputs on which psqa was once wrong or silent.
inline std::filesystem::path reported(const std::string& file) {
  const char* source = std::getenv("EQUIPOISE_SOURCE");
  return std::filesystem::path(source ? source : ".") / "tests" / "psqa" / "reported" / file;
}

/// A new folder that goes away with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "equipoise-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace support
