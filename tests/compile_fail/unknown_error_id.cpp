// error: equipoise::this_error_id_is_not_in_kErrorKinds()
#include <equipoise/core/base/errors.hpp>

int main() {
#ifdef MUST_FAIL
  throw equipoise::ValueError(equipoise::message("value.999", "main", "expected nothing"));
#else
  try {
    throw equipoise::ValueError(equipoise::message("value.201", "main", "expected nothing"));
  } catch (const equipoise::Error&) {
  }
#endif
}
