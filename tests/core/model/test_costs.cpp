// What a model costs: records at a time, threads, and views instead of copies.

#include <equipoise/core/model/batch_size.hpp>
#include <equipoise/core/model/summary.hpp>
#include <equipoise/core/model/threads.hpp>

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
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

TEST_CASE("multiply-adds are counted from the operators that run", "[core][summary][worked]") {
  const auto of = [](auto module, at::IntArrayRef shape) {
    return eq::count_multiply_adds([&] { (void)module->forward(torch::randn(shape)); });
  };
  using torch::nn::Conv2dOptions;
  CHECK(of(torch::nn::Linear(3, 4), {1, 3}) == 12);
  CHECK(of(torch::nn::Linear(3, 4), {5, 3}) == 60);
  CHECK(of(torch::nn::Linear(3, 4), {2, 5, 3}) == 120);
  CHECK(of(torch::nn::Linear(torch::nn::LinearOptions(3, 4).bias(false)), {5, 3}) == 60);
  // 4 x 3 places, each 4 * 2 * 3 * 3 weights; half as many of two groups.
  CHECK(of(torch::nn::Conv2d(Conv2dOptions(2, 4, 3).stride(2).padding(1)), {1, 2, 8, 6}) == 12 * 72);
  CHECK(of(torch::nn::Conv2d(Conv2dOptions(2, 4, 3).stride(2).padding(1).groups(2)), {1, 2, 8, 6}) == 12 * 36);
  CHECK(of(torch::nn::Conv2d(Conv2dOptions(1, 1, 3).dilation(2)), {2, 1, 8, 8}) == 2 * 16 * 9);
  CHECK(of(torch::nn::Conv1d(torch::nn::Conv1dOptions(2, 3, 4)), {1, 2, 10}) == 7 * 24);
  CHECK(of(torch::nn::Conv3d(torch::nn::Conv3dOptions(1, 2, 2).stride(2)), {1, 1, 4, 4, 6}) == 12 * 16);
  CHECK(of(torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(4, 2, 2).stride(2)), {1, 4, 4, 3}) == 12 * 32);
  // Five steps of three gates of 4 from 3 inputs and 4 states; of four gates.
  CHECK(of(torch::nn::GRU(torch::nn::GRUOptions(3, 4).batch_first(true)), {1, 5, 3}) == 5 * 84);
  CHECK(of(torch::nn::LSTM(torch::nn::LSTMOptions(3, 4).batch_first(true)), {1, 5, 3}) == 5 * 112);
  const at::Tensor q = torch::randn({1, 2, 5, 4}), k = torch::randn({1, 2, 7, 4}), x = torch::randn({3, 4});
  CHECK(eq::count_multiply_adds([&] { (void)at::scaled_dot_product_attention(q, k, k); }) == 2 * 5 * 7 * 8);
  CHECK(eq::count_multiply_adds([&] { (void)at::bilinear(x, x, torch::randn({2, 4, 4})); }) == 3 * 32);
  CHECK(eq::count_multiply_adds([&] { (void)x.relu().softmax(1).mul(x).sum(); }) == 0);
  const auto meta = [](at::IntArrayRef shape) { return torch::empty(shape, torch::kMeta); };
  CHECK(eq::count_multiply_adds([&] { (void)at::linear(meta({5, 3}), meta({4, 3}), meta({4})); }) == 60);
}

TEST_CASE("a summary has the parts, parameters, shapes and multiply-adds of a model", "[core][summary][worked]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  for (at::Tensor& p : model->encoder("b"_n).parameters()) p.requires_grad_(false);
  // The first record lacks the second modality and has fillers there.
  auto data = support::toy_data<2, Kind::regression>(3);
  data.inputs["b"_n][0].fill_(std::nan(""));
  const auto partial = data.with_presence(torch::tensor({{true, false}, {true, true}, {true, true}}));
  const eq::ModelSummary s = eq::summary(*model, partial);
  REQUIRE(s.parts.size() == 4);
  const auto& [a, b, fusion, head] = std::tie(s.parts[0], s.parts[1], s.parts[2], s.parts[3]);
  CHECK((a.place == "encoders.a" && a.kind == "mlp" && fusion.place == "fusions.y" && head.place == "heads.y"));
  // 4 x 6 weights and 6 biases, scales and shifts; twice 6 x 6 and 6; 6 x 2 and 2.
  CHECK((a.trainable == 42 && a.frozen == 0 && b.trainable == 0 && b.frozen == 42));
  CHECK((fusion.trainable == 84 && head.trainable == 14 && s.trainable == 140 && s.frozen == 42));
  CHECK((a.multiply_adds == 24 && b.multiply_adds == 24 && fusion.multiply_adds == 72 && head.multiply_adds == 12));
  CHECK((s.multiply_adds() == 132 && s.share(fusion) == Approx(72.0 / 132)));
  using Shape = std::vector<std::int64_t>;
  CHECK((a.input == Shape{4} && a.output == Shape{6} && fusion.output == Shape{6}));
  CHECK((head.input == Shape{6} && head.output == Shape{2}));
  CHECK(model->is_training());
  // Without a batch there are neither shapes nor multiply-adds.
  const std::string plain = eq::summary(*model).text();
  CHECK((plain.find("encoders.b") != std::string::npos && plain.find("share") == std::string::npos));
  CHECK_THROWS_WITH(eq::summary(*model, data.slice(0, 0)),
                    Catch::Contains("value.205") && Catch::Contains("modality a"));
}

