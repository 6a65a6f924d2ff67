// What every reader of the list keeps to. A small file of its kind comes from its own header.

#include <equipoise/psqa/readers/plan_reader.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

template <class R>
concept has_an_example = requires {
  { R::example() } -> std::same_as<std::string>;
};

fs::path written(const support::TemporaryFolder& folder, const std::string& text) {
  std::ofstream(folder.path() / "file", std::ios::binary) << text;
  return folder.path() / "file";
}

/// Reads a file with a reader, in each way that it has. \returns whether there was something in it, each time
template <class R>
bool read_all(const fs::path& path) {
  bool filled = true;
  if constexpr (ReadsDoses<R>)
    for (const bool interpolated : {false, true})
      filled = R::read_dose(path, {.interpolated = interpolated}).size() > 0 && filled;
  if constexpr (ReadsPlans<R>) filled = !R::read_plan(path, {}).beams.empty() && filled;
  if constexpr (ReadsLogs<R>) filled = !R::read_log(path).delivered.beams.empty() && filled;
  if constexpr (ReadsOthers<R>) (void)R::read(path);
  return filled;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a reader's example is of its kind, and of no other, and can be read", "[psqa][readers][law]",
                        EveryReader) {
  if constexpr (has_an_example<TestType>) {
    const support::TemporaryFolder folder;
    const fs::path path = written(folder, TestType::example());
    CHECK(file_kind(path) == kind_of<TestType>);
    CHECK(file_kind(path).name == TestType::name);
    CHECK(is_log(file_kind(path)) == ReadsLogs<TestType>);
    CHECK(is_plan(file_kind(path), path) == ReadsPlans<TestType>);
    CHECK(read_all<TestType>(path));
  } else {
    SUCCEED("its files are made by the project's writers");
  }
}

TEMPLATE_LIST_TEST_CASE("files of every kind that holds doses can be read as one", "[psqa][readers][law]",
                        EveryReader) {
  if constexpr (has_an_example<TestType>) {
    const support::TemporaryFolder folder;
    const fs::path path = written(folder, TestType::example());
    if constexpr (ReadsDoses<TestType>) {
      const DoseGrid one = read_dose(path), two = read_dose(path, 2);
      CHECK(one.size() == TestType::read_dose(path, {}).size());
      CHECK((two.spacing[1] == 2 * one.spacing[1]) == needs_spacing(kind_of<TestType>));
    } else {
      CHECK_THROWS_WITH(read_dose(path), Catch::Contains("file.443") && Catch::Contains(std::string(TestType::name)));
    }
  }
}

TEMPLATE_LIST_TEST_CASE("a file that is cut off anywhere is read or refused with an error of the library",
                        "[psqa][readers][law]", EveryReader) {
  if constexpr (has_an_example<TestType>) {
    const support::TemporaryFolder folder;
    const std::string whole = TestType::example();
    std::size_t refused = 0;
    for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 200) {
      try {
        (void)read_all<TestType>(written(folder, whole.substr(0, length)));
      } catch (const eq::FileError&) {
        ++refused;
      }
    }
    CHECK(refused > 0);
  }
}

TEMPLATE_LIST_TEST_CASE("a reader says what it reads", "[psqa][readers][law]", EveryReader) {
  CHECK_FALSE(TestType::name.empty());
  for (const FileDescription& d : TestType::descriptions) {
    CHECK_FALSE(d.kind.empty());
    CHECK_FALSE(d.read_as.empty());
    CHECK_FALSE(d.remarks.empty());
  }
}

TEST_CASE("files of no reader's kind are of another kind", "[psqa][readers][law]") {
  const support::TemporaryFolder folder;
  for (const char* text : {"", "words\n", "\x01\x02\x03"}) {
    const fs::path path = written(folder, text);
    CHECK(file_kind(path) == FileKind{});
    CHECK_FALSE(is_plan(file_kind(path), path));
    CHECK_FALSE(is_log(file_kind(path)));
  }
  CHECK_THROWS_AS(file_kind(folder.path() / "none"), eq::FileError);
}
