// SPDX-License-Identifier: MIT
/// \file
/// Mutated files against one reader, under address and undefined sanitizers: `fuzz_readers READER COUNT SEED FILE…`.
/// A reader may refuse a file with one of the library's errors; it may not crash, hang, or ask for memory out of
/// proportion to the file, and neither may the metrics and gamma of what it accepts. Every input depends on the seed and
/// its number alone: `--only N` repeats one. A COUNT of 0 reads the files as they are and prints what each one took.
/// `fuzz_readers --list` prints the readers.

#include <CLI/CLI.hpp>

#include <equipoise/core/base/random.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/all.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

// Of the sanitizers' library, whose header not every compiler has.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
extern "C" std::size_t __sanitizer_get_allocated_size(const volatile void*);

namespace {

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
namespace fs = std::filesystem;

/// The random numbers of one input.
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t input) : key_(eq::hash_of({seed, input})) {}
  std::size_t below(std::size_t n) {
    return static_cast<std::size_t>(eq::hash_of({key_, ++count_}) % std::max<std::size_t>(n, 1));
  }

 private:
  std::uint64_t key_, count_ = 0;
};

const std::vector<std::string> kTokens = {
    "-1", "0",  "1e308", "-1e308",    "nan",   "inf",        "99999999999999999999", "\\", ",", "\t",
    "\n", "\"", "",      "0.0000001", "65535", "4294967295", std::string(40, '9')};

void mutate_once(std::string& s, const std::vector<std::string>& corpus, Dice& dice) {
  const std::size_t at = dice.below(s.size() + 1), length = dice.below(1 + dice.below(64));
  switch (dice.below(9)) {
    case 0:
      if (at < s.size()) s[at] = static_cast<char>(s[at] ^ (1 << dice.below(8)));
      break;
    case 1:
      if (at < s.size()) s[at] = static_cast<char>(dice.below(256));
      break;
    case 2:
      if (at < s.size()) s.erase(at, length);
      break;
    case 3:
      s.insert(at, s.substr(dice.below(s.size() + 1), length));
      break;
    case 4:
      s.resize(at);
      break;
    case 5:
      s.insert(at, kTokens[dice.below(kTokens.size())]);
      break;
    case 6: {  // a number becomes another
      const std::size_t digit = s.find_first_of("0123456789", at);
      if (digit == std::string::npos) break;
      std::size_t end = digit;
      while (end < s.size() && ((s[end] >= '0' && s[end] <= '9') || s[end] == '.')) ++end;
      s.replace(digit, end - digit, kTokens[dice.below(kTokens.size())]);
      break;
    }
    case 7: {  // a length or count field of a binary format
      const std::size_t width = dice.below(2) ? 4 : 2;
      if (at + width > s.size()) break;
      const std::uint32_t value = dice.below(2) ? 0xffffffffU : static_cast<std::uint32_t>(1U << dice.below(32));
      for (std::size_t i = 0; i < width; ++i) s[at + i] = static_cast<char>(value >> (8 * i));
      break;
    }
    default: {  // the head of one file and the tail of another
      const std::string& other = corpus[dice.below(corpus.size())];
      s = s.substr(0, at) + other.substr(std::min(at, other.size()));
    }
  }
}

/// What this thread has computed for: a busy machine makes no reader slow.
double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Bytes that all allocations together held at most, beyond what was held when an input began.
class Memory {
 public:
  static void on_malloc(const volatile void*, std::size_t size) { peak_ = std::max(peak_, held_ += size); }
  static void on_free(const volatile void* p) { held_ -= p ? __sanitizer_get_allocated_size(p) : 0; }
  static void begin() { begin_ = peak_ = held_, reading_ = 0; }
  /// The file is read; what follows is use of what was in it.
  static void read() { reading_ = std::exchange(peak_, held_) - begin_; }
  static std::size_t when_reading() { return reading_ > 0 ? reading_ : peak_ - begin_; }
  static std::size_t when_using() { return reading_ > 0 ? peak_ - begin_ : 0; }

 private:
  static inline std::size_t held_ = 0, peak_ = 0, begin_ = 0, reading_ = 0;
};

/// Readers of real plans, doses, logs and tables hold up to 10 bytes for each byte of a file, and 32 kB whatever its
/// size. Texts of the shortest lines need more: a line is a view of 16 bytes, a table's row a vector, and a list that
/// grows is there three times over; a table of one digit a line needs the most, 71 bytes for each. More still is in the
/// nature of
///   - run-length encoded doses: 64 bytes of pixels a byte, and four times that as numbers;
///   - volumes with frames at uneven places: up to 20 times the frames;
///   - plans: a control point of 8 bytes that names no leaves has those before it, 16 bytes a pair, 3200 at most;
///   - deflated data sets: 64 bytes a byte, or a megabyte;
/// but no mutation of the corpus has come near.
constexpr double kReading = 1 << 16, kReadingPerByte = 100;
/// The map of a beam's fluence has a point a mm², whatever the file's size, and at most 2000 x 2000 of them: 32 MB.
constexpr double kUsing = 64 << 20;

/// What is accepted must also be usable: metrics of a plan, gamma of a dose.
void use(const psqa::Plan& plan) {
  Memory::read();
  for (const psqa::Beam& beam : plan.beams)
    if (!beam.layers.empty()) (void)psqa::merged_bank(beam);
  (void)psqa::complexity(plan);
}
void use(const psqa::DoseGrid& dose) {
  Memory::read();
  if (dose.size() <= 4096) (void)psqa::gamma(dose, dose, {.dd_percent = 3, .dta_mm = 3});
}

