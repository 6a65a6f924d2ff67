// error: equipoise: a policy's declared hooks are not the ones it has: is one misspelt or of another signature?
#include <equipoise/core/policy/policy.hpp>

struct Policy {
  static constexpr std::string_view id = "mine";
  static constexpr equipoise::Hooks hooks = equipoise::Hook::gradients;
  static constexpr equipoise::Needs needs{};
  struct State {};
#ifdef MUST_FAIL
  void on_gradient(State&, equipoise::Step&, equipoise::Gradients&) const {}
#else
  void on_gradients(State&, equipoise::Step&, equipoise::Gradients&) const {}
#endif
};
static_assert(equipoise::CheckPolicy<Policy>::ok);
int main() {}
