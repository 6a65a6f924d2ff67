// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Multiply-adds of what LibTorch runs, counted operator by operator while it runs.
///
/// Counted are matrix products, convolutions with their padded taps, bilinear forms, attention and
/// the fused recurrent layer of the CPU. Not counted are operators on single entries (activations,
/// norms, sums, softmax), pooling, interpolation, Fourier transforms, embeddings, recurrent layers
/// of cuDNN, and code that does not go through LibTorch's dispatcher, such as AOTInductor packages.

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace equipoise {

namespace detail {

using OperatorInputs = c10::ArrayRef<const c10::IValue>;

/// \param at the place of the first of two factors among the inputs
[[nodiscard]] inline std::int64_t of_matrix_product(OperatorInputs in, std::size_t at) {
  return in[at].toTensor().numel() * in[at + 1].toTensor().size(-1);
}

/// The factor is a matrix, the other one a vector.
[[nodiscard]] inline std::int64_t of_factor(OperatorInputs in, std::size_t at) {
  return in[at].toTensor().numel();
}

/// input, weight, bias, stride, padding, dilation, transposed, …; all taps count, those at padding
/// too.
[[nodiscard]] inline std::int64_t of_convolution(OperatorInputs in, std::size_t) {
  const at::Tensor &x = in[0].toTensor(), &weight = in[1].toTensor();
  const auto stride = in[3].toDimVector(), padding = in[4].toDimVector(), dilation = in[5].toDimVector();
  std::int64_t places = x.size(0);
  for (std::int64_t d = 2; d < x.dim(); ++d) {
    const auto i = static_cast<std::size_t>(d - 2);
    const auto of = [&](const auto& list) { return list[list.size() == 1 ? 0 : i]; };
    places *= in[6].toBool() ? x.size(d)
                             : (x.size(d) + 2 * of(padding) - of(dilation) * (weight.size(d) - 1) - 1) / of(stride) + 1;
  }
  return places * weight.numel();
}

/// query [.., L, E], key [.., S, E], value [.., S, E']
[[nodiscard]] inline std::int64_t of_attention(OperatorInputs in, std::size_t) {
  const at::Tensor &query = in[0].toTensor(), &value = in[2].toTensor();
  return query.numel() / query.size(-1) * value.size(-2) * (query.size(-1) + value.size(-1));
}

/// x1 [.., I], x2 [.., J], weight [O, I, J]
[[nodiscard]] inline std::int64_t of_bilinear_form(OperatorInputs in, std::size_t) {
  const at::Tensor& x = in[0].toTensor();
  return x.numel() / x.size(-1) * in[2].toTensor().numel();
}

/// input [T, B, I], weights [G, I] and [G, H]: one layer in one direction
[[nodiscard]] inline std::int64_t of_recurrent_layer(OperatorInputs in, std::size_t) {
  const at::Tensor& x = in[0].toTensor();
  return x.size(0) * x.size(1) * (in[1].toTensor().numel() + in[2].toTensor().numel());
}

struct CountedOperator {
  std::string_view name;
  std::int64_t (*count)(OperatorInputs, std::size_t);
  std::size_t at = 0;
};

inline constexpr std::array<CountedOperator, 13> kCountedOperators{{
    {"aten::mm", of_matrix_product, 0},
    {"aten::addmm", of_matrix_product, 1},
    {"aten::bmm", of_matrix_product, 0},
    {"aten::baddbmm", of_matrix_product, 1},
    {"aten::addbmm", of_matrix_product, 1},
    {"aten::mv", of_factor, 0},
    {"aten::addmv", of_factor, 1},
    {"aten::dot", of_factor, 0},
    {"aten::convolution", of_convolution},
    {"aten::_convolution", of_convolution},
    {"aten::scaled_dot_product_attention", of_attention},
    {"aten::bilinear", of_bilinear_form},
    {"aten::mkldnn_rnn_layer", of_recurrent_layer},
}};

/// `RecordFunction::inputs()` asserts, in debug builds, a flag that the release builds of LibTorch
/// do not set. An explicit instantiation may name the private member behind it.
[[nodiscard]] inline OperatorInputs inputs_of(const at::RecordFunction& run);
template <auto Inputs>
struct InputsOfRecordFunction {
  friend inline OperatorInputs inputs_of(const at::RecordFunction& run) { return run.*Inputs; }
};
template struct InputsOfRecordFunction<&at::RecordFunction::inputs_>;

/// Calls a function for each counted operator that this thread runs while the object lives; not for
/// those within one.
class OperatorCounter {
 public:
  using Function = std::function<void(std::int64_t multiply_adds, OperatorInputs inputs)>;

  explicit OperatorCounter(Function function) : function_(std::move(function)), before_(current()) {
    current() = this;
    if (before_ == nullptr)
      handle_ = at::addThreadLocalCallback(
          at::RecordFunctionCallback(begin, end).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  }
  OperatorCounter(const OperatorCounter&) = delete;
  OperatorCounter& operator=(const OperatorCounter&) = delete;
  ~OperatorCounter() {
    if (before_ == nullptr) at::removeCallback(handle_);
    current() = before_;
  }

 private:
  struct Within : at::ObserverContext {};

  [[nodiscard]] static OperatorCounter*& current() {
    static thread_local OperatorCounter* counter = nullptr;
    return counter;
  }
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& run) {
    OperatorCounter* counter = current();
    if (counter == nullptr || counter->within_) return nullptr;
    for (const CountedOperator& known : kCountedOperators)
      if (known.name == run.name()) {
        const OperatorInputs inputs = inputs_of(run);
        counter->function_(known.count(inputs, known.at), inputs);
        counter->within_ = true;
        return std::make_unique<Within>();
      }
    return nullptr;
  }
  static void end(const at::RecordFunction&, at::ObserverContext* within) {
    if (within != nullptr && current() != nullptr) current()->within_ = false;
  }

  Function function_;
  OperatorCounter* before_;
  bool within_ = false;
  at::CallbackHandle handle_ = 0;
  at::RecordFunctionGuard enabled_{true};
};

}  // namespace detail

/// The multiply-adds of what `run()` computes on this thread: `eq::count_multiply_adds([&] {
/// module->forward(x); })`. Only sizes matter, so tensors of the `meta` device do.
/// `eq::multiply_adds` (core/model/threads.hpp) estimates them without a forward pass.
template <class F>
[[nodiscard]] std::int64_t count_multiply_adds(F&& run) {
  std::int64_t sum = 0;
  const detail::OperatorCounter counter([&](std::int64_t n, detail::OperatorInputs) { sum += n; });
  std::forward<F>(run)();
  return sum;
}

}  // namespace equipoise
