#include <dlfcn.h>

#include <cstdio>

#include "emulator/machine.h"

namespace srcode::emulator {
namespace {

struct Frame {
  std::string function, line;
};

// addr2line's frames, the innermost first.
std::vector<Frame> frames_of(const char* pc) {
  std::vector<Frame> frames;
  Dl_info info{};
  if (pc == nullptr || dladdr(pc, &info) == 0) return frames;
  char command[600], line[600];
  snprintf(command, sizeof command, "addr2line -e '%s' -f -C -s -i 0x%lx 2>/dev/null", info.dli_fname,
           static_cast<long>(pc - static_cast<const char*>(info.dli_fbase)));
  FILE* out = popen(command, "r");
  if (out == nullptr) return frames;
  auto next = [&](std::string& into) {
    if (fgets(line, sizeof line, out) == nullptr) return false;
    into = line;
    into.pop_back();
    into = into.substr(0, into.find(" (discriminator"));
    return true;
  };
  Frame frame;
  while (next(frame.function) && next(frame.line)) frames.push_back(frame);
  pclose(out);
  return frames;
}

}  // namespace

// The first frame that is in a kernel and not in the emulator's own header. `pc` is a return address: one before it is
// the call.
std::string line_of(const void* pc) {
  for (const Frame& frame : frames_of(static_cast<const char*>(pc) - 1))
    if (frame.line.rfind("cuda.h", 0) != 0) return frame.line;
  return "?";
}

std::string function_of(const void* pc) {
  const std::vector<Frame> frames = frames_of(static_cast<const char*>(pc));
  return frames.empty() ? "?" : frames[0].function;
}

std::string text(Site site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(slash != nullptr ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

}  // namespace srcode::emulator
