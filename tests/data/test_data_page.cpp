// The blocks of docs/data.md, word for word (gate.links_in_docs compares them).

#include <torch/nn/utils/rnn.h>

#include <equipoise/data/groups.hpp>
#include <equipoise/data/mapped_npy.hpp>
#include <equipoise/data/samplers.hpp>
#include <equipoise/data/split.hpp>
#include <equipoise/data/standardizer.hpp>
#include <equipoise/data/table.hpp>
#include <equipoise/data/transform.hpp>
#include <equipoise/data/weights.hpp>
#include <equipoise/equipoise.hpp>
#include <filesystem>
#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// A new working folder, and the old one again at the end.
class WorkingFolder {
 public:
  WorkingFolder() { std::filesystem::current_path(folder_.path()); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  ~WorkingFolder() {
    std::error_code error;
    std::filesystem::current_path(before_, error);
  }

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
  support::TemporaryFolder folder_;
};

void write(const std::string& name, const std::string& text) {
  std::ofstream(name) << text;
}

at::Tensor read_image(const std::string& name) {
  return torch::full({1, 4, 4}, static_cast<float>(name.size()));
}

struct Slides {
  std::vector<std::string> files;
  std::vector<std::int64_t> labels, patients;

  std::int64_t size() const { return static_cast<std::int64_t>(files.size()); }
  auto select(std::span<const std::int64_t> rows) const {
    std::vector<at::Tensor> images;
    std::vector<std::int64_t> label, patient, ids(rows.begin(), rows.end());
    for (const std::int64_t i : rows) {
      images.push_back(read_image(files[static_cast<std::size_t>(i)]));
      label.push_back(labels[static_cast<std::size_t>(i)]);
      patient.push_back(patients[static_cast<std::size_t>(i)]);
    }
    return eq::batch(eq::input<"image">(torch::stack(images)), eq::target<"label">(eq::Labels{torch::tensor(label)}))
        .with_ids(ids)
        .with_groups(patient);
  }
};

struct Frames : torch::nn::Module {
  Frames() : linear(register_module("linear", torch::nn::Linear(3, 8))) {}
  eq::TokenFeature forward(const at::Tensor& x, const at::Tensor& padding) {
    return {torch::relu(linear->forward(x)), padding};
  }
  std::int64_t width() const { return 8; }
  torch::nn::Linear linear;
};

}  // namespace

TEST_CASE("arrays and files of the page on data are data sets", "[data][docs]") {
  const WorkingFolder folder;
  torch::manual_seed(3);
  const at::Tensor planes = torch::randn({6, 1, 4, 4}), table = torch::randn({6, 2}), rates = torch::rand({6, 1});
  const std::vector<std::int64_t> patients = {0, 0, 1, 1, 2, 2};
  auto data = eq::batch(eq::input<"dose">(planes), eq::input<"table">(table), eq::target<"gpr">(eq::Values{rates}));
  const auto training = data.with_groups(patients).select(std::vector<std::int64_t>{0, 1, 4, 5});
  CHECK(training.groups == std::vector<std::int64_t>{0, 0, 2, 2});

  eq::io::write_npy<float>("dose.npy", std::vector<std::size_t>{6, 1, 4, 4},
                           {planes.const_data_ptr<float>(), static_cast<std::size_t>(planes.numel())});
  const auto large = eq::batch(eq::input<"dose">(eq::mapped_npy("dose.npy")), eq::input<"table">(table),
                               eq::target<"gpr">(eq::Values{rates}));
  CHECK(torch::equal(large.inputs["dose"_n], planes));

  write("plans.csv", "patient,site,age,mu,gpr\nRoe,lung,61,250,98\nDoe,brain,,,95\n");
  write("new_plans.csv", "site\nlung\nliver\n");
  write("plans_eu.csv", "age;stage;gpr\n61,5;2;-\n");
  const eq::Table plans = eq::read_csv("plans.csv");
  const auto from_table =
      eq::batch(eq::input<"table">(plans.numbers({"age", "mu"})), eq::target<"gpr">(plans.values({"gpr"})))
          .with_presence(plans.present({"age", "mu"}).unsqueeze(1))
          .with_groups(plans.group_numbers("patient"));
  CHECK(from_table.groups == std::vector<std::int64_t>{1, 0});
  CHECK(from_table.presence.of_row(1).empty());

  const eq::Table new_plans = eq::read_csv("new_plans.csv");
  const std::vector<std::string> sites = plans.categories("site");
  const at::Tensor new_sites = new_plans.one_hot("site", sites, eq::UnknownCategory::as_missing);
  CHECK(torch::equal(new_sites, torch::tensor({{0.F, 1.F}, {0.F, 0.F}})));

  const at::Tensor columns = torch::cat({plans.numbers({"age", "mu"}), plans.one_hot("site", sites)}, 1);
  CHECK(columns.sizes() == at::IntArrayRef({2, 4}));
  write("images.csv", "patient,file\nRoe,r.npy\nDoe,d.npy\n");
  const eq::Table images = eq::read_csv("images.csv");
  const eq::Table in_order = images.select(images.rows_of("patient", plans.texts("patient")));
  CHECK(in_order.texts("patient") == plans.texts("patient"));
  const at::Tensor array = torch::ones({2, 1, 4, 4}) * torch::tensor({1.F, 2.F}).view({2, 1, 1, 1});
  const at::Tensor place = torch::tensor(plans.rows_of("patient", images.texts("patient")));
  const at::Tensor scan = torch::zeros({plans.rows(), 1, 4, 4}).index_copy_(0, place, array);
  const at::Tensor has_scan = torch::zeros({plans.rows()}, torch::kBool).index_fill_(0, place, true);
  CHECK(scan[0].max().item<float>() == 1);
  CHECK(has_scan.all().item<bool>());

  const eq::Table european = eq::read_csv(
      "plans_eu.csv",
      {.delimiter = ';', .decimal = ',', .missing = {"", "-"}, .types = {{"stage", eq::ColumnType::text}}});
  CHECK(european.numbers({"age"}).item<float>() == 61.5F);
  CHECK(european.type("stage") == eq::ColumnType::text);
  write("plans.csv", "age\n1\n2\n3\n4\n5\n6l\n");
  CHECK_THROWS_WITH(eq::read_csv("plans.csv").numbers({"age"}),
                    "[equipoise.file.433] plans.csv: line 7, column \"age\": expected a finite number, got \"6l\"");
}

