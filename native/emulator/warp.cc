#include "emulator/machine.h"

namespace srcode::emulator {
namespace {

// A warp operation that some of its lanes have reached.
struct Meeting {
  unsigned mask, here;
  WarpOperation operation;
  Site site;
};
std::vector<Meeting> meetings[32];  // of each warp

std::string hex(unsigned mask) {
  char out[16];
  snprintf(out, sizeof out, "%08x", mask);
  return out;
}

void nothing(void**, unsigned) {}

}  // namespace

void reset_warps() {
  for (auto& list : meetings) list.clear();
}

void warp_operation(WarpOperation all, unsigned mask, void* data, Site site) {
  Fiber* me = current;
  const auto threads = static_cast<unsigned>(block.fibers.size());
  const unsigned first = me->warp() * 32, lanes = std::min(32u, threads - first), bit = 1u << me->lane();
  const unsigned present = lanes == 32 ? ~0u : (1u << lanes) - 1;
  if ((mask & bit) == 0)
    fail_launch("lane " + std::to_string(me->lane()) + " is not in its own mask " + hex(mask) + " at " + text(site));
  if (mask == ~0u) mask = present;  // the full mask of a last, partial warp
  if ((mask & ~present) != 0) fail_launch("mask " + hex(mask) + " names lanes beyond the block's end at " + text(site));
  me->site = site;
  me->mask = mask;
  me->data = data;

  auto& open = meetings[me->warp()];
  size_t at = 0;
  while (at < open.size() && (open[at].mask & bit) == 0) ++at;
  if (at == open.size()) {
    for (unsigned lane = 0; lane < lanes; ++lane)
      if ((mask >> lane & 1) != 0 && block.fibers[first + lane].state == State::done)
        fail_launch("lane " + std::to_string(lane) + " is named in mask " + hex(mask) + " at " + text(site) +
                    " but has returned");
    open.push_back({mask, bit, all, site});
  } else {
    Meeting& meeting = open[at];
    if (meeting.mask != mask || meeting.operation != all || meeting.site.line != site.line)
      fail_launch("lane " + std::to_string(me->lane()) + " with mask " + hex(mask) + " at " + text(site) +
                  " is awaited by lanes " + hex(meeting.here) + " with mask " + hex(meeting.mask) + " at " +
                  text(meeting.site));
    meeting.here |= bit;
  }
  if (open[at].here != mask) {
    me->state = State::at_warp_operation;
    wait();
    return;
  }

  open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
  void* of_lane[32] = {};
  for (unsigned lane = 0; lane < lanes; ++lane)
    if ((mask >> lane & 1) != 0) of_lane[lane] = block.fibers[first + lane].data;
  all(of_lane, mask);
  if (all == nothing) order_lanes(first, mask);
  for (unsigned lane = 0; lane < lanes; ++lane)
    if ((mask >> lane & 1) != 0 && first + lane != me->id) make_ready(&block.fibers[first + lane]);
  if (options.seed != 0) {
    make_ready(me);
    wait();
  }
}

void sync_warp(unsigned mask, Site site) { warp_operation(nothing, mask, nullptr, site); }

void shuffle_all(void** data, unsigned mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    Shuffle& s = *static_cast<Shuffle*>(data[lane]);
    const int base = lane & ~(s.width - 1);
    int from = lane;
    if (s.kind == Lane::index) from = base + (s.argument & (s.width - 1));
    if (s.kind == Lane::up) from = lane - s.argument;
    if (s.kind == Lane::down) from = lane + s.argument;
    if (s.kind == Lane::exclusive_or) from = lane ^ s.argument;
    if (from < base || from >= base + s.width) from = lane;  // beyond the segment: the own value
    if ((mask >> from & 1) == 0)
      fail_launch("shuffle: lane " + std::to_string(lane) + " reads lane " + std::to_string(from) +
                  ", which is not in the mask, at " + text(current->site));
    s.out = static_cast<Shuffle*>(data[from])->in;
  }
}

void ballot_all(void** data, unsigned mask) {
  unsigned votes = 0;
  for (int lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) != 0) votes |= static_cast<Vote*>(data[lane])->in << lane;
  for (int lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) != 0) static_cast<Vote*>(data[lane])->out = votes;
}

}  // namespace srcode::emulator
