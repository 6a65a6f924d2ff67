// error: equipoise: a callback's on_epoch_end takes (const RunView&, const EpochRecord&)
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

struct Print {
#ifdef MUST_FAIL
  void on_epoch_end(const eq::EpochRecord&) {}
#else
  void on_epoch_end(const eq::RunView&, const eq::EpochRecord&) {}
#endif
  void on_run_end(const eq::RunView&) {}
};

int main() {
  auto model =
      eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 2}), eq::task<"gpr">(eq::Sum{}, eq::Regression{}));
  eq::Trainer trainer(model, eq::TrainerOptions{});
  trainer.add(Print{});
}
