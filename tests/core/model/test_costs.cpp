// What a model costs: records at a time, threads, and views instead of copies.

#include <equipoise/core/model/batch_size.hpp>
#include <equipoise/core/model/threads.hpp>

#include <cstdint>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

TEST_CASE("records at a time are chosen by the memory that one needs", "[core][worked]") {
  const auto rows = [](const at::Tensor& input, std::int64_t coalitions = 1) {
    eq::ModelBatch batch;
    batch.inputs = {input};
    const eq::Schema schema{{"a"}, {64}, {{"y", 3, {}}}};
    return eq::records_at_once(batch, schema, coalitions);
  };
  // A table's row: 33 * 4 * 8 + (64 + 3) * 8 * 4 = 3,200 bytes, and one: 64 MB hold 20,964 of them.
  CHECK(rows(torch::zeros({2, 33})) == 20964);
  CHECK(rows(torch::zeros({2, 33}), 4) == (64 << 20) / (1057 + 4 * 2144));
  CHECK(rows(torch::zeros({2, 1, 60, 60})) == 144);
  CHECK(rows(torch::zeros({2, 3, 512, 512})) == 64);
}

TEST_CASE("a slice is the selection of its rows", "[core][law]") {
  auto data = support::toy_data<2, Kind::classification>(9).with_ids({9, 8, 7, 6, 5, 4, 3, 2, 1});
  at::Tensor seen = torch::ones({9, 2}, torch::kBool);
  seen[4][1] = false;
  data = data.with_presence(seen);
  const std::vector<std::int64_t> rows{3, 4, 5};
  const auto sliced = data.slice(3, 6), selected = data.select(rows);
  CHECK(torch::equal(sliced.inputs["a"_n], selected.inputs["a"_n]));
  CHECK(torch::equal(sliced.targets["y"_n].tensor, selected.targets["y"_n].tensor));
  CHECK((sliced.presence == selected.presence && sliced.ids == selected.ids && sliced.groups == selected.groups));
  CHECK(sliced.inputs["a"_n].is_alias_of(data.inputs["a"_n]));
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  const eq::ModelBatch whole = model->to_model_batch(data), part = whole.slice(3, 6), same = whole.select(rows);
  CHECK((part.presence == same.presence && part.ids == same.ids && part.labelled == same.labelled));
  CHECK(torch::equal(part.targets[0], same.targets[0]));
  const std::vector<eq::Coalition> all = eq::all_coalitions(2);
  CHECK(whole.presence.restricted_to(all).slice(3, 6) == whole.presence.restricted_to(all).select(rows));
  CHECK(data.slice(9, 9).size() == 0);
  for (const auto& [begin, end] : {std::pair{-1, 2}, {3, 10}, {4, 3}})
    CHECK_THROWS_WITH(data.slice(begin, end), Catch::Contains("value.217"));
}

TEST_CASE("a small model gets one thread, and a large one all", "[core][worked]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::classification>(9);
  const int before = at::get_num_threads();
  CHECK(eq::use_threads(*model, data) == 1);
  CHECK(at::get_num_threads() == 1);
  at::set_num_threads(before);
  std::int64_t weights = 0;
  for (const at::Tensor& p : model->parameters())
    if (p.dim() > 1) weights += p.numel();
  CHECK(eq::multiply_adds(*model, model->to_model_inputs(data), 32) == static_cast<double>(32 * weights));
  CHECK(eq::threads_for(4.9e7, 8) == 1);
  CHECK(eq::threads_for(5.1e7, 8) == 8);
}
