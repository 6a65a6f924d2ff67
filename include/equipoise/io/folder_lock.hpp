// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A lock on a folder, so that two processes do not write the same results into it.

#include <equipoise/core/base/errors.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace equipoise::io {

/// Held until it is destroyed, and by copies of the process (`fork`) until they end. It writes nothing, and ends with the
/// process however that ends. A file system without such locks is written to without one.
class FolderLock {
 public:
  /// \throws FileError where another one is held, in this process or another
  explicit FolderLock(const std::filesystem::path& folder)
      : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    ::close(descriptor_);
    throw FileError(message("file.465", folder.string(),
                            "another process is writing in this folder; wait until it ends, or choose another one"));
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  int descriptor_;
};

}  // namespace equipoise::io
