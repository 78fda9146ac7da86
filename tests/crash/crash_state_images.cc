// Image files of what crashes leave of a commit or an undo, for a kernel and btrfs-progs to look at.
//
//   crash_state_images COMMITS COUNT SEED FOLDER DEVICE...
//   crash_state_images kinds
//
// COMMITS: the name of a CommitKind, or Undo; what is changed begins as the image files DEVICE are. Of
// the states that a crash may leave it takes COUNT, as different as there are: from each way in which
// superblocks may differ in turn. It writes each as FOLDER/NUMBER-DEVICE.img, and prints JSON:
//
//   states[]    files; words; superblocks, of each device and copy its generation, or null where it
//               is no superblock; generation, of the state that this library finds
//   attributes  {generation: {name: [bytes of the value, its letter]}} of the top directory
//
// `kinds` prints what there is to choose from, as JSON: disks[] with name, options (of mkfs.btrfs),
// devices, device_bytes; commits[]; and smallest, which is for the smallest disks.
//
// Exit code 1, with a reason on stderr, where a state is not what a crash may leave.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "tests/crash/commit_kinds.h"
#include "tests/crash/crash_states.h"
#include "tests/crash/recorded_commits.h"
#include "tests/crash/recorded_undo.h"

namespace ebcache::testing {
namespace {

using Json = nlohmann::json;

// States that are drawn for each that is taken.
constexpr size_t kDrawnForOne = 40;
constexpr char kUndo[] = "Undo";

[[noreturn]] void Fail(const std::string& why) {
  fprintf(stderr, "crash_state_images: %s\n", why.c_str());
  exit(1);
}

// What was recorded, whatever it was.
struct Recording {
  std::function<std::string(const Crash&)> complaint_of;
  const DeviceLog* log = nullptr;
  std::map<uint64_t, ItemMap> items;  // of the tree of files, by the generation of the state
  std::shared_ptr<const void> kept;   // what the above is of
};

Recording RecordCommits(const Disks& disks, const CommitKind& kind) {
  const auto commits = std::make_shared<RecordedCommits>(disks, kind);
  if (!commits->status().ok()) Fail(commits->status().ToString());
  Recording recording{
      .complaint_of = [commits](const Crash& crash) { return commits->ComplaintOf(crash); },
      .log = &commits->log(),
      .items = {},
      .kept = commits};
  for (size_t i = 0; i < commits->states(); ++i) {
    recording.items[commits->state(i).generation] = commits->items(i);
  }
  return recording;
}

Recording RecordUndo(const Disks& disks, const std::string& undo_file) {
  const auto undo = std::make_shared<RecordedUndo>(disks, undo_file);
  if (!undo->status().ok()) Fail(undo->status().ToString());
  return {.complaint_of = [undo](const Crash& crash) { return undo->ComplaintOf(crash); },
          .log = &undo->log(),
          .items = {{undo->begin().generation, undo->begin_items()},
                    {undo->changed().generation, undo->changed_items()}},
          .kept = undo};
}

Json ToJson(const SuperblockGenerations& superblocks) {
  Json json = Json::array();
  for (const auto& of_disk : superblocks) {
    json.push_back(Json::array());
    for (const auto& copy : of_disk) json.back().push_back(copy ? Json(*copy) : Json());
  }
  return json;
}

uint64_t GenerationOf(const Disks& disks) {
  const auto filesystem = OpenDisks(disks);
  if (!filesystem.ok()) Fail(filesystem.status().ToString());
  return (*filesystem)->superblock().generation;
}

std::string Words(const Crash& crash, size_t entries) {
  std::string words =
      absl::StrCat("after ", crash.entries, " of ", entries, " writes and flushes, without ",
                   crash.lost.size(), " (", absl::StrJoin(crash.lost, ","), ")");
  if (crash.torn) absl::StrAppend(&words, ", torn ", crash.torn->entry);
  return words;
}

// Those that differ in their superblocks take turns.
std::vector<Crash> Sample(const DeviceLog& log, size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::map<std::string, std::vector<Crash>> by_superblocks;
  CrashStates states(&log, seed);
  states.ForEach(log.size() + 1 + kDrawnForOne * count, [&](const Crash& crash) {
    by_superblocks[ToJson(SuperblocksOf(log.After(crash))).dump()].push_back(crash);
    return true;
  });
  std::vector<std::vector<Crash>> groups;
  for (auto& [superblocks, crashes] : by_superblocks) {
    std::shuffle(crashes.begin(), crashes.end(), random);
    groups.push_back(std::move(crashes));
  }
  std::shuffle(groups.begin(), groups.end(), random);
  std::vector<Crash> sample;
  for (bool any = true; any && sample.size() < count;) {
    any = false;
    for (std::vector<Crash>& group : groups) {
      if (group.empty() || sample.size() == count) continue;
      any = true;
      sample.push_back(std::move(group.back()));
      group.pop_back();
    }
  }
  return sample;
}

Json AttributesIn(const ItemMap& items) {
  Json attributes = Json::object();
  for (const auto& [key, data] : items) {
    if (key.objectid != kFirstFreeObjectId || key.type != kXattrItemType) continue;
    ItemRecords<DirEntry> entries(data);
    while (const std::optional<DirEntry> entry = entries.Next()) {
      attributes[std::string(entry->name)] = {entry->data.size(), std::string(entry->data, 0, 1)};
    }
    if (!entries.status().ok()) Fail(entries.status().ToString());
  }
  return attributes;
}

Json WriteImages(const Disks& disks, size_t number, const std::string& folder) {
  Json files = Json::array();
  for (size_t i = 0; i < disks.size(); ++i) {
    const std::string path = absl::StrCat(folder, "/", number, "-", i, ".img");
    if (!disks[i].WriteTo(path)) Fail(absl::StrCat(path, " cannot be written"));
    files.push_back(path);
  }
  return files;
}

Recording Record(const std::string& name, const Disks& disks, const std::string& folder) {
  if (name == kUndo) return RecordUndo(disks, folder + "/undo");
  for (const CommitKind& kind : kCommitKinds) {
    if (name == kind.name) return RecordCommits(disks, kind);
  }
  if (name == kUseSpaceTwice.name) return RecordCommits(disks, kUseSpaceTwice);
  Fail(absl::StrCat(name, " is no kind of commits"));
}

void PrintKinds() {
  Json json = {{"disks", Json::array()}, {"commits", {kUndo}}, {"smallest", kUseSpaceTwice.name}};
  for (const DiskKind& kind : kDiskKinds) {
    json["disks"].push_back({{"name", kind.name},
                             {"options", kind.options},
                             {"devices", kind.devices},
                             {"device_bytes", kind.device_bytes}});
  }
  for (const CommitKind& kind : kCommitKinds) json["commits"].push_back(kind.name);
  printf("%s\n", json.dump().c_str());
}

void PrintStates(const Recording& recording, size_t count, uint64_t seed,
                 const std::string& folder) {
  Json json = {{"states", Json::array()}, {"attributes", Json::object()}};
  for (const auto& [generation, items] : recording.items) {
    json["attributes"][absl::StrCat(generation)] = AttributesIn(items);
  }
  for (const Crash& crash : Sample(*recording.log, count, seed)) {
    const std::string words = Words(crash, recording.log->size());
    if (std::string complaint = recording.complaint_of(crash); !complaint.empty()) {
      Fail(absl::StrCat(words, ": ", complaint));
    }
    const Disks left = recording.log->After(crash);
    Json files = WriteImages(left, json["states"].size(), folder);
    json["states"].push_back({{"files", std::move(files)},
                              {"words", words},
                              {"superblocks", ToJson(SuperblocksOf(left))},
                              {"generation", GenerationOf(left)}});
  }
  printf("%s\n", json.dump().c_str());
}

int Main(int argc, char** argv) {
  if (argc == 2 && argv[1] == std::string("kinds")) {
    PrintKinds();
    return 0;
  }
  size_t count = 0;
  uint64_t seed = 0;
  if (argc < 6 || !absl::SimpleAtoi(argv[2], &count) || !absl::SimpleAtoi(argv[3], &seed)) {
    Fail("usage: crash_state_images COMMITS COUNT SEED FOLDER DEVICE...");
  }
  const std::string folder = argv[4];
  Disks disks;
  for (int i = 5; i < argc; ++i) {
    const std::shared_ptr<const BaseImage> base = BaseImage::OfFile(argv[i]);
    if (base == nullptr) Fail(absl::StrCat(argv[i], " cannot be read"));
    disks.emplace_back(base);
  }
  PrintStates(Record(argv[1], disks, folder), count, seed, folder);
  return 0;
}

}  // namespace
}  // namespace ebcache::testing

int main(int argc, char** argv) { return ebcache::testing::Main(argc, argv); }
