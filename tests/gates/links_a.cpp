#include <equipoise/equipoise.hpp>

#ifdef EQUIPOISE_PSQA
#include <equipoise/psqa/psqa.hpp>
#endif

int other();

int main() {
  return other();
}
