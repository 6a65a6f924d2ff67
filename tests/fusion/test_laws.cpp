#include "support/catch.hpp"
#include "support/normed.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

template <class Fusion>
constexpr Kind kind_of = eq::yields_a_map<eq::fusion_module_t<Fusion>> ? Kind::dense : Kind::regression;

/// Calls f with a model and data of M = 1, 2, 3, 5 modalities.
template <class Fusion, class F>
void for_each_size(F&& f) {
  const auto one = [&]<std::size_t M>() {
    f(*support::toy_model<M, kind_of<Fusion>>(support::small_fusion<Fusion>()),
      support::toy_data<M, kind_of<Fusion>>(6));
  };
  one.template operator()<1>();
  one.template operator()<2>();
  one.template operator()<3>();
  one.template operator()<5>();
}

/// A presence [n, M] with holes: record i lacks modality (i mod M); the last record lacks all.
at::Tensor holes(std::int64_t n, std::int64_t modalities) {
  at::Tensor p = torch::ones({n, modalities}, torch::kBool);
  for (std::int64_t i = 0; i < n; ++i) p[i][i % modalities] = modalities == 1;
  p[n - 1].fill_(false);
  return p;
}

at::Tensor gradients(torch::nn::Module& module) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& p : module.parameters())
    all.push_back(p.grad().defined() ? p.grad().flatten() : torch::zeros({p.numel()}, p.options()));
  return torch::cat(all);
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("the fast forward is one forward per coalition, in training and in evaluation", "[fusion][law]",
                        eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto& data) {
    const auto all = eq::all_coalitions(model.modality_count());
    const auto holed = data.with_presence(holes(data.size(), static_cast<std::int64_t>(model.modality_count())));
    for (const bool training : {true, false}) {
      model.train(training);
      for (const auto& batch : {data, holed}) {
        const at::Tensor fast = model.predict(batch, all)["y"_n];
        for (std::size_t c = 0; c < all.size(); ++c)
          CHECK(difference(fast[static_cast<std::int64_t>(c)], model.predict(batch, {&all[c], 1})["y"_n][0]) < 1e-6);
      }
    }
  });
}

TEMPLATE_LIST_TEST_CASE("an absent modality's features change nothing, forward and backward", "[fusion][law]",
                        eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto& data) {
    const auto presence = eq::Presence(holes(data.size(), static_cast<std::int64_t>(model.modality_count())));
    eq::ModelBatch batch = model.to_model_batch(data);
    const eq::Features features = model.encode(batch, model.full()).detach();
    const auto run = [&](bool poisoned) {
      model.zero_grad();
      eq::Features f = features;
      for (std::size_t m = 0; m < f.items.size(); ++m) {
        std::vector<std::int64_t> absent;
        for (std::size_t i = 0; i < static_cast<std::size_t>(data.size()); ++i)
          if (!presence.of_row(i).contains(m)) absent.push_back(static_cast<std::int64_t>(i));
        f.items[m] = f.items[m].map_tensors([&](const at::Tensor& t) {
          return poisoned ? t.index_fill(0, torch::tensor(absent), std::numeric_limits<double>::quiet_NaN())
                          : t.clone();
        });
      }
      const at::Tensor out = model.decode(0, f, presence);
      out.sum().backward();
      return std::pair{out.detach(), gradients(model)};
    };
    const auto clean = run(false), poisoned = run(true);
    CHECK(torch::equal(clean.first, poisoned.first));
    CHECK(torch::equal(clean.second, poisoned.second));
    CHECK(at::isfinite(clean.second).all().item().toBool());
  });
}

