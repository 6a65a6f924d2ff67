#include <equipoise/io/utf8_output.hpp>

#include <sstream>
#include <string>

#include "support/catch.hpp"

using equipoise::io::Utf8Output;

TEST_CASE("a stream's text arrives as UTF-8 however it is cut into parts", "[io][property]") {
  const std::string given =
      "plain, \xc3\xa4 and \xe2\x82\xac stay; L\xe4"
      "mp, \xfc, \xe2\x82";
  const std::string wanted = equipoise::as_utf8(given);
  for (std::size_t part = 1; part <= given.size(); ++part)
    for (const bool flush : {false, true}) {
      std::ostringstream target;
      {
        const Utf8Output output(target);
        for (std::size_t at = 0; at < given.size(); at += part) {
          target << given.substr(at, part);
          if (flush) target.flush();
        }
      }
      INFO("parts of " << part << " bytes");
      CHECK(target.str() == wanted);
    }
}

TEST_CASE("text that is flushed has arrived, and long text needs no flush", "[io][behaviour]") {
  std::ostringstream target;
  const Utf8Output output(target);
  target << "a line\n" << std::flush;
  CHECK(target.str() == "a line\n");
  target << std::string(100000, 'x') << '\xe4';
  CHECK(target.good());
  CHECK(target.str().size() > 90000);
}

TEST_CASE("a target that fails makes the stream fail", "[io][error]") {
  struct Full : std::streambuf {
    std::streamsize xsputn(const char*, std::streamsize) override { return 0; }
  } full;
  std::ostream stream(&full);
  const Utf8Output output(stream);
  stream << "text" << std::flush;
  CHECK_FALSE(stream.good());
}
