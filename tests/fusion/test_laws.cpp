#include <sstream>

#include "support/catch.hpp"
#include "support/normed.hpp"
#include "support/toy.hpp"

// Each law goes over all fusions with M = 1, 2, 3, 5 modalities. The fusions of vectors stand in models of one type.

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

constexpr std::int64_t kRecords = 6;

/// A model with a fusion, and records for it.
struct Subject {
  std::string name;
  std::shared_ptr<eq::ModelBase> model;
  eq::ModelBatch batch;
  std::function<at::Tensor()> prior;                                     ///< of the head
  std::function<void(const std::vector<std::int64_t>&)> reorder_others;  ///< of the fusion; may do nothing

  [[nodiscard]] std::size_t modalities() const { return model->modality_count(); }
  [[nodiscard]] bool keeps_means() const { return name.find("with mean") != std::string::npos; }
  [[nodiscard]] at::Tensor predict(const eq::ModelBatch& records) const {  // [B, …]
    const eq::Features features = model->encode(records, model->full());
    return model->outputs(0, features, features.presence).squeeze(0);
  }
  [[nodiscard]] at::Tensor predict(const eq::ModelBatch& records, std::span<const eq::Coalition> coalitions) const {
    const eq::Features features = model->encode(records, model->full());
    return model->outputs(0, features, features.presence.restricted_to(coalitions));
  }
};

template <class M, class Data>
Subject subject_of(std::string name, std::shared_ptr<M> model, const Data& data) {
  return {std::move(name), model, model->to_model_batch(data), [model] { return model->head("y"_n).prior(); },
          [model](const std::vector<std::int64_t>& order) {
            auto& fusion = model->fusion("y"_n);
            if constexpr (requires { fusion.reorder_others(order); }) fusion.reorder_others(order);
          }};
}

template <std::size_t M, Kind K, class Fusion>
Subject subject(const std::string& name, const Fusion& fusion) {
  return subject_of(name + ", M = " + std::to_string(M), support::toy_model<M, K>(fusion),
                    support::toy_data<M, K>(kRecords));
}

/// The model and records of `subject<3, K>` with modalities b and c declared in the other order.
template <Kind K, class Fusion>
Subject relabelled(const std::string& name, const Fusion& fusion) {
  const auto first = [] {
    if constexpr (K == Kind::dense)
      return eq::modality<"a">(eq::Cnn{.widths = {4, 8}});
    else
      return eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}});
  }();
  const auto task = [&] {
    if constexpr (K == Kind::dense)
      return eq::task<"y">(fusion, eq::DenseRegression{});
    else
      return eq::task<"y">(fusion, eq::Regression{.outputs = 2});
  }();
  const auto model = eq::compose(first, eq::modality<"c">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}), task);
  model->to(torch::kDouble);
  return subject_of(name, model, support::toy_data<3, K>(kRecords));
}

/// A fusion under test: how to make models with it.
struct Case {
  std::function<Subject(std::size_t modalities)> make;
  std::function<Subject()> make_relabelled;
};

template <Kind K, class Fusion>
Case case_of(const std::string& name, const Fusion& fusion) {
  return {[=](std::size_t modalities) {
            return modalities == 1   ? subject<1, K>(name, fusion)
                   : modalities == 2 ? subject<2, K>(name, fusion)
                   : modalities == 3 ? subject<3, K>(name, fusion)
                                     : subject<5, K>(name, fusion);
          },
          [=] { return relabelled<K>(name, fusion); }};
}

/// Every fusion, and options of fusions under which they compute something else.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> out;
    const auto add = [&](const std::string& name, const eq::AnyFusion& fusion) {
      out.push_back(case_of<Kind::regression>(name, fusion));
    };
    eq::for_each_type<eq::EveryVectorFusion>(
        [&]<class Fusion>() { add(std::string(Fusion::id), support::small_fusion<Fusion>()); });
    add("concat without activation", eq::Concat{.width = 10, .activate = false});
    add("attention with a residual layer", eq::AttentionFusion{.width = 10, .hidden = 4, .mix = true});
    add("attention with GELU after the sum", eq::AttentionFusion{.width = 10, .hidden = 4, .joint = true});
    add("late with learned weights", eq::Late{.width = 10, .rule = eq::LateRule::learned});
    add("late with a product of experts", eq::Late{.width = 10, .rule = eq::LateRule::product});
    add("mixture of all experts", eq::MixtureOfExperts{.width = 8, .experts = 3, .hidden = 4, .top = 3});
    for (const eq::StandIn absent : {eq::StandIn::mean, eq::StandIn::learned}) {
      const std::string with = " with " + std::string(eq::name_of(absent));
      add("bilinear" + with, eq::Bilinear{.width = 8, .rank = 3, .absent = absent});
      add("low_rank_tensor" + with, eq::LowRankTensor{.width = 8, .rank = 3, .absent = absent});
      add("tensor" + with, eq::TensorFusion{.width = 8, .rank = 2, .absent = absent});
    }
    eq::for_each_type<eq::EveryMapFusion>([&]<class Fusion>() {
      out.push_back(case_of<Kind::dense>(std::string(Fusion::id), support::small_fusion<Fusion>()));
    });
    eq::for_each_type<eq::EveryIntermediateFusion>([&]<class Fusion>() {
      out.push_back(case_of<Kind::regression>(std::string(Fusion::id), support::small_fusion<Fusion>()));
    });
    return out;
  }();
  return all;
}

