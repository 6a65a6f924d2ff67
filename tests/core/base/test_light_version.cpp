#include <equipoise/version.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "support/catch.hpp"

TEST_CASE("the version in the header is the project's", "[core][worked]") {
  const std::string numbers = std::to_string(EQUIPOISE_VERSION_MAJOR) + "." + std::to_string(EQUIPOISE_VERSION_MINOR) +
                              "." + std::to_string(EQUIPOISE_VERSION_PATCH);
  CHECK(equipoise::version == numbers);
  const char* source = std::getenv("EQUIPOISE_SOURCE");
  if (!source) return;
  std::ifstream in(std::string(source) + "/CMakeLists.txt");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  std::smatch found;
  REQUIRE(std::regex_search(text, found, std::regex("project\\(equipoise VERSION ([0-9.]+)")));
  CHECK(found[1] == numbers);
}
