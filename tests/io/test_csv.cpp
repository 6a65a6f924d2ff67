#include <equipoise/io/csv.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <rapidcheck/catch.h>
#include "support/catch.hpp"
#include "support/samples.hpp"

namespace io = equipoise::io;

namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const io::CsvFile& file) {
  Rows out;
  for (const io::CsvRow& row : file.rows()) out.emplace_back(row.cells.begin(), row.cells.end());
  return out;
}

class Csv {
 public:
  [[nodiscard]] std::filesystem::path write(const std::string& text) const {
    std::ofstream(folder_.path() / "a.csv", std::ios::binary | std::ios::trunc) << text;
    return folder_.path() / "a.csv";
  }
  [[nodiscard]] Rows rows(const std::string& text, char delimiter = ',') const {
    return rows_of(io::CsvFile(write(text), delimiter));
  }

 private:
  support::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("cells are those of RFC 4180", "[io][worked]") {
  const Csv csv;
  CHECK(csv.rows("a,b\n1,2\n") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(csv.rows("a,b\r\n1,2") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(csv.rows("a,b\n\"Doe, John\",\"he said \"\"no\"\"\"\n") == Rows{{"a", "b"}, {"Doe, John", "he said \"no\""}});
  CHECK(csv.rows("a,b\n\"two\r\nlines\",2\n") == Rows{{"a", "b"}, {"two\r\nlines", "2"}});
  CHECK(csv.rows("\xef\xbb\xbf\"a\",b\n,\n") == Rows{{"a", "b"}, {"", ""}});
  CHECK(csv.rows("a;b\n1,5;2\n", ';') == Rows{{"a", "b"}, {"1,5", "2"}});
  CHECK(csv.rows("a\tb\n\t2\n", '\t') == Rows{{"a", "b"}, {"", "2"}});
  CHECK(csv.rows("a, b \n 1 , \" x \" \r\n") == Rows{{"a", "b"}, {"1", " x "}});
  CHECK(csv.rows("\n\na,b\n\n1,2\n") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(csv.rows("\na\n1\n\n2\n") == Rows{{"a"}, {"1"}, {""}, {"2"}});
  CHECK(csv.rows("").empty());
}

TEST_CASE("blank lines are no rows, but in a file of one column they are empty cells", "[io][behaviour]") {
  const Csv csv;
  CHECK(csv.rows("a,b\n\n1,2\n \n\n") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(csv.rows("a\n1\n\n3\n\n") == Rows{{"a"}, {"1"}, {""}, {"3"}});
  CHECK(csv.rows("a\n1\n\"\"\n") == Rows{{"a"}, {"1"}, {""}});
}

TEST_CASE("a row is known by the line on which it begins", "[io][behaviour]") {
  const Csv csv;
  std::vector<std::size_t> lines;
  const io::CsvFile file(csv.write("a,b\n\n\"x\n\ny\",2\n3,4\n"));
  for (const io::CsvRow& row : file.rows()) lines.push_back(row.line);
  CHECK(lines == std::vector<std::size_t>{1, 3, 6});
}

TEST_CASE("misplaced quotes are refused with line and cell", "[io][error]") {
  const Csv csv;
  const auto refused = [&](const std::string& text, const std::string& sentence) {
    const auto path = csv.write(text);
    CHECK_THROWS_WITH(io::CsvFile(path), "[equipoise.file.433] " + path.string() + ": " + sentence);
  };
  refused("a,b\n1,2\n3,\"open\n4,5\n", "line 3, cell 2: expected a closing quote, got the end of the file");
  refused("a,b\n\"x\"y,2\n", "line 2, cell 1: expected the end of the cell after its closing quote, got more text");
  refused("a,b\n1,5\" pipe\n", "line 2, cell 2: expected quotes around the whole cell, got one within it");
  refused(std::string("\xff\xfe\x61\x00", 4), "expected text of UTF-8, got UTF-16; save it as CSV UTF-8");
  CHECK_THROWS_WITH(io::CsvFile("no/such.csv"), "[equipoise.file.401] no/such.csv: expected a readable file");
}

TEST_CASE("what is written with quotes is read as it was", "[io][property]") {
  const Csv csv;
  rc::prop("cells of any text", [&] {
    const auto width = *rc::gen::inRange<std::size_t>(1, 4), height = *rc::gen::inRange<std::size_t>(1, 5);
    const std::string end = *rc::gen::element<std::string>("\n", "\r\n");
    Rows rows(height, std::vector<std::string>(width));
    std::string text;
    for (auto& row : rows)
      for (std::size_t c = 0; c < width; ++c) {
        row[c] = *rc::gen::container<std::string>(rc::gen::element(',', '"', '\n', '\r', 'x', ' ', '\t'));
        text += '"';
        for (const char letter : row[c]) text += letter == '"' ? std::string("\"\"") : std::string(1, letter);
        text += c + 1 < width ? "\"," : "\"" + end;
      }
    RC_ASSERT(csv.rows(text) == rows);
  });
}