/// Calls f with a model and records of M = 1, 2, 3, 5 modalities, for every fusion.
void for_each_subject(const std::function<void(const Subject&)>& f) {
  for (const Case& one : cases())
    for (const std::size_t modalities : {1, 2, 3, 5}) {
      const Subject s = one.make(modalities);
      INFO(s.name);
      f(s);
    }
}

/// A presence [n, M] with holes: record i lacks modality (i mod M); the last record lacks all.
at::Tensor holes(std::int64_t n, std::size_t modalities) {
  const auto m = static_cast<std::int64_t>(modalities);
  at::Tensor p = torch::ones({n, m}, torch::kBool);
  for (std::int64_t i = 0; i < n; ++i) p[i][i % m] = m == 1;
  p[n - 1].fill_(false);
  return p;
}

eq::ModelBatch with_presence(eq::ModelBatch batch, const at::Tensor& entries) {
  batch.presence = eq::Presence(entries);
  return batch;
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

at::Tensor nan_like(const at::Tensor& t) {
  return torch::full_like(t, std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

TEST_CASE("the fast forward is one forward per coalition, in training and in evaluation", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    const auto all = eq::all_coalitions(s.modalities());
    for (const bool training : {true, false}) {
      if (training && s.keeps_means()) continue;  // each forward would change the next one
      s.model->module().train(training);
      for (const auto& batch : {s.batch, with_presence(s.batch, holes(kRecords, s.modalities()))}) {
        const at::Tensor fast = s.predict(batch, all);
        for (std::size_t c = 0; c < all.size(); ++c)
          CHECK(difference(fast[static_cast<std::int64_t>(c)], s.predict(batch, {&all[c], 1})[0]) < 1e-6);
      }
    }
  });
}

TEST_CASE("an absent modality's features change nothing, forward and backward", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    const auto presence = eq::Presence(holes(kRecords, s.modalities()));
    const eq::Features features = s.model->encode(s.batch, s.model->full()).detach();
    const auto run = [&](bool poisoned) {
      s.model->module().zero_grad();
      eq::Features f = features;
      for (std::size_t m = 0; m < f.items.size(); ++m) {
        std::vector<std::int64_t> absent;
        for (std::size_t i = 0; i < static_cast<std::size_t>(kRecords); ++i)
          if (!presence.of_row(i).contains(m)) absent.push_back(static_cast<std::int64_t>(i));
        f.items[m] = f.items[m].map_tensors([&](const at::Tensor& t) {
          return poisoned ? t.index_fill(0, torch::tensor(absent), std::numeric_limits<double>::quiet_NaN())
                          : t.clone();
        });
      }
      const at::Tensor out = s.model->decode(0, f, presence);
      out.sum().backward();
      return std::pair{out.detach(), gradients(s.model->module())};
    };
    s.model->module().eval();  // a mean of earlier batches stays as it is
    const auto clean = run(false), poisoned = run(true);
    CHECK(torch::equal(clean.first, poisoned.first));
    CHECK(torch::equal(clean.second, poisoned.second));
    CHECK(at::isfinite(clean.second).all().item().toBool());
  });
}

TEST_CASE("what is not a number in a modality leaves the coalitions without it alone", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    s.model->module().eval();
    const std::size_t bad = s.modalities() - 1;
    const auto all = eq::all_coalitions(s.modalities());
    const eq::Presence presence = s.batch.presence.restricted_to(all);
    const eq::Features features = s.model->encode(s.batch, s.model->full()).detach();
    eq::Features poisoned = features;
    poisoned.items[bad] = features.items[bad].map_tensors(nan_like);
    const at::Tensor clean = s.model->decode(0, features, presence), out = s.model->decode(0, poisoned, presence);
    for (std::size_t c = 0; c < all.size(); ++c) {
      const auto row = static_cast<std::int64_t>(c);
      if (all[c].contains(bad))
        CHECK(out[row].isnan().any().item<bool>());
      else
        CHECK(torch::equal(clean[row], out[row]));
    }
  });
}

TEST_CASE("an absent modality's inputs reach nothing", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    s.model->module().eval();
    const at::Tensor entries = holes(kRecords, s.modalities());
    const eq::ModelBatch clean = with_presence(s.batch, entries);
    eq::ModelBatch poisoned = clean;
    for (std::size_t m = 0; m < s.modalities(); ++m) {
      const at::Tensor absent = entries.select(1, static_cast<std::int64_t>(m)).logical_not().nonzero().squeeze(1);
      poisoned.inputs[m] = clean.inputs[m].index_fill(0, absent, std::numeric_limits<double>::quiet_NaN());
    }
    CHECK(torch::equal(s.predict(clean), s.predict(poisoned)));
  });
}

