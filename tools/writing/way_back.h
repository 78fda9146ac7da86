// WayBack: the undo file of a run, and how to use it.

#ifndef EBCACHE_TOOLS_WRITING_WAY_BACK_H_
#define EBCACHE_TOOLS_WRITING_WAY_BACK_H_

#include <string>
#include <vector>

namespace ebcache::tools {

struct WayBack {
  std::string undo_file;
  std::vector<std::string> devices;

  // Command lines, as a shell takes them: one that goes back, one that gives the way back up.
  std::string UndoCommand() const;
  std::string SettleCommand() const;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_WRITING_WAY_BACK_H_
