// SPDX-License-Identifier: MIT
/// \file
/// Short texts of different lengths beside a table of numbers and categories; some records lack one
/// of them. The words and the table are made here. `Words` is an encoder of one's own: an embedding
/// before the library's `Sequence`.

#include <ATen/Parallel.h>
#include <torch/nn/modules/embedding.h>

#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/ft_transformer.hpp>
#include <equipoise/encoders/sequence.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/classification.hpp>
#include <equipoise/training/trainer.hpp>
#include <iomanip>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

namespace eq = equipoise;
using namespace eq::literals;

constexpr std::int64_t kRecords = 1200, kWords = 50, kLongest = 12;

struct Words : torch::nn::Module {
  Words()
      : embedding(register_module("embedding", torch::nn::Embedding(kWords, 16))),
        sequence(register_module("sequence", eq::Sequence{.in_features = 16, .width = 24}.build())) {}
  eq::TokenFeature forward(const at::Tensor& words, const at::Tensor& padding) {  // int64 [B, T], bool [B, T]
    return sequence->forward(embedding->forward(words), padding);
  }
  std::int64_t width() const { return sequence->width(); }

  torch::nn::Embedding embedding;
  std::shared_ptr<eq::SequenceModule> sequence;
};

/// Complaints are urgent (class 1) in two cases: the text has word 0 before word 1, or the
/// customer's kind is 2 and the first number is large.
auto make_records() {
  torch::manual_seed(1);
  const at::Tensor words = torch::randint(2, kWords, {kRecords, kLongest}),
                   label = torch::empty({kRecords}, torch::kLong);
  const at::Tensor numbers = torch::randn({kRecords, 2}), kind = torch::randint(3, {kRecords});
  const at::Tensor length = torch::randint(4, kLongest + 1, {kRecords}), order = torch::randint(3, {kRecords});
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < kRecords; ++i) {
    lengths.push_back(length[i].item<std::int64_t>());
    const auto first = i % (lengths.back() - 1), second = lengths.back() - 1;
    const auto which = order[i].item<std::int64_t>();  // 0: word 0 before word 1; 1: after it; 2: neither
    if (which < 2) words[i][first] = which, words[i][second] = 1 - which;
    label[i] = which == 0 || (kind[i].item<std::int64_t>() == 2 && numbers[i][0].item<double>() > 0.5);
  }
  const at::Tensor table = torch::cat({numbers, kind.unsqueeze(1).to(torch::kFloat)}, 1);
  const at::Tensor one = torch::randint(10, {kRecords});  // a tenth of the records lacks the text, a tenth the table
  return eq::batch(eq::input<"text">(eq::Sequences::of_lengths(words, lengths)), eq::input<"table">(table),
                   eq::target<"urgent">(eq::Labels{label}))
      .with_presence(torch::stack({one.ne(0), one.ne(1)}, 1));
}

int main() {
  at::set_num_threads(1);  // the model is small
  const auto data = make_records();
  const auto train = data.slice(0, 800), validation = data.slice(800, 900), test = data.slice(900, kRecords);
  torch::manual_seed(2);
  auto model = eq::compose(
      eq::modality<"text">(std::make_shared<Words>()),
      eq::modality<"table">(eq::FtTransformer{.numbers = 2, .categories = {3}, .width = 16, .heads = 4, .dropout = 0}),
      eq::task<"urgent">(eq::Concat{.width = 32}, eq::Classification{.classes = 2}));
  eq::Trainer trainer(model, {}, {.epochs = 20, .seed = 3, .learning_rate = 3e-3, .progress = nullptr});
  (void)trainer.fit(train, validation);

  std::cout << std::fixed << std::setprecision(2);
  const std::pair<const char*, std::uint64_t> parts[] = {{"text and table", 3}, {"text alone", 1}, {"table alone", 2}};
  for (const auto& [what, has] : parts) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < test.size(); ++i)
      if (test.presence.masks()[static_cast<std::size_t>(i)] == has) rows.push_back(i);
    const auto scores = eq::evaluate(*model, test.select(rows), {.intervals = false})["urgent"_n];
    std::cout << scores.records << " records with " << what << ": " << scores.of(model->full()).accuracy.value
              << " right, without looking " << scores.of(eq::Coalition::none()).accuracy.value << "\n";
  }
  const auto phi = eq::shapley(*model, test);
  std::cout << "contributions: text " << phi["text"_n]["urgent"_n] << ", table " << phi["table"_n]["urgent"_n] << "\n";
}