TEST_CASE("the page on data standardises, splits and samples what is trained on", "[data][docs]") {
  const WorkingFolder folder;
  torch::manual_seed(3);
  std::string lines = "age,mu,site\n";
  const std::string site_names[] = {"lung", "brain", ""};
  for (int i = 0; i < 40; ++i)
    lines += std::to_string(40 + i) + "," + std::to_string(200 + 7 * i % 50) + "," +
             (i == 39 ? "liver" : site_names[i % 3]) + "\n";
  write("plans.csv", lines);
  const eq::Table plans = eq::read_csv("plans.csv");
  std::vector<std::string> names;
  std::vector<std::int64_t> labels, first, last;
  for (std::int64_t i = 0; i < 40; ++i) {
    names.push_back("p" + std::to_string(i / 2)), labels.push_back(i % 8 == 0 ? 1 : 0);
    (i < 30 ? first : last).push_back(i);
  }
  const auto model = eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 3, .widths = {4}}),
                                 eq::modality<"table">(eq::Mlp{.in_features = 2, .widths = {4}}),
                                 eq::task<"site">(eq::Sum{.width = 4}, eq::Classification{.classes = 2}));
  const eq::Table train_plans = plans.select(first), test_plans = plans.select(last);
  auto standardizer = model->register_module("standardizer", std::make_shared<eq::Standardizer>(2));
  standardizer->fit(train_plans.numbers({"age", "mu"}));
  const at::Tensor train_table = standardizer->forward(train_plans.numbers({"age", "mu"})),
                   test_table = standardizer->forward(test_plans.numbers({"age", "mu"}));
  CHECK(train_table.mean(0).abs().max().item<float>() < 1e-5F);
  CHECK(test_table.select(1, 0).min().item<float>() > 1);  // the last ages are the highest

  const std::vector<std::string> sites = train_plans.categories("site");
  const auto columns_of = [&](const eq::Table& t) {
    const at::Tensor site = t.labels("site", sites, eq::UnknownCategory::as_missing).tensor;
    return torch::cat({standardizer->forward(t.numbers({"age", "mu"})), site.to(torch::kFloat).unsqueeze(1)}, 1);
  };
  const at::Tensor train_columns = columns_of(train_plans), test_columns = columns_of(test_plans);
  const eq::FtTransformer encoder{.numbers = 2, .categories = {std::ssize(sites)}};
  CHECK(torch::equal(train_columns.narrow(1, 0, 2), train_table));
  CHECK(torch::equal(train_columns.narrow(0, 0, 3).select(1, 2), torch::tensor({1.F, 0.F, -1.F})));       // brain is 0
  CHECK(torch::equal(test_columns.narrow(0, 6, 4).select(1, 2), torch::tensor({1.F, 0.F, -1.F, -1.F})));  // liver
  CHECK(encoder.build()->forward(test_columns).sizes() == at::IntArrayRef({10, 64}));

  const auto data =
      eq::batch(eq::input<"dose">(torch::randn({40, 3})), eq::input<"table">(torch::cat({train_table, test_table})),
                eq::target<"site">(eq::Labels{torch::tensor(labels, torch::kLong)}));
  const std::vector<std::int64_t> groups = eq::group_numbers(names);
  const eq::DataSplit split = eq::split_by_group(groups, /*validation=*/0.2, /*test=*/0.2, /*seed=*/1);
  const auto train = data.select(split.train), validation = data.select(split.validation);
  CHECK(train.size() + validation.size() == 32);

  const auto by_site = train.with_groups(train.ids);
  const auto weighted = by_site.with_weights(eq::balanced_weights(by_site.targets["site"_n]));
  CHECK(weighted.weights.size() == 24);
  const eq::TrainerOptions options{.epochs = 2, .batch_size = 8, .progress = nullptr};
  eq::Trainer trainer(model, eq::stack(eq::StratifiedSampler(by_site, by_site.targets["site"_n]), eq::Ogm{}), options);
  CHECK(trainer.fit(by_site, validation).epochs.size() == 2);
}

