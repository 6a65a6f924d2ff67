// SPDX-License-Identifier: MIT
#include <equipoise/core/base/ranges.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace views = equipoise::views;

namespace {

template <class View>
auto elements(const View& view) {
  std::vector<std::pair<std::remove_cvref_t<decltype((*view.begin()).first)>,
                        std::remove_cvref_t<decltype((*view.begin()).second)>>>
      out;
  for (const auto& [a, b] : view) out.emplace_back(a, b);
  return out;
}

const std::vector<int> kNone;

}  // namespace

TEST_CASE("zip ends with the shorter list", "[core][ranges]") {
  const std::vector<int> numbers{1, 2, 3};
  const std::array<std::string, 2> words{"one", "two"};
  const std::vector<std::pair<int, std::string>> expected{{1, "one"}, {2, "two"}};
  CHECK(elements(views::zip(numbers, words)) == expected);
  CHECK(elements(views::zip(words, numbers)).size() == 2);
  CHECK(elements(views::zip(numbers, kNone)).empty());
  CHECK(elements(views::zip(kNone, numbers)).empty());
}

TEST_CASE("adjacent has one pair fewer than elements", "[core][ranges]") {
  const std::vector<int> numbers{1, 4, 9};
  CHECK(elements(views::adjacent(numbers)) == std::vector<std::pair<int, int>>{{1, 4}, {4, 9}});
  CHECK(elements(views::adjacent(kNone)).empty());
  const std::vector<int> one{5};
  CHECK(elements(views::adjacent(one)).empty());
}

TEST_CASE("enumerate counts from zero and refers to the elements", "[core][ranges]") {
  const std::vector<std::string> words{"a", "b"};
  CHECK(elements(views::enumerate(words)) == std::vector<std::pair<std::size_t, std::string>>{{0, "a"}, {1, "b"}});
  for (const auto& [i, word] : views::enumerate(words)) CHECK(&word == &words[i]);
  CHECK(elements(views::enumerate(kNone)).empty());
}
