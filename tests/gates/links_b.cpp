#include <equipoise/equipoise.hpp>
#include <equipoise/psqa/psqa.hpp>

int other();
int other() {
  return equipoise::Coalition::full(2).size() == 2 ? 0 : 1;
}
