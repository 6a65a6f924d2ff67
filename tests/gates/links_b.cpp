#include <equipoise/equipoise.hpp>

#ifdef EQUIPOISE_PSQA
#include <equipoise/psqa/psqa.hpp>
#endif

int other();
int other() {
  return equipoise::Coalition::full(2).size() == 2 ? 0 : 1;
}
