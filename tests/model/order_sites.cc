#include "tests/model/order_sites.h"

#include <cstring>

#include "tests/model/model_sync.h"

namespace ebcache::model {

const char* NameOf(OrderOf what) {
  switch (what) {
    case OrderOf::kLoad:
      return "load";
    case OrderOf::kStore:
      return "store";
    case OrderOf::kUpdate:
      return "update";
    case OrderOf::kFailure:
      return "failed update";
    case OrderOf::kWait:
      return "wait";
    case OrderOf::kFence:
      return "fence";
  }
  return "?";
}

const char* NameOf(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

bool Site::Is(const Site& other) const {
  return line == other.line && column == other.column && what == other.what &&
         (file == other.file || std::strcmp(file, other.file) == 0);
}

std::vector<std::memory_order> Weaker(OrderOf what, std::memory_order order) {
  switch (order) {
    case std::memory_order_seq_cst:
      if (what == OrderOf::kLoad || what == OrderOf::kFailure || what == OrderOf::kWait) {
        return {std::memory_order_acquire};
      }
      if (what == OrderOf::kStore) return {std::memory_order_release};
      return {std::memory_order_acq_rel};
    case std::memory_order_acq_rel:
      return {std::memory_order_acquire, std::memory_order_release};
    case std::memory_order_acquire:
    case std::memory_order_release:
    case std::memory_order_consume:
      return {std::memory_order_relaxed};
    case std::memory_order_relaxed:
      return {};
  }
  return {};
}

void SiteTable::Note(const Site& site) {
  for (size_t i = 0; i < size_; ++i) {
    if (sites_[i].Is(site)) return;
  }
  if (size_ == kMost) FailRun("more sites than there is room for");
  sites_[size_] = site;
  ++size_;
}

}  // namespace ebcache::model
