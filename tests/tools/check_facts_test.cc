// Keyed hashes of facts, their sums, and the records of those that differ.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/check/fact_sums.h"
#include "tools/check/keyed_hash.h"
#include "tools/check/tree_sets.h"

namespace ebcache::tools {
namespace {

Fact Reference(uint64_t address, uint64_t tree) {
  return {.type = FactType::kBlockRefByTree, .subject = address, .words = {0, tree}, .name = {}};
}

std::unique_ptr<HashBatch> Batch(const HashKey& key) {
  return std::move(HashBatch::Create(key)).value();
}

Sum HashOf(const HashKey& key, const Fact& fact) {
  const std::unique_ptr<HashBatch> batch = Batch(key);
  batch->Add(fact);
  return batch->Finish()[0];
}

TEST(KeyedHashTest, EveryFieldCounts) {
  const HashKey key = HashKey::Draw();
  const std::string name = "a name that is longer than a block of the cipher";
  std::vector<Fact> facts = {Fact{}};
  facts.push_back({.type = FactType::kLink, .name = {}});
  facts.push_back({.subject = 1, .name = {}});
  for (size_t i = 0; i < Fact{}.words.size(); ++i) {
    facts.emplace_back();
    facts.back().words[i] = 1;
  }
  for (size_t length = 1; length <= name.size(); ++length) {
    facts.push_back({.name = std::string_view(name).substr(0, length)});
  }
  const std::string zeroes(3, '\0');
  facts.push_back({.name = zeroes});
  std::set<std::pair<uint64_t, uint64_t>> hashes;
  const std::unique_ptr<HashBatch> batch = Batch(key);
  for (const Fact& fact : facts) batch->Add(fact);
  size_t i = 0;
  for (const Sum sum : batch->Finish()) {
    hashes.insert({static_cast<uint64_t>(sum.value >> 64), static_cast<uint64_t>(sum.value)});
    EXPECT_EQ(sum, HashOf(key, facts[i++])) << "alone as in a batch";
  }
  EXPECT_EQ(hashes.size(), facts.size());
}

TEST(KeyedHashTest, EachRunHasAKeyOfItsOwn) {
  EXPECT_FALSE(HashOf(HashKey::Draw(), Fact{}) == HashOf(HashKey::Draw(), Fact{}));
}

struct Statement {
  uint64_t address;
  uint64_t tree;
  int64_t times;
};

void Write(const HashKey& key, FactSink& sink, const std::vector<Statement>& statements) {
  FactWriter writer(&sink, Batch(key));
  for (const Statement& one : statements) writer.Add(Reference(one.address, one.tree), one.times);
}

using Left = std::map<std::pair<uint64_t, uint64_t>, int64_t>;

Left DifferencesOf(const std::vector<Statement>& statements, uint64_t most = 1000) {
  const HashKey key = HashKey::Draw();
  BucketSums sums(key, 4096);
  Write(key, sums, statements);
  const std::vector<size_t> buckets = sums.Differing();
  FactRecords records(sums, buckets, most);
  Write(key, records, statements);
  Left left;
  records.ForEachLeft([&](const KeptFact& fact, int64_t times) {
    left[{fact.subject, fact.words[1]}] = times;
  });
  if (records.buckets_given_up() > 0)
    left[{0, 0}] = static_cast<int64_t>(records.buckets_given_up());
  return left;
}

TEST(FactSumsTest, WhatIsMadeAndRecordedIsNothing) {
  std::vector<Statement> statements;
  for (uint64_t i = 1; i < 3000; ++i) statements.push_back({i * 4096, 5, 1});
  for (uint64_t i = 2999; i > 0; --i) statements.push_back({i * 4096, 5, -1});
  EXPECT_EQ(DifferencesOf(statements), Left());
}

TEST(FactSumsTest, WhatDiffersIsTold) {
  std::vector<Statement> statements;
  for (uint64_t i = 1; i < 3000; ++i) {
    statements.push_back({i * 4096, 5, 1});
    statements.push_back({i * 4096, i == 77 ? uint64_t{6} : uint64_t{5}, i == 99 ? -3 : -1});
  }
  const Left expected = {{{77 * 4096, 5}, 1}, {{77 * 4096, 6}, -1}, {{99 * 4096, 5}, -2}};
  EXPECT_EQ(DifferencesOf(statements), expected);
}

TEST(FactSumsTest, BucketsAreGivenUpWhereThereIsNoRoom) {
  std::vector<Statement> statements;
  for (uint64_t i = 1; i < 3000; ++i) statements.push_back({i * 4096, 5, 1});
  const Left left = DifferencesOf(statements, 100);
  EXPECT_GT(left.at({0, 0}), 1);
  EXPECT_LE(left.size(), 101u);
}

TEST(TreeSetsTest, SetsOfTrees) {
  TreeSets sets;
  for (uint64_t tree = 5; tree < 8; ++tree) {
    for (uint64_t extent = 0; extent < 10; ++extent) {
      if (extent % 2 == 0 || tree == 6) sets.Note(extent, 4096, tree);
      if (extent == 3 && tree == 6) sets.Note(extent, 4096, tree);  // twice in one tree
    }
  }
  sets.Settle();
  EXPECT_EQ(sets.extents(), 0u);
  std::map<std::vector<uint64_t>, uint64_t> bytes;
  sets.ForEachSet([&](const std::vector<uint64_t>& trees, uint64_t of_set) {
    if (of_set > 0) bytes[trees] = of_set;
  });
  const std::map<std::vector<uint64_t>, uint64_t> expected = {{{5, 6, 7}, 5 * 4096},
                                                              {{6}, 5 * 4096}};
  EXPECT_EQ(bytes, expected);
}

}  // namespace
}  // namespace ebcache::tools
