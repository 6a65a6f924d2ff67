// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `compose`: parts in, model out. Encoders are built first, their feature specs go to the fusions and the fusions'
/// widths to the heads, so that no dimension is written twice.

#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/model.hpp>
#include <equipoise/core/model/row_fusion.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Words that cannot name an attribute of a saved module: LibTorch writes an archive as Python, and cannot read it then.
inline constexpr std::array<std::string_view, 35> kPythonKeywords{
    "False",  "None",     "True", "and",    "as",   "assert",  "async",  "await",  "break", "class",  "continue", "def",
    "del",    "elif",     "else", "except", "for",  "finally", "from",   "global", "if",    "import", "in",       "is",
    "lambda", "nonlocal", "not",  "or",     "pass", "raise",   "return", "try",    "while", "with",   "yield"};

}  // namespace detail

/// Says what a modality or task cannot be called. Policies name what they derive from a task `<task>/…`, parameters are
/// called `encoders.<modality>.…`, and checkpoints keep both.
template <FixedString Text>
struct CheckPartName {
  static constexpr std::string_view text = Text.view();
  static constexpr bool some = !text.empty();
  static constexpr bool slash = text.find('/') != std::string_view::npos,
                        dot = text.find('.') != std::string_view::npos;
  static constexpr bool keyword =
      std::find(detail::kPythonKeywords.begin(), detail::kPythonKeywords.end(), text) != detail::kPythonKeywords.end();
  static constexpr bool control = std::any_of(text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; });
  static_assert(some, "equipoise: a name of a modality or task may not be empty");
  static_assert(!slash,
                "equipoise: a name of a modality or task may not contain '/', which parts the names of objectives");
  static_assert(!dot,
                "equipoise: a name of a modality or task may not contain '.', which parts the names of parameters");
  static_assert(!control, "equipoise: a name of a modality or task may not contain a control character");
  static_assert(!keyword,
                "equipoise: a name of a modality or task may not be a keyword of Python, as class is: checkpoints "
                "could not be read");
  static constexpr bool ok = true;
};

/// A modality of a model: a name and how to encode it.
template <FixedString Text, class Part>
struct ModalityPart {
  static_assert(CheckPartName<Text>::ok);
  static_assert(Text.view() != "shared",
                "equipoise: a modality may not be called \"shared\", the group of the parameters that belong to none");
  static constexpr FixedString text = Text;
  Part encoder;
};

/// A task of a model: a name, how the modalities are fused for it, and what is predicted.
template <FixedString Text, class FusionPart, class HeadPart>
struct TaskPart {
  static_assert(CheckPartName<Text>::ok);
  static_assert(Text.view() != "objective",
                "equipoise: a task may not be called \"objective\", the sum of the tasks' losses in the history");
  static constexpr FixedString text = Text;
  FusionPart fusion;
  HeadPart head;
};

/// `eq::modality<"dose">(eq::Cnn{…})`; the part is a spec with `build()` or a module of one's own.
template <FixedString Text, class Part>
[[nodiscard]] ModalityPart<Text, Part> modality(Part encoder) {
  return {std::move(encoder)};
}

/// `eq::task<"gpr">(eq::AttentionFusion{…}, eq::Regression{…})`.
template <FixedString Text, class FusionPart, class HeadPart>
[[nodiscard]] TaskPart<Text, FusionPart, HeadPart> task(FusionPart fusion, HeadPart head) {
  return {std::move(fusion), std::move(head)};
}

namespace detail {

template <class Part>
inline constexpr bool is_module_pointer = false;
template <class M>
inline constexpr bool is_module_pointer<std::shared_ptr<M>> = true;

/// Says why nothing can be made of a part of a model. What `build` is given tells the places apart: nothing an encoder,
/// the features' specs a fusion, a width a task.
template <class Part, class... Args>
struct CheckPart {
  static constexpr bool module = std::derived_from<Part, torch::nn::Module>;
  static constexpr bool spec = requires(const Part& part, const Args&... args) { part.build(args...); };
  static constexpr bool neither = !module && !spec;
  static constexpr bool head = (std::same_as<Args, std::int64_t> || ...), encoder = sizeof...(Args) == 0;
  static_assert(!module,
                "equipoise: a module of your own is given by pointer, std::make_shared<Module>(...), not by value");
  static_assert(!(neither && encoder),
                "equipoise: here stands no encoder: it is a spec with `build()`, as eq::Mlp{...}, or a std::shared_ptr "
                "to a module of your own");
  static_assert(!(neither && !encoder && !head),
                "equipoise: here stands no fusion: it is a spec with `build(specs)`, as eq::Concat{...}, or a "
                "std::shared_ptr to a module of your own");
  static_assert(!(neither && head),
                "equipoise: here stands no task: it is a spec with `build(width)`, as eq::Regression{...}, or a "
                "std::shared_ptr to a module of your own");
  static constexpr bool ok = spec && !module;
};

/// Stands for a part of which nothing can be made, so that the sentence of `CheckPart` is the only error.
struct NoPart : torch::nn::Module {
  using Target = Values;
  at::Tensor forward(const at::Tensor& x) { return x; }
  at::Tensor forward(const std::vector<at::Tensor>&, const at::Tensor& presence) { return presence; }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor&, bool) { return prediction; }
  [[nodiscard]] at::Tensor prior() const { return {}; }
  void fit_prior(const at::Tensor&) {}
  [[nodiscard]] std::int64_t width() const { return 1; }
  [[nodiscard]] std::int64_t outputs() const { return 1; }
};
template <class Module>
inline constexpr bool is_no_part = std::same_as<Module, NoPart> || std::same_as<Module, RowFusion<NoPart>>;