TEMPLATE_LIST_TEST_CASE("what is not a number in a modality leaves the coalitions without it alone", "[fusion][law]",
                        eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto& data) {
    const auto bad = static_cast<std::size_t>(model.modality_count() - 1);
    const auto all = eq::all_coalitions(model.modality_count());
    const eq::ModelBatch batch = model.to_model_batch(data);
    const eq::Presence presence = batch.presence.restricted_to(all);
    const eq::Features features = model.encode(batch, model.full()).detach();
    eq::Features poisoned = features;
    poisoned.items[bad] = features.items[bad].map_tensors(
        [](const at::Tensor& t) { return torch::full_like(t, std::numeric_limits<double>::quiet_NaN()); });
    const at::Tensor clean = model.decode(0, features, presence), out = model.decode(0, poisoned, presence);
    for (std::size_t c = 0; c < all.size(); ++c) {
      const auto row = static_cast<std::int64_t>(c);
      if (all[c].contains(bad))
        CHECK(out[row].isnan().any().template item<bool>());
      else
        CHECK(torch::equal(clean[row], out[row]));
    }
  });
}

TEMPLATE_LIST_TEST_CASE("an absent modality's inputs reach nothing", "[fusion][law]", eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto& data) {
    const auto modalities = static_cast<std::int64_t>(model.modality_count());
    const at::Tensor entries = holes(data.size(), modalities);
    auto clean = data.with_presence(entries), poisoned = clean;
    std::int64_t m = 0;
    poisoned.inputs.for_each([&](auto, at::Tensor& x) {
      x = x.index_fill(0, entries.select(1, m++).logical_not().nonzero().squeeze(1),
                       std::numeric_limits<double>::quiet_NaN());
    });
    CHECK(torch::equal(model.predict(clean)["y"_n], model.predict(poisoned)["y"_n]));
  });
}

TEMPLATE_LIST_TEST_CASE("a record without any modality gets the prior", "[fusion][law]", eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto& data) {
    const eq::ModelBatch batch = model.to_model_batch(data);
    model.fit_prior(0, batch.targets[0]);
    const auto none = data.with_presence(
        torch::zeros({data.size(), static_cast<std::int64_t>(model.modality_count())}, torch::kBool));
    const at::Tensor out = model.predict(none)["y"_n];
    const at::Tensor prior = model.head("y"_n).prior();
    CHECK(out.dim() >= 2);
    for (std::int64_t o = 0; o < prior.numel(); ++o) CHECK(difference(out.select(1, o), prior[o]) < 1e-12);
  });
}

TEMPLATE_LIST_TEST_CASE("gradients reach every present modality's encoder", "[fusion][law]", eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto& data) {
    model.zero_grad();
    model.predict(data)["y"_n].square().sum().backward();
    for (const auto& group : model.parameter_groups())
      for (const at::Tensor& p : group) {
        // A softmax over one modality is constant: its scores then learn nothing.
        if (model.modality_count() > 1) CHECK((p.grad().defined() && p.grad().isfinite().all().item().toBool()));
      }
    const auto groups = model.parameter_groups();
    for (std::size_t m = 0; m < model.modality_count(); ++m)
      CHECK(groups[m][0].grad().abs().sum().item().toDouble() > 0);
  });
}

TEMPLATE_LIST_TEST_CASE("every parameter is in exactly one group", "[fusion][law]", eq::EveryFusion) {
  for_each_size<TestType>([](auto& model, const auto&) {
    std::size_t n = 0;
    for (const auto& group : model.parameter_groups()) n += group.size();
    CHECK(n == model.parameters().size());
  });
}

TEMPLATE_LIST_TEST_CASE("relabelling modalities permutes the parts of a fusion and nothing else", "[fusion][law]",
                        eq::EveryFusion) {
  constexpr Kind kind = kind_of<TestType>;
  const auto model = support::toy_model<3, kind>(support::small_fusion<TestType>());
  const auto data = support::toy_data<3, kind>(6);
  // The same encoders and fusion parts with modalities b and c exchanged.
  const auto swapped = eq::compose(
      [&] {
        if constexpr (kind == Kind::dense)
          return eq::modality<"a">(eq::Cnn{.widths = {4, 8}});
        else
          return eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}});
      }(),
      eq::modality<"c">(eq::Mlp{.in_features = 4, .widths = {6}}),
      eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
      [&] {
        if constexpr (kind == Kind::dense)
          return eq::task<"y">(support::small_fusion<TestType>(), eq::DenseRegression{});
        else
          return eq::task<"y">(support::small_fusion<TestType>(), eq::Regression{.outputs = 2});
      }());
  swapped->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  const auto from = model->parameter_groups(), to = swapped->parameter_groups();
  const std::size_t place[] = {0, 2, 1, 3};
  for (std::size_t g = 0; g < 4; ++g)
    for (std::size_t p = 0; p < from[g].size(); ++p) to[place[g]][p].copy_(from[g][p]);
  // Parameters of a modality that say something of the others, as those of gates do.
  auto& fusion = swapped->fusion("y"_n);
  if constexpr (requires { fusion.reorder_others({}); }) fusion.reorder_others({0, 2, 1});
  CHECK(difference(model->predict(data)["y"_n], swapped->predict(data)["y"_n]) < 1e-12);
}