TEST_CASE("of a map, the summary tells the head's convolution from the fusion's", "[core][summary][worked]") {
  const auto model = support::toy_model<2, Kind::dense>(eq::SpatialCascade{.widths = {8, 4}});
  const eq::ModelSummary s = eq::summary(*model, support::toy_data<2, Kind::dense>(2));
  // 8 x 8 pixels. Stages of 4 x 4 and 2 x 2 places, each of two convolutions of 3 x 3 taps.
  CHECK(s.parts[0].multiply_adds == 16 * 9 * (4 + 16) + 4 * 9 * (32 + 64));
  CHECK(s.parts[1].multiply_adds == 24);
  // Laterals of the deepest map, of the skip maps and of the vector; the mix of each level, and a reduction between them.
  CHECK(s.parts[2].multiply_adds == 4 * 64 + 16 * 32 + 64 * 4 + 6 * 12 + 16 * 9 * 64 + 16 * 32 + 64 * 9 * 16);
  CHECK(s.parts[3].multiply_adds == 64 * 4);
  using Shape = std::vector<std::int64_t>;
  CHECK((s.parts[0].output == Shape{8, 2, 2} && s.parts[2].output == Shape{4, 8, 8}));
  CHECK((s.parts[3].input == Shape{4, 8, 8} && s.parts[3].output == Shape{1, 8, 8}));
}

TEST_CASE("a parameter that two encoders share counts once in a summary's total", "[core][summary][behaviour]") {
  const auto shared = std::make_shared<torch::nn::LinearImpl>(4, 6);
  const auto model = eq::compose(eq::modality<"a">(eq::encoder(shared, {.width = 6})),
                                 eq::modality<"b">(eq::encoder(shared, {.width = 6})),
                                 eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  const eq::ModelSummary s = eq::summary(*model);
  CHECK((s.parts[0].trainable == 30 && s.parts[1].trainable == 30 && s.trainable == 30 + 84 + 14));
  CHECK(s.parts[0].kind == "module");
}

TEST_CASE("a summary is printed, and written as JSON and for Graphviz", "[core][summary][docs]") {
  const auto model = support::toy_model<2, Kind::dense>(eq::SpatialCascade{.widths = {8, 4}});
  for (at::Tensor& p : model->encoder("b"_n).parameters()) p.requires_grad_(false);
  const auto train = support::toy_data<2, Kind::dense>(2);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::temp_directory_path());
  std::ostringstream printed;
  std::streambuf* const screen = std::cout.rdbuf(printed.rdbuf());
  const eq::ModelSummary summary = eq::summary(*model, train);
  std::cout << summary;
  std::ofstream("model.json") << summary.json();
  std::ofstream("model.dot") << summary.graphviz();  // dot -Tsvg model.dot -o model.svg
  std::cout.rdbuf(screen);
  std::filesystem::remove("model.json"), std::filesystem::remove("model.dot");
  std::filesystem::current_path(before);
  INFO(printed.str());
  for (const char* text :
       {"encoders.a  cnn ", "[1, 8, 8]  [8, 2, 2]", " 75.2 %  widths=8,4  dimensions=2  cascade=true\n", "\ntogether "})
    CHECK(printed.str().find(text) != std::string::npos);
  const auto json = nlohmann::json::parse(summary.json());
  CHECK(json["parts"].size() == 4);
  CHECK(json["parts"][0]["options"]["widths"] == "4,8");
  CHECK(json["parts"][0]["output"] == nlohmann::json::array({8, 2, 2}));
  CHECK(json["parts"][2]["share"].get<double>() == Approx(20040.0 / 26656).epsilon(1e-5));
  CHECK((json["multiply_adds"] == 26656 && json["frozen"] == 42));
  const std::string dot = summary.graphviz();
  INFO(dot);
  CHECK(dot.find("\"encoders.a\" -> \"fusions.y\" [label=\"[8, 2, 2]\"];") != std::string::npos);
  CHECK(dot.find("frozen\\n24 multiply-adds (0.1 %)\", style=dashed];") != std::string::npos);
  CHECK(eq::json_text("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000a\"");
}