TEST_CASE("a record without any modality gets the prior", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    s.model->fit_prior(0, s.batch.targets[0], {});
    const auto m = static_cast<std::int64_t>(s.modalities());
    const at::Tensor out = s.predict(with_presence(s.batch, torch::zeros({kRecords, m}, torch::kBool)));
    const at::Tensor prior = s.prior();
    CHECK(out.dim() >= 2);
    for (std::int64_t o = 0; o < prior.numel(); ++o) CHECK(difference(out.select(1, o), prior[o]) < 1e-12);
  });
}

TEST_CASE("gradients reach every present modality's encoder", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    // Records that lack a modality teach what stands for it.
    const at::Tensor lacks = torch::ones({kRecords, static_cast<std::int64_t>(s.modalities())}, torch::kBool);
    if (s.modalities() > 1) lacks.diagonal().fill_(false);
    s.model->module().zero_grad();
    s.predict(with_presence(s.batch, lacks)).square().sum().backward();
    const auto groups = s.model->parameter_groups();
    for (const auto& group : groups)
      for (const at::Tensor& p : group) {
        // A softmax over one modality is constant: its scores then learn nothing.
        if (s.modalities() > 1) CHECK((p.grad().defined() && p.grad().isfinite().all().item().toBool()));
      }
    for (std::size_t m = 0; m < s.modalities(); ++m) CHECK(groups[m][0].grad().abs().sum().item().toDouble() > 0);
  });
}

TEST_CASE("every parameter is in exactly one group", "[fusion][law]") {
  for_each_subject([](const Subject& s) {
    std::size_t n = 0;
    for (const auto& group : s.model->parameter_groups()) n += group.size();
    CHECK(n == s.model->module().parameters().size());
  });
}

TEST_CASE("relabelling modalities permutes the parts of a fusion and nothing else", "[fusion][law]") {
  for (const Case& one : cases()) {
    const Subject a = one.make(3), b = one.make_relabelled();
    INFO(a.name);
    // The same encoders and fusion parts with modalities b and c exchanged.
    const torch::NoGradGuard no_grad;
    const auto from = a.model->parameter_groups(), to = b.model->parameter_groups();
    const std::size_t place[] = {0, 2, 1, 3};
    for (std::size_t g = 0; g < 4; ++g)
      for (std::size_t p = 0; p < from[g].size(); ++p) to[place[g]][p].copy_(from[g][p]);
    // Parameters of a modality that say something of the others, as those of gates do.
    b.reorder_others({0, 2, 1});
    a.model->module().eval(), b.model->module().eval();
    const auto all = eq::all_coalitions(3);
    const std::vector<eq::Coalition> same = {all[0], all[1], all[4], all[5], all[2], all[3], all[6], all[7]};
    CHECK(difference(a.predict(a.batch, all), b.predict(b.batch, same)) < 1e-12);
  }
}

TEST_CASE("a fusion saved and loaded is the same", "[fusion][law]") {
  for (const Case& one : cases()) {
    const Subject a = one.make(2), b = one.make(2);
    INFO(a.name);
    {
      const torch::NoGradGuard no_grad;
      for (const at::Tensor& p : b.model->module().parameters()) p.zero_();
    }
    (void)a.predict(a.batch);  // in training mode: a mean of batches is saved too
    a.model->module().eval(), b.model->module().eval();
    std::stringstream stream;
    torch::serialize::OutputArchive out;
    a.model->module().save(out);
    out.save_to(stream);
    torch::serialize::InputArchive in;
    in.load_from(stream);
    b.model->module().load(in);
    const auto all = eq::all_coalitions(2);
    CHECK(torch::equal(a.predict(a.batch, all), b.predict(b.batch, all)));
  }
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

TEST_CASE("joint attention with equal scores is GELU of the sum over the modalities that a record has",
          "[fusion][worked]") {
  const std::vector<eq::FeatureSpec> specs(3, eq::FeatureSpec{.width = 4});
  torch::manual_seed(1);
  const auto fusion = eq::AttentionFusion{.width = 5, .hidden = 2, .joint = true}.build(specs);
  const torch::NoGradGuard no_grad;
  for (const auto& p : fusion->named_parameters())
    if (p.key().starts_with("scores.")) p.value().zero_();
  const eq::Presence presence(std::vector<std::uint64_t>{0b111, 0b101, 0b010}, 1, 3);
  std::vector<eq::AttentionFusionModule::Projected> parts;
  at::Tensor sum = torch::zeros({3, 5});
  for (std::size_t m = 0; m < 3; ++m) {
    parts.push_back(fusion->project(m, eq::Feature(torch::randn({3, 4}))));
    for (std::int64_t row = 0; row < 3; ++row)
      if (presence.of_row(static_cast<std::size_t>(row)).contains(m)) sum[row] += parts[m].value[row];
  }
  CHECK(torch::allclose(fusion->combine(parts, presence).squeeze(0), torch::gelu(sum), 1e-5, 1e-6));
  CHECK_THROWS_WITH((eq::AttentionFusion{.mix = true, .joint = true}.build(specs)),
                    Catch::Contains("AttentionFusion.joint"));
}