/// The module, or what stands for one of which a check has said what it lacks.
template <bool Fits, class Module>
[[nodiscard]] auto checked_part(std::shared_ptr<Module> module) {
  if constexpr (Fits)
    return module;
  else
    return std::make_shared<NoPart>();
}

/// The module of a part: built from its spec, or the user's own as it is.
template <class Part, class... Args>
[[nodiscard]] auto module_of(const Part& part, const Args&... args) {
  if constexpr (is_module_pointer<Part>)
    return part;
  else if constexpr (requires { typename Part::ContainedType; })
    return part.ptr();  // LibTorch's holder
  else if constexpr (CheckPart<Part, Args...>::ok)
    return part.build(args...);
  else
    return std::make_shared<NoPart>();  // the check has failed
}

/// What a part is called and what was chosen for it; a module of the user's own has no options.
template <class Part>
[[nodiscard]] PartOptions options_of(const Part& part) {
  PartOptions out{"module", {}};
  if constexpr (requires { Part::id; }) out.id = Part::id;
  if constexpr (hana::Struct<Part>::value) out.list = options(part);
  return out;
}

/// A fusion as the model uses it: a plain `forward(features, presence)` is wrapped.
template <class F>
[[nodiscard]] auto in_two_stages(std::shared_ptr<F> given, const std::vector<FeatureSpec>& specs) {
  static_assert(CheckFusion<F>::ok);
  auto fusion = checked_part<Fusion<F>>(std::move(given));
  using Module = typename decltype(fusion)::element_type;
  if constexpr (fuses_in_two_stages<Module>)
    return fusion;
  else
    return std::make_shared<RowFusion<Module>>(std::move(fusion), specs);
}

/// Joins records; `<<` because its operands are evaluated from left to right, and the order of building is the order of
/// random numbers.
template <class... A, class... B>
[[nodiscard]] auto operator<<([[maybe_unused]] named_tuple<A...> a, [[maybe_unused]] named_tuple<B...> b) {
  static_assert(CheckDistinctNames<typename A::key..., typename B::key...>::ok);
  return named_tuple<A..., B...>{static_cast<A&>(a)..., static_cast<B&>(b)...};
}

template <FixedString Text, class Part>
[[nodiscard]] auto built_encoder(const ModalityPart<Text, Part>& part) {
  auto given = module_of(part.encoder);
  using Given = typename decltype(given)::element_type;
  static_assert(CheckEncoder<Given>::ok);
  auto module = checked_part<Encoder<Given>>(std::move(given));
  using Module = typename decltype(module)::element_type;
  return named_tuple<slot<Text, EncoderEntry<Module>>>{{{std::move(module), options_of(part.encoder)}}};
}
template <FixedString Text, class F, class H>
[[nodiscard]] named_tuple<> built_encoder(const TaskPart<Text, F, H>&) {
  return {};
}

template <class Encoders, FixedString Text, class F, class H>
[[nodiscard]] auto built_task(const Encoders& encoders, const TaskPart<Text, F, H>& part) {
  const std::vector<FeatureSpec> specs = feature_specs(encoders);
  auto fusion = in_two_stages(module_of(part.fusion, std::span<const FeatureSpec>(specs)), specs);
  using FusionModule = typename decltype(fusion)::element_type;
  static_assert(!needs_a_map<FusionModule> || any_map<Encoders>,
                "equipoise: this fusion needs a modality whose encoder yields a map, and there is none");
  static_assert(!IntermediateFusion<FusionModule> || all_have_taps<Encoders>,
                "equipoise: this fusion exchanges features between the stages of encoders, and an encoder here has no "
                "taps: they are `stages()`, `tap_width(i)` and `forward_stage(i, x)`");
  auto given = module_of(part.head, std::int64_t{fusion->width()});
  using Given = typename decltype(given)::element_type;
  static_assert(CheckTask<Given>::ok);
  auto head = checked_part<Task<Given>>(std::move(given));
  using Head = typename decltype(head)::element_type;
  static_assert(
      is_dense<Head> == yields_a_map<FusionModule> || is_no_part<Head> || is_no_part<FusionModule>,
      "equipoise: a dense task needs a fusion that yields a map, and every other task one that yields a vector");
  return named_tuple<slot<Text, TaskEntry<FusionModule, Head>>>{
      {{std::move(fusion), std::move(head), options_of(part.fusion), options_of(part.head)}}};
}
template <class Encoders, FixedString Text, class Part>
[[nodiscard]] named_tuple<> built_task(const Encoders&, const ModalityPart<Text, Part>&) {
  return {};
}

}  // namespace detail

/// Builds a model of named modalities and tasks, in the order given. Parameters are drawn from LibTorch's global
/// generator: seed it before with `torch::manual_seed`.
/// \code
/// auto model = eq::compose(eq::modality<"dose">(eq::Cnn{}),
///                          eq::modality<"metrics">(eq::Mlp{.in_features = 33}),
///                          eq::task<"gpr">(eq::AttentionFusion{}, eq::Regression{.outputs = 3}));
/// \endcode
template <class... Parts>
[[nodiscard]] auto compose(const Parts&... parts) {
  using detail::operator<<;
  auto encoders = (named_tuple<>{} << ... << detail::built_encoder(parts));
  auto tasks = (named_tuple<>{} << ... << detail::built_task(encoders, parts));
  return std::make_shared<Model<decltype(encoders), decltype(tasks)>>(std::move(encoders), std::move(tasks));
}

}  // namespace equipoise
