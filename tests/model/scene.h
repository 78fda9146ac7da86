// Scene: what one run of a program plays in, made anew for each.

#ifndef EBCACHE_TESTS_MODEL_SCENE_H_
#define EBCACHE_TESTS_MODEL_SCENE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/model/scheduler.h"

namespace ebcache::model {

class Scene : public Checker {
 public:
  // After the run: looks whether all is as it was, and takes everything down.
  virtual void Finish() = 0;
  // Tells WeakMemory what plain memory of the scene, besides the object itself, fibers share that only the scheduler
  // orders.
  virtual void DoNotWatch() const {}
};

// A few threads, a few operations each.
struct Program {
  std::string name;
  std::function<std::unique_ptr<Scene>()> make;
  std::vector<std::function<void(Scene&)>> threads;
  // Belongs to the short selection as well.
  bool quick = false;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_SCENE_H_
