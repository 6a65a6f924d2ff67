// error: equipoise: a policy's declared hooks are not the ones it has: is one misspelt or of another signature?
#include <equipoise/balancing/any_policy.hpp>

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
int main() {
  equipoise::PolicyStack policies = equipoise::stack(equipoise::windowed(Policy{}, {.from = 1}));
  policies = equipoise::stack(std::move(policies.front()), Policy{});  // with one that was made elsewhere
}
