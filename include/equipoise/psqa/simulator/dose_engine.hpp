// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Dose in a plane from fluence, by convolution with a two-exponential kernel (Ahnesjö 1992; Nyholm 2006) and a
/// Gaussian source:
///   K(r) = [A e^{-ar} + B e^{-br}] / r, of unit integral; its transform is known: 2π A / sqrt(a² + k²).
/// Two planes are convolved in one complex transform: the planned and the measured one.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/machine.hpp>

#include <unsupported/Eigen/FFT>

#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

namespace equipoise::psqa {

class DoseEngine {
 public:
  /// \param pixels of the square planes  \param spacing_mm of a pixel; the padding is at least 100 mm
  DoseEngine(std::size_t pixels, double spacing_mm)
      : pixels_(pixels), size_(padded(pixels, spacing_mm)), spacing_(spacing_mm) {}

  [[nodiscard]] std::size_t pixels() const { return pixels_; }
  [[nodiscard]] double spacing_mm() const { return spacing_; }

  /// The kernel's transform at spatial frequency k (1/mm): one at k = 0.
  [[nodiscard]] static double transfer(const MachineModel& m, double k) {
    const auto exponential = [k](double a) { return a / std::sqrt(a * a + k * k); };
    const double primary = exponential(m.primary_per_mm), scatter = exponential(m.scatter_per_mm);
    const auto gaussian = [k](double sigma) { return std::exp(-0.5 * sigma * sigma * k * k); };
    return ((1 - m.scatter_share) * primary + m.scatter_share * scatter) *
           ((1 - m.extra_focal_share) * gaussian(m.source_sigma_mm) +
            m.extra_focal_share * gaussian(m.extra_focal_sigma_mm));
  }

  /// Doses (Gy, 1 cGy an MU) of two fluences (MU), each with its machine.
  [[nodiscard]] std::pair<DoseGrid, DoseGrid> operator()(const DoseGrid& first, const MachineModel& m1,
                                                         const DoseGrid& second, const MachineModel& m2) {
    std::vector<std::complex<double>> plane(size_ * size_);
    for (std::size_t y = 0; y < pixels_; ++y)
      for (std::size_t x = 0; x < pixels_; ++x) plane[y * size_ + x] = {first.at(0, y, x), second.at(0, y, x)};
    transform(plane, true);
    std::vector<std::complex<double>> product(plane.size());
    const std::complex<double> i(0, 1);
    for (std::size_t v = 0; v < size_; ++v)
      for (std::size_t u = 0; u < size_; ++u) {
        const std::complex<double> z = plane[v * size_ + u],
                                   mirrored = std::conj(plane[((size_ - v) % size_) * size_ + (size_ - u) % size_]);
        const double k = std::sqrt(frequency(u) * frequency(u) + frequency(v) * frequency(v));
        product[v * size_ + u] =
            0.5 * (z + mirrored) * transfer(m1, k) + i * (-0.5 * i * (z - mirrored)) * transfer(m2, k);
      }
    transform(product, false);
    std::pair<DoseGrid, DoseGrid> out{first, second};
    for (std::size_t y = 0; y < pixels_; ++y)
      for (std::size_t x = 0; x < pixels_; ++x) {
        out.first.at(0, y, x) = 0.01 * product[y * size_ + x].real();
        out.second.at(0, y, x) = 0.01 * product[y * size_ + x].imag();
      }
    return out;
  }

 private:
  /// The next size of small prime factors.
  [[nodiscard]] static std::size_t padded(std::size_t pixels, double spacing) {
    std::size_t n = pixels + static_cast<std::size_t>(std::ceil(100 / spacing));
    for (;; ++n) {
      std::size_t rest = n;
      for (const std::size_t p : {2U, 3U, 5U})
        while (rest % p == 0) rest /= p;
      if (rest == 1 && n % 2 == 0) return n;
    }
  }

  [[nodiscard]] double frequency(std::size_t index) const {
    const double n = static_cast<double>(size_), k = static_cast<double>(index);
    return 2 * std::numbers::pi * (k <= n / 2 ? k : k - n) / (n * spacing_);
  }

  void transform(std::vector<std::complex<double>>& plane, bool forward) {
    std::vector<std::complex<double>> line(size_), out(size_);
    const auto run = [&](auto&& at) {
      for (std::size_t i = 0; i < size_; ++i) line[i] = at(i);
      forward ? fft_.fwd(out, line) : fft_.inv(out, line);
      for (std::size_t i = 0; i < size_; ++i) at(i) = out[i];
    };
    for (std::size_t y = 0; y < size_; ++y)
      run([&](std::size_t i) -> std::complex<double>& { return plane[y * size_ + i]; });
    for (std::size_t x = 0; x < size_; ++x)
      run([&](std::size_t i) -> std::complex<double>& { return plane[i * size_ + x]; });
  }

  std::size_t pixels_, size_;
  double spacing_;
  Eigen::FFT<double> fft_;
};

}  // namespace equipoise::psqa