TEST_CASE("the page on data has data sets of one's own, transforms and sequences", "[data][docs]") {
  torch::manual_seed(3);
  const Slides slides{{"a", "bb", "ccc", "dddd"}, {0, 0, 1, 1}, {7, 7, 8, 9}};
  eq::TrainerOptions ahead{.epochs = 1, .workers = 2};
  ahead.progress = nullptr;
  const auto of_slides = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {4}}),
                                     eq::task<"label">(eq::Concat{.width = 4}, eq::Classification{.classes = 2}));
  CHECK(eq::Trainer(of_slides, ahead).fit(slides, slides).epochs.size() == 1);

  const auto data = eq::batch(eq::input<"dose">(torch::randn({6, 1, 4, 4})), eq::input<"metrics">(torch::randn({6, 2})),
                              eq::target<"dd">(eq::Maps{torch::randn({6, 1, 4, 4})}));
  auto augmented = eq::transformed(data, eq::transform(eq::Flip{.dim = -1}, "dose"_n, "dd"_n),
                                   eq::transform(eq::Noise{.sd = 0.02}, "metrics"_n));
  const auto brighter = [](const at::Tensor& record, eq::RandomStream& random) {
    return record * random.uniform(0.9, 1.1);
  };
  auto scaled = eq::transformed(data, eq::transform(brighter, "dose"_n));
  const std::vector<std::int64_t> rows = {0, 1, 2};
  CHECK_FALSE(torch::equal(augmented.select(rows, 1).inputs["metrics"_n], data.select(rows).inputs["metrics"_n]));
  const at::Tensor factor = scaled.select(rows, 1).inputs["dose"_n] / data.select(rows).inputs["dose"_n];
  CHECK(factor.min().item<float>() >= 0.89F);
  CHECK(factor.max().item<float>() <= 1.11F);

  const at::Tensor labels = torch::tensor({0, 1}, torch::kLong);
  const std::vector<at::Tensor> sequences = {torch::randn({5, 3}), torch::randn({2, 3})};
  const at::Tensor frames = torch::nn::utils::rnn::pad_sequence(sequences, /*batch_first=*/true);
  std::vector<std::int64_t> lengths;
  for (const at::Tensor& sequence : sequences) lengths.push_back(sequence.size(0));
  CHECK(lengths == std::vector<std::int64_t>{5, 2});
  auto spoken = eq::batch(eq::input<"sound">(eq::Sequences::of_lengths(frames, lengths)),
                          eq::target<"label">(eq::Labels{labels}));
  CHECK(spoken.inputs["sound"_n].padding.sum().item<std::int64_t>() == 3);
  eq::Standardizer of_frames(3);
  of_frames.fit(eq::Sequences::of_lengths(frames, lengths));
  const eq::Sequences scaled_frames = of_frames.forward(eq::Sequences::of_lengths(frames, lengths));
  CHECK(torch::allclose(of_frames.mean(), torch::cat(sequences).to(torch::kDouble).mean(0)));
  CHECK(scaled_frames.tensor[1][2].abs().max().item<float>() == 0);
  const auto of_sound = eq::compose(eq::modality<"sound">(std::make_shared<Frames>()),
                                    eq::task<"label">(eq::Concat{.width = 4}, eq::Classification{.classes = 2}));
  CHECK(eq::Trainer(of_sound, ahead).fit(spoken).epochs.size() == 1);
}
