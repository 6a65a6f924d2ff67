// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The memory of a policy as named tensors, for checkpoints. A `State` is an aggregate that is
/// reflected with Hana. Its members are numbers, lists of numbers, tensors or lists of tensors.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/host.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

/// Named tensors, in declaration order.
using StateList = std::vector<std::pair<std::string, at::Tensor>>;

namespace detail {

template <class T>
concept state_number = std::same_as<T, double> || std::same_as<T, std::int64_t> || std::same_as<T, bool>;

template <state_number T>
[[nodiscard]] at::Tensor to_state(const std::vector<T>& values) {
  constexpr auto dtype = std::same_as<T, double> ? at::kDouble : at::kLong;
  at::Tensor out = at::empty({static_cast<std::int64_t>(values.size())}, dtype);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::same_as<T, double>)
      out.mutable_data_ptr<double>()[i] = values[i];
    else
      out.mutable_data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(values[i]);
  }
  return out;
}
template <state_number T>
void from_state(const at::Tensor& saved, std::vector<T>& values) {
  const at::Tensor host = host_copy(saved);
  values.resize(static_cast<std::size_t>(host.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::same_as<T, double>)
      values[i] = host.const_data_ptr<double>()[i];
    else
      values[i] = static_cast<T>(host.const_data_ptr<std::int64_t>()[i]);
  }
}

/// Copies into a tensor of the same shape, because an optimiser may hold that tensor.
inline void restore(at::Tensor& to, const at::Tensor& saved) {
  if (to.defined() && to.sizes() == saved.sizes()) {
    at::NoGradGuard no_grad;
    to.copy_(saved);
  } else {
    to = saved.clone();
  }
}

}  // namespace detail

/// The memory of a run as named tensors.
template <class State>
[[nodiscard]] StateList save_state(const State& state) {
  StateList out;
  if constexpr (!std::is_empty_v<State>) {
    for_each_member(state, [&]<class T>(std::string_view key, const T& value) {
      const std::string name(key);
      if constexpr (std::same_as<T, at::Tensor>) {
        if (value.defined()) out.emplace_back(name, value.detach().clone());
      } else if constexpr (std::same_as<T, std::vector<at::Tensor>>) {
        for (const auto& [i, tensor] : views::enumerate(value))
          out.emplace_back(name + "." + std::to_string(i), tensor.detach().clone());
      } else if constexpr (detail::state_number<T>) {
        out.emplace_back(name, detail::to_state(std::vector<T>{value}));
      } else {
        out.emplace_back(name, detail::to_state(value));
      }
    });
  }
  return out;
}

/// Restores the state from the result of `save_state`.
/// \throws NameError for an entry that the state does not have.
template <class State>
void load_state(const StateList& saved, State& state, std::string_view where) {
  for (const auto& entry : saved) {
    const std::string& key = entry.first;
    const at::Tensor& tensor = entry.second;
    bool found = false;
    if constexpr (!std::is_empty_v<State>) {
      for_each_member(state, [&]<class T>(std::string_view name, T& value) {
        if constexpr (std::same_as<T, std::vector<at::Tensor>>) {
          if (!key.starts_with(std::string(name) + ".")) return;
          const std::size_t i = std::stoul(key.substr(name.size() + 1));
          if (value.size() <= i) value.resize(i + 1);
          detail::restore(value[i], tensor);
        } else {
          if (name != key) return;
          if constexpr (std::same_as<T, at::Tensor>) {
            detail::restore(value, tensor);
          } else if constexpr (detail::state_number<T>) {
            std::vector<T> one;
            detail::from_state(tensor, one);
            value = one.at(0);
          } else {
            detail::from_state(tensor, value);
          }
        }
        found = true;
      });
    }
    if (!found)
      throw NameError(
          message("name.304", where, "the saved state has an entry \"", key, "\" that the policy does not have"));
  }
}

}  // namespace equipoise
