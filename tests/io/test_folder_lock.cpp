#include <equipoise/io/folder_lock.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
namespace io = equipoise::io;

namespace {

/// Whether another process may write into a folder.
bool free_for_another(const std::filesystem::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      const io::FolderLock lock(folder);
      ::_exit(0);
    } catch (const eq::FileError&) {
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a folder has one writer at a time, and no file of the lock", "[io][behaviour]") {
  const support::TemporaryFolder folder;
  {
    const io::FolderLock lock(folder.path());
    CHECK_FALSE(free_for_another(folder.path()));
    CHECK_THROWS_WITH(io::FolderLock(folder.path()), Catch::Contains("file.465") &&
                                                         Catch::Contains(folder.path().string()) &&
                                                         Catch::Contains("another process is writing"));
    CHECK(std::filesystem::is_empty(folder.path()));
  }
  CHECK(free_for_another(folder.path()));
}

TEST_CASE("a copy of a process keeps its lock until it ends", "[io][behaviour]") {
  const support::TemporaryFolder folder;
  int to_child[2];
  REQUIRE(::pipe(to_child) == 0);
  std::optional<io::FolderLock> lock(folder.path());
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(to_child[1]);
    char byte;
    ::_exit(::read(to_child[0], &byte, 1) == 0 ? 0 : 1);  // until the other end is closed
  }
  lock.reset();
  CHECK_FALSE(free_for_another(folder.path()));
  ::close(to_child[1]);
  ::waitpid(child, nullptr, 0);
  CHECK(free_for_another(folder.path()));
  ::close(to_child[0]);
}
