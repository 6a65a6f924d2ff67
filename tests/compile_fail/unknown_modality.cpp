// error: equipoise: no entry has that name; CheckEntryName above lists the names
#include <equipoise/core/base/named_tuple.hpp>

using namespace equipoise::literals;

int main() {
  equipoise::named_tuple r{equipoise::slot<"dose", int>{1}, equipoise::slot<"metrics", int>{2}};
#ifdef MUST_FAIL
  (void)r["doze"_n];
#endif
  return r["dose"_n] - 1;
}
