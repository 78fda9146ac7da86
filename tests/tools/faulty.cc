// ebcache with memory that is short or in pieces: the same subcommands, and options for what fails.

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "ebcache/allocators.h"
#include "ebcache/page_allocator.h"
#include "ebcache/testing/fault_injection.h"
#include "tests/support/scattered_pages.h"
#include "tools/allocator_choice.h"
#include "tools/command.h"
#include "tools/subcommands.h"

namespace ebcache::tools {
namespace {

// What is injected stands under or over the allocator that was chosen.
class FaultyChoice : public AllocatorChoice {
 public:
  void AddOptions(Command& command) override {
    AllocatorChoice::AddOptions(command);
    command.AddFlag("inject-scatter",
                    "no two free pages are neighbours; half the memory is gone for it", &scatter_);
    command.AddNumber("inject-order-failures",
                      "percent of allocations of order 1 and up that fail (default 0)", 100,
                      &failing_orders_percent_);
    command.AddNumber("inject-window-failures",
                      "percent of vmap's windows that cannot be mapped (default 0)", 100,
                      &failing_windows_percent_);
  }

 private:
  // Pages that are held as long as the allocator is.
  struct Scattered {
    explicit Scattered(std::shared_ptr<PageAllocator> all) : pages(all), held(std::move(all)) {}
    std::shared_ptr<PageAllocator> pages;
    ScatteredPages held;
  };

  absl::Status Check() const override {
    if (scatter_ && (memory_mib == 0 || kind == "heap")) {
      return absl::InvalidArgumentError(
          "--inject-scatter needs --memory-mib, and another allocator than heap");
    }
    if (failing_windows_percent_ != 0 && kind != "vmap") {
      return absl::InvalidArgumentError("--inject-window-failures needs --allocator=vmap");
    }
    return absl::OkStatus();
  }

  std::shared_ptr<PageAllocator> Under(std::shared_ptr<PageAllocator> pages) override {
    if (failing_orders_percent_ == 0) return pages;
    const double probability = static_cast<double>(failing_orders_percent_) / 100;
    return FaultInjectingAllocator(std::move(pages), FaultOptions{.probability = probability});
  }

  std::shared_ptr<PageAllocator> Over(std::shared_ptr<PageAllocator> pages) override {
    if (!scatter_) return pages;
    const auto scattered = std::make_shared<Scattered>(std::move(pages));
    return {scattered, scattered->pages.get()};
  }

  OsCalls* os() override {
    const double probability = static_cast<double>(failing_windows_percent_) / 100;
    os_ = FaultInjectingOsCalls(OsCalls::Real(), {.probability = probability, .min_order = 0});
    return os_.get();
  }

  bool scatter_ = false;
  uint64_t failing_orders_percent_ = 0;
  uint64_t failing_windows_percent_ = 0;
  std::unique_ptr<OsCalls> os_;
};

}  // namespace
}  // namespace ebcache::tools

int main(int argc, char** argv) {
  using ebcache::tools::FaultyChoice;
  return ebcache::tools::RunEbcache([] { return std::make_unique<FaultyChoice>(); }, argc, argv);
}
