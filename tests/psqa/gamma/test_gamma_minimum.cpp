#include <equipoise/psqa/gamma/gamma.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include "psqa/gamma/grids.hpp"
#include "support/catch.hpp"

using namespace equipoise::psqa;
using namespace gamma_grids;

namespace {

/// The least Γ of a simplex, N points of N - 1 places and a dose, by a cyclic descent along its edges' directions in
/// the weights of the points: slow, and nothing like the search.
template <std::size_t N>
double least_of_simplex(const std::array<std::array<double, N>, N>& v) {
  std::array<double, N> w{}, p{};
  w.fill(1.0 / double(N));
  for (std::size_t i = 0; i < N; ++i)
    for (std::size_t k = 0; k < N; ++k) p[k] += w[i] * v[i][k];
  for (int round = 0; round < 5000; ++round) {
    double moved = 0;
    for (std::size_t i = 0; i < N; ++i)
      for (std::size_t j = i + 1; j < N; ++j) {
        double along = 0, length = 0;  // move weight from i to j
        for (std::size_t k = 0; k < N; ++k) {
          const double d = v[j][k] - v[i][k];
          along += p[k] * d, length += d * d;
        }
        const double step = std::clamp(-along / length, -w[j], w[i]);
        w[i] -= step, w[j] += step, moved += std::abs(step);
        for (std::size_t k = 0; k < N; ++k) p[k] += step * (v[j][k] - v[i][k]);
      }
    if (moved < 1e-13) break;
  }
  double square = 0;
  for (const double x : p) square += x * x;
  return std::sqrt(square);
}

/// Over all simplices of all cells: from a cell's middle to that of a face, of one of its edges (where there are three
/// axes), and to a corner; a middle's dose is the mean of the corners about it.
/// \tparam N 3 of a plane (y, x, dose), 4 of a volume
template <std::size_t N>
double brute_force(const DoseGrid& e, const std::array<double, 3>& at, double dose, double tol, double dta) {
  constexpr std::size_t first = 4 - N;  // axis
  double best = 1e9;
  const auto of_cell = [&](const std::array<std::size_t, 3>& cell) {
    std::array<std::size_t, N - 1> order{};
    for (std::size_t k = 0; k < N - 1; ++k) order[k] = first + k;
    do {
      for (std::size_t corner = 0; corner < 1U << (N - 1); ++corner) {
        std::array<std::array<double, N>, N> v{};
        std::size_t fixed = 0;  // bit k: axis first + k lies where the corner does
        for (std::size_t i = 0; i < N; ++i) {
          for (std::size_t c = 0; c < 1U << (N - 1); ++c) {
            if ((c & fixed) != (corner & fixed)) continue;
            const double share = 1.0 / double(1U << (N - 1 - i));
            std::array<std::size_t, 3> index = cell;
            for (std::size_t k = first; k < 3; ++k) {
              index[k] += c >> (k - first) & 1;
              v[i][k - first] += share * (e.origin[k] + double(index[k]) * e.spacing[k] - at[k]) / dta;
            }
            v[i][N - 1] += share * (e.at(index[0], index[1], index[2]) - dose) / tol;
          }
          if (i + 1 < N) fixed |= std::size_t{1} << (order[i] - first);
        }
        best = std::min(best, least_of_simplex<N>(v));
      }
    } while (std::next_permutation(order.begin(), order.end()));
  };
  for (std::size_t z = 0; z + (first == 0 ? 1 : 0) < e.shape[0]; ++z)
    for (std::size_t y = 0; y + 1 < e.shape[1]; ++y)
      for (std::size_t x = 0; x + 1 < e.shape[2]; ++x) {
        const std::array<std::size_t, 3> cell = {z, y, x};
        double square = 0;  // distance from the point to the cell
        for (std::size_t k = first; k < 3; ++k) {
          const double low = e.origin[k] + double(cell[k]) * e.spacing[k] - at[k];
          const double gap = std::max({0.0, low, -low - e.spacing[k]}) / dta;
          square += gap * gap;
        }
        if (square < best * best) of_cell(cell);
      }
  return best;
}

/// All points of two grids, in double and in single precision.
template <std::size_t N>
void is_the_minimum(const DoseGrid& r, const DoseGrid& e) {
  const GammaCriteria c{.dd_percent = 10, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .max_gamma = 50};
  std::vector<double> brute;
  for (std::size_t i = 0; i < r.size(); ++i) {
    const std::array<std::size_t, 3> index = {i / (r.shape[1] * r.shape[2]), i / r.shape[2] % r.shape[1],
                                              i % r.shape[2]};
    std::array<double, 3> at{};
    for (std::size_t k = 0; k < 3; ++k) at[k] = r.origin[k] + r.spacing[k] * double(index[k]);
    brute.push_back(brute_force<N>(e, at, r.values[i], 0.1, 2));
  }
  same(gamma(r, e, c, ExactMinimum<double>{}).map, brute, 1e-6);
  same(gamma(r, e, c).map, brute, 2e-6);  // of float: two doses of up to 1.5 rounded to 6e-8, over a tolerance of 0.1
}

}  // namespace

TEST_CASE("the exact search of a plane is the minimum over its triangles", "[psqa][gamma][property]") {
  for (std::uint64_t seed = 0; seed < 3; ++seed)
    for (const double off : {0.0, 0.4}) {
      DoseGrid r = random_plane(seed, 8, 1.5);
      r.origin[1] += off, r.origin[2] -= 2 * off;
      is_the_minimum<3>(r, random_plane(seed + 50, 8, 1.5));
    }
}

TEST_CASE("the exact search of a volume is the minimum over its tetrahedra", "[psqa][gamma][property]") {
  for (const double off : {0.0, 0.4})
    is_the_minimum<4>(random_volume(2, {5, 5, 5}, {off, -off, off}), random_volume(1, {5, 5, 5}, {0, 0, 0}));
}
