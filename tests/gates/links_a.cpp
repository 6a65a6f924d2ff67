#include <equipoise/equipoise.hpp>
#include <equipoise/psqa/psqa.hpp>

int other();

int main() {
  return other();
}