using Read = std::function<void(const fs::path&)>;

/// What each reader of the list reads, under its id; under `<id>_plan` and `<id>_dose` where it reads both.
std::map<std::string, Read> readers() {
  std::map<std::string, Read> out;
  eq::for_each_type<psqa::EveryReader>([&]<class R>() {
    const std::string id(R::id);
    constexpr bool both = psqa::ReadsPlans<R> && psqa::ReadsDoses<R>;
    if constexpr (psqa::ReadsPlans<R>)
      out[both ? id + "_plan" : id] = [](const fs::path& p) { use(R::read_plan(p, {})); };
    if constexpr (psqa::ReadsDoses<R>)
      out[both ? id + "_dose" : id] = [](const fs::path& p) {
        use(R::read_dose(p, {.interpolated = true, .profiles = true}));
      };
    if constexpr (psqa::ReadsLogs<R>) out[id] = [](const fs::path& p) { use(R::read_log(p).delivered); };
    if constexpr (psqa::ReadsOthers<R>) out[id] = [](const fs::path& p) { (void)R::read(p); };
  });
  return out;
}
const std::map<std::string, Read> kReaders = readers();

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

/// One allocation beyond this ends the program with a report of where it was.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=128:allocator_may_return_null=0:detect_leaks=1";
}

int main(int argc, char** argv) {
  __sanitizer_install_malloc_and_free_hooks(Memory::on_malloc, Memory::on_free);
  CLI::App app{"Mutated files against one reader of the library."};
  std::string reader;
  std::uint64_t count = 0, seed = 0, only = 0;
  std::vector<std::string> files, corpus;
  app.add_option("READER", reader)->required()->check(CLI::IsMember(kReaders));
  app.add_option("COUNT", count, "mutated inputs; 0: the files as they are")->required();
  app.add_option("SEED", seed)->required();
  app.add_option("FILE", files, "files to mutate")->required()->check(CLI::ExistingFile);
  app.add_option("--only", only, "repeat this input alone and write it to fuzz-input");
  app.add_flag_callback(
      "--list",
      [] {
        for (const auto& [name, read] : kReaders) std::cout << name << "\n";
        throw CLI::Success();
      },
      "print the readers");
  CLI11_PARSE(app, argc, argv)
  const auto& read = kReaders.at(reader);
  for (const std::string& file : files) corpus.push_back(contents(file));
  const fs::path folder = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  const fs::path path = folder / ("equipoise-fuzz-" + reader + "-" + std::to_string(::getpid()));
  std::uint64_t refused = 0, bad = 0;
  double slowest = 0, reading = 0, using_it = 0;
  const auto judge = [&](const std::string& s, const std::string& name) {
    std::ofstream(path, std::ios::binary) << s;
    const double begin = processor_seconds(), size = static_cast<double>(s.size());
    Memory::begin();
    try {
      read(path);
    } catch (const eq::FileError&) {
      ++refused;
    } catch (const eq::ValueError&) {
      ++refused;
    } catch (const std::exception& e) {
      std::cerr << "\n" << reader << " " << name << ": not one of the library's errors: " << e.what() << "\n";
      ++bad;
    }
    const double seconds = processor_seconds() - begin, to_read = static_cast<double>(Memory::when_reading()),
                 to_use = static_cast<double>(Memory::when_using());
    slowest = std::max(slowest, seconds), reading = std::max(reading, to_read), using_it = std::max(using_it, to_use);
    const bool slow = seconds > 1 + size / (1 << 20),
               large = to_read > kReading + kReadingPerByte * size || to_use > kUsing + kReadingPerByte * size;
    if (slow || large || count == 0)
      std::cerr << "\n"
                << reader << " " << name << ": took " << seconds << " s of the processor, " << to_read
                << " bytes to read and " << to_use << " to use, for " << s.size() << " bytes\n";
    bad += slow || large;
  };
  try {
    std::ofstream(path, std::ios::binary) << corpus[0];
    read(path);  // what a library makes at its first use is there from here on
  } catch (const std::exception&) {
  }
  for (std::size_t i = 0; i < corpus.size(); ++i) judge(corpus[i], files[i]);
  for (std::uint64_t i = only ? only : 1; i <= (only ? only : count); ++i) {
    Dice dice(seed, i);
    std::string s = corpus[dice.below(corpus.size())];
    for (std::size_t n = 1 + dice.below(6); n > 0; --n) mutate_once(s, corpus, dice);
    if (only) std::ofstream("fuzz-input", std::ios::binary) << s;
    // A crash leaves this line's number on the terminal.
    if (i % 10000 == 0) std::cerr << "\r" << reader << " " << i << "/" << count << std::flush;
    judge(s, "input " + std::to_string(i) + " of seed " + std::to_string(seed));
  }
  fs::remove(path);
  std::cerr << "\r";
  std::cout << reader << ": " << corpus.size() << " files and " << (only ? 1 : count) << " inputs, " << refused
            << " refused, slowest " << slowest << " s, at most " << reading / 1000 << " kB to read and "
            << using_it / 1000 << " kB to use\n";
  return bad > 0 ? 1 : 0;
}
