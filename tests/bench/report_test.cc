// What benchmarks write: text cannot become markup, tables have their cells, files say why they
// were not written.

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "bench/report/html.h"
#include "bench/report/output.h"

namespace ebcache::report {
namespace {

constexpr char kHostile[] = R"(<b a="1" b='2'>&amp;</b>)";
constexpr char kHarmless[] = "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;amp;&lt;/b&gt;";

TEST(HtmlTest, TextIsEscapedWhereverItStands) {
  EXPECT_EQ(Html(kHostile).markup(), kHarmless);
  EXPECT_EQ(Html(std::string(kHostile)).markup(), kHarmless);
  EXPECT_EQ(Element("p", {{"title", kHostile}}, kHostile).markup(),
            std::string("<p title=\"") + kHarmless + "\">" + kHarmless + "</p>");
  EXPECT_EQ(Table({kHostile}, {{kHostile}}).markup(), std::string("<table><tr><th>") + kHarmless +
                                                          "</th></tr>\n<tr><td>" + kHarmless +
                                                          "</td></tr>\n</table>\n");
  const std::string page = Page(kHostile, "", kHostile);
  EXPECT_EQ(page.find("<b "), page.npos) << page;
  EXPECT_NE(page.find(kHarmless), page.npos) << page;
}

TEST(HtmlTest, MarkupIsNotEscapedTwice) {
  const Html inner = Element("i", "&");
  EXPECT_EQ(Element("b", inner + "<").markup(), "<b><i>&amp;</i>&lt;</b>");
}

TEST(HtmlTest, CellsHaveTheirClassAndReach) {
  EXPECT_EQ(Table({"a", "b"}, {{{"both", 2}}, {"1", {"2", "no"}}}).markup(),
            "<table><tr><th>a</th><th>b</th></tr>\n"
            "<tr><td colspan=\"2\">both</td></tr>\n"
            "<tr><td>1</td><td class=\"no\">2</td></tr>\n</table>\n");
}

TEST(HtmlTest, DataCannotEndItsScript) {
  const std::string script = ScriptData("words", {"</script><b>"}).markup();
  EXPECT_EQ(script, "<script>const words = [\"\\u003c/script>\\u003cb>\"];</script>\n");
}

TEST(OutputTest, MarkdownHasACellForEachTitle) {
  EXPECT_EQ(MarkdownTable({"a", "b", "c"}, {{"1", "", ""}, {"x|y", "2", "3"}}),
            "| a | b | c |\n|---|---|---|\n| 1 | | |\n| x\\|y | 2 | 3 |\n");
}

TEST(OutputTest, FilesAreWrittenOrTheReasonIsTold) {
  const std::string path = testing::TempDir() + "/report";
  ASSERT_TRUE(WriteFile(path, "long before").ok());
  ASSERT_TRUE(WriteFile(path, "text").ok());
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "text");
  EXPECT_EQ(WriteFile(testing::TempDir(), "text").message(),
            testing::TempDir() + ": cannot be written: Is a directory");
  const absl::Status full = WriteFile("/dev/full", std::string(1 << 20, 'x'));
  EXPECT_EQ(full.message(), "/dev/full: cannot be written: No space left on device");
  EXPECT_FALSE(WriteFile("/dev/full", "little").ok());
}

TEST(OutputTest, ReportsOfProgramsAreWhole) {
  const auto good = ParseReport(R"({"a":{"b":[1]}})", "it", {"/a/b/0", "/a"});
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->at("a").at("b").at(0), 1);
  for (const char* bad : {"", "[1]", "{", R"({"a":1})", R"({"a":{"b":[]}})"}) {
    EXPECT_EQ(ParseReport(bad, "it", {"/a/b/0"}).status().message(), "it printed no report") << bad;
  }
}

}  // namespace
}  // namespace ebcache::report