TEMPLATE_LIST_TEST_CASE("a fusion saved and loaded is the same", "[fusion][law]", eq::EveryFusion) {
  constexpr Kind kind = kind_of<TestType>;
  const auto a = support::toy_model<2, kind>(support::small_fusion<TestType>()),
             b = support::toy_model<2, kind>(support::small_fusion<TestType>());
  const auto data = support::toy_data<2, kind>(5);
  {
    const torch::NoGradGuard no_grad;
    for (const at::Tensor& p : b->parameters()) p.zero_();
  }
  std::stringstream stream;
  torch::serialize::OutputArchive out;
  a->save(out);
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  b->load(in);
  CHECK(torch::equal(a->predict(data)["y"_n], b->predict(data)["y"_n]));
}

TEST_CASE("attention weighs the present modalities alone", "[fusion][worked]") {
  using Part = eq::AttentionFusionModule::Projected;
  const std::vector<Part> parts = {{torch::zeros({1, 2}), torch::tensor({{0.0}})},
                                   {torch::zeros({1, 2}), torch::tensor({{std::log(3.0)}})}};
  const eq::Presence p({3, 1, 2, 0}, 4, 2);
  const at::Tensor w = eq::AttentionFusionModule::attention(parts, p).squeeze(1);
  CHECK(w[0][0].item<double>() == Approx(0.25));
  CHECK(w[0][1].item<double>() == Approx(0.75));
  CHECK(w[1][0].item<double>() == 1);
  CHECK(w[2][1].item<double>() == 1);
  CHECK(w[3].abs().sum().item<double>() == 0);
}

namespace {

/// A user's fusion that says something else to each batch in training mode.
struct OwnFusion : support::NormedLayer {
  OwnFusion() : NormedLayer(18) {}
  at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor&) {
    return rows(torch::cat(features, 1));
  }
};

}  // namespace

TEST_CASE("the fast forward of a user's batch norm and dropout is one forward per coalition, statistics included",
          "[fusion][law]") {
  const auto data = support::toy_data<3, Kind::regression>(6);
  const auto all = eq::all_coalitions(3);
  at::Tensor lone = torch::ones({6, 3}, torch::kBool);
  lone.select(1, 2).narrow(0, 1, 5).fill_(false);  // one record alone has c
  for (const auto& batch : {data, data.with_presence(holes(6, 3)), data.with_presence(lone)}) {
    const auto model = [] {
      torch::manual_seed(1);
      return support::toy_model<3, Kind::regression>(std::make_shared<OwnFusion>());
    };
    const auto fast = model(), slow = model();
    for (const bool training : {true, false}) {
      fast->train(training), slow->train(training);
      torch::manual_seed(1);
      const at::Tensor wide = fast->predict(batch, all)["y"_n];
      torch::manual_seed(1);
      for (std::size_t c = 0; c < all.size(); ++c)
        CHECK(difference(wide[static_cast<std::int64_t>(c)], slow->predict(batch, {&all[c], 1})["y"_n][0]) < 1e-12);
      const auto &norm = fast->fusion("y"_n).norm, &other = slow->fusion("y"_n).norm;
      CHECK(difference(norm->running_mean, other->running_mean) < 1e-12);
      CHECK(difference(norm->running_var, other->running_var) < 1e-12);
    }
  }
}
