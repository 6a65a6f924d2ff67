// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A file that appears whole or not at all: written under a temporary name beside it, synced, then renamed.

#include <equipoise/core/base/errors.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace equipoise::io {

class AtomicFile {
 public:
  /// \throws FileError when the temporary file cannot be made.
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_.string() + ".part") {
    if (std::error_code error; std::filesystem::is_directory(path_, error))
      throw FileError(message("file.403", path_.string(), "expected the name of a file, got a folder"));
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail("cannot be created");
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  /// \throws FileError when the disk does not take all of it.
  void write(const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = ::write(descriptor_, at, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot be written");
      at += n;
      size -= static_cast<std::size_t>(n);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Writes over what the file begins with; what is written after it goes on at the end.
  void rewrite_start(std::string_view text) {
    if (::lseek(descriptor_, 0, SEEK_SET) < 0) fail("cannot be rewound");
    write(text);
    if (::lseek(descriptor_, 0, SEEK_END) < 0) fail("cannot be rewound");
  }

  /// Makes the file appear under its name.
  void commit() {
    if (::fsync(descriptor_) != 0) fail("cannot be synced");
    if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be closed");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be renamed");
    committed_ = true;
  }

 private:
  [[noreturn]] void fail(std::string_view what) {
    const std::string reason = std::strerror(errno);
    discard();
    throw FileError(message("file.403", path_.string(), what, ": ", reason));
  }
  void discard() {
    if (committed_) return;
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    ::unlink(temporary_.c_str());
  }

  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace equipoise::io
