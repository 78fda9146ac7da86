#include "tests/model/weakening_sweep.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ebcache::model {

namespace {

// Of the library: the programs' own orders are not swept.
bool IsOfTheLibrary(const Site& site) { return std::strstr(site.file, "tests/model/") == nullptr; }

// Without what a build puts before it.
const char* NameOfFile(const char* file) {
  for (const char* root : {"lib/", "include/ebcache/", "ebcache/"}) {
    if (const char* const at = std::strstr(file, root)) return at;
  }
  return file;
}

std::string Describe(const Site& site) {
  char text[256];
  std::snprintf(text, sizeof text, "%s:%u:%u %s %s", NameOfFile(site.file), site.line, site.column,
                NameOf(site.what), NameOf(site.order));
  return text;
}

struct Reached {
  Site site;
  std::vector<size_t> programs;
};

// What each program comes by, and how long it took.
struct Survey {
  std::vector<Reached> sites;
  std::vector<double> seconds;
  int failures = 0;
};

Survey SurveyOf(const std::vector<const Program*>& programs, const SweepOptions& options) {
  Survey survey;
  survey.seconds.resize(programs.size());
  const size_t bytes = programs.size() * sizeof(SiteTable);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  auto* const tables = static_cast<SiteTable*>(memory);  // of zeroes: empty
  std::vector<Job> jobs;
  for (size_t i = 0; i < programs.size(); ++i) {
    jobs.push_back({.program = programs[i], .effort = options.effort, .weak = true, .sites = &tables[i]});
  }
  RunJobs(jobs, options.processes, [&](size_t job, const Outcome& outcome) {
    survey.seconds[job] = outcome.seconds;
    if (!outcome.failed) return;
    ++survey.failures;
    std::printf("%s: FAILED as it is: %s\n  --weak --replay='%s:%s'\n", programs[job]->name.c_str(),
                outcome.message.c_str(), programs[job]->name.c_str(), outcome.schedule.c_str());
  });
  for (size_t i = 0; i < programs.size(); ++i) {
    for (size_t s = 0; s < tables[i].size(); ++s) {
      const Site& site = tables[i][s];
      if (!IsOfTheLibrary(site)) continue;
      auto there = std::find_if(survey.sites.begin(), survey.sites.end(),
                                [&](const Reached& reached) { return reached.site.Is(site); });
      if (there == survey.sites.end()) {
        survey.sites.push_back({site, {}});
        there = std::prev(survey.sites.end());
      }
      there->programs.push_back(i);
    }
  }
  munmap(memory, bytes);
  std::sort(survey.sites.begin(), survey.sites.end(),
            [](const Reached& a, const Reached& b) { return Describe(a.site) < Describe(b.site); });
  // The quick ones first: most weaker orders are noticed by many programs.
  for (Reached& reached : survey.sites) {
    std::stable_sort(reached.programs.begin(), reached.programs.end(),
                     [&](size_t a, size_t b) { return survey.seconds[a] < survey.seconds[b]; });
  }
  return survey;
}

struct Notice {
  const Program* by = nullptr;
  uint64_t interleavings = 0;
  std::string message;
  std::string schedule;
};

Notice Look(const std::vector<const Program*>& programs, const Reached& reached, const Weakening& weakening,
            const SweepOptions& options) {
  Notice notice;
  const size_t at_once = static_cast<size_t>(options.processes) * 4;
  for (size_t from = 0; from < reached.programs.size() && notice.by == nullptr; from += at_once) {
    std::vector<Job> jobs;
    for (size_t i = from; i < std::min(from + at_once, reached.programs.size()); ++i) {
      jobs.push_back({.program = programs[reached.programs[i]],
                      .effort = options.effort,
                      .weak = true,
                      .weakened = &weakening});
    }
    RunJobs(jobs, options.processes, [&](size_t job, const Outcome& outcome) {
      if (!outcome.failed || notice.by != nullptr) return;
      notice = {jobs[job].program, outcome.interleavings + 1, outcome.message, outcome.schedule};
    });
  }
  return notice;
}

}  // namespace

int SweepWeakerOrders(const std::vector<const Program*>& programs, const SweepOptions& options) {
  const Survey survey = SurveyOf(programs, options);
  if (survey.failures != 0) return 1;
  size_t tried = 0;
  size_t unnoticed = 0;
  std::printf("%-58s %-8s  %13s  %s\n", "order", "made", "interleavings", "noticed by");
  for (const Reached& reached : survey.sites) {
    const std::string name = Describe(reached.site);
    if (name.find(options.only) == std::string::npos) continue;
    for (const std::memory_order to : Weaker(reached.site.what, reached.site.order)) {
      const Weakening weakening{reached.site, to};
      ++tried;
      const Notice notice = Look(programs, reached, weakening, options);
      if (notice.by == nullptr) {
        ++unnoticed;
        std::printf("%-58s %-8s  %13s  NONE of %zu programs\n", name.c_str(), NameOf(to), "",
                    reached.programs.size());
      } else {
        std::printf("%-58s %-8s  %13llu  %s: %s\n", name.c_str(), NameOf(to),
                    static_cast<unsigned long long>(notice.interleavings), notice.by->name.c_str(),
                    notice.message.c_str());
      }
      std::fflush(stdout);
    }
  }
  std::printf("%zu places, %zu weaker orders, %zu not noticed\n", survey.sites.size(), tried, unnoticed);
  return unnoticed == 0 ? 0 : 1;
}

int ListSites(const std::vector<const Program*>& programs, const SweepOptions& options) {
  const Survey survey = SurveyOf(programs, options);
  for (const Reached& reached : survey.sites) {
    std::printf("%-58s %5zu programs\n", Describe(reached.site).c_str(), reached.programs.size());
  }
  return survey.failures == 0 ? 0 : 1;
}

}  // namespace ebcache::model
