#include <equipoise/core/base/named_tuple.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/reflect.hpp>

#include <boost/hana/at_key.hpp>
#include <boost/hana/keys.hpp>
#include <boost/hana/length.hpp>
#include <boost/hana/string.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

struct Spec {
  std::int64_t width = 3;
  double rate = 0.5;
  bool on = true;
  std::vector<std::int64_t> list = {1, 2};
  friend bool operator==(const Spec&, const Spec&) = default;
};

}  // namespace

EQUIPOISE_REFLECT(Spec, width, rate, on, list);

TEST_CASE("a record keeps its order and finds its entries by name", "[core][record]") {
  eq::named_tuple r{eq::slot<"dose", int>{1}, eq::slot<"metrics", double>{2.5}};
  CHECK(r["dose"_n] == 1);
  CHECK(r["metrics"_n] == 2.5);
  r["dose"_n] = 4;
  std::string order;
  r.for_each([&](auto key, auto) { order += std::string(decltype(key)::type::text) + " "; });
  CHECK(order == "dose metrics ");
  CHECK(decltype(r)::index<eq::name<"metrics">>() == 1);
}

TEST_CASE("a record is a Hana Struct", "[core][record]") {
  const eq::named_tuple r{eq::slot<"dose", int>{7}, eq::slot<"metrics", double>{2.5}};
  CHECK(boost::hana::at_key(r, "dose"_n) == 7);
  STATIC_REQUIRE(decltype(boost::hana::length(boost::hana::keys(r)))::value == 2);
}

TEST_CASE("a reflected aggregate is a Hana Struct", "[core][options]") {
  const Spec spec{.width = 7};
  CHECK(boost::hana::at_key(spec, BOOST_HANA_STRING("width")) == 7);
  STATIC_REQUIRE(decltype(boost::hana::length(boost::hana::keys(spec)))::value == 4);
}

TEST_CASE("two names are one type exactly when their letters are the same", "[core][name]") {
  STATIC_REQUIRE(std::is_same_v<decltype("a"_n), decltype("a"_n)>);
  STATIC_REQUIRE(!std::is_same_v<decltype("a"_n), decltype("b"_n)>);
  STATIC_REQUIRE(!eq::are_distinct<eq::name<"a">, eq::name<"b">, eq::name<"a">>);
}

TEST_CASE("options go to text and back", "[core][options]") {
  const Spec from{.width = 7, .rate = 1.0 / 3, .on = false, .list = {4, 5, 6}};
  Spec to;
  eq::set_options(to, eq::options(from));
  CHECK(to == from);
}

TEST_CASE("an unknown option names the nearest one", "[core][options][error]") {
  Spec spec;
  CHECK_THROWS_WITH(eq::set_option(spec, "widht", "3"), Catch::Contains("did you mean \"width\""));
  CHECK(eq::nearest_name("omg", {"opm", "ogm"}) == "did you mean \"opm\"? there are: opm, ogm");
  CHECK(eq::nearest_name("head-neck", {"breast", "lung"}) == "there are: breast, lung");  // near none
  CHECK(eq::nearest_name("head-neck", {"breast", "head_neck"}).starts_with("did you mean \"head_neck\"?"));
  CHECK(eq::nearest_name("aav", {"park_k", "aav_maximum", "sas"}).starts_with("did you mean \"aav_maximum\""));
  CHECK_THROWS_WITH(eq::set_option(spec, "width", "three"), Catch::Contains("got \"three\""));
  CHECK_THROWS_AS(eq::set_option(spec, "on", "maybe"), eq::ValueError);
}

TEST_CASE("a permutation holds every place once and depends on its key alone", "[core][random]") {
  const auto a = eq::permutation(100, 5), b = eq::permutation(100, 5), c = eq::permutation(100, 6);
  CHECK(a == b);
  CHECK(a != c);
  std::vector<std::int64_t> sorted = a;
  std::sort(sorted.begin(), sorted.end());
  for (std::int64_t i = 0; i < 100; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
}
