#include <algorithm>
#include <set>

#include "kernels/token_rewards/token_rewards.h"

namespace srcode {
namespace {

struct Edge {
  int32_t at;
  float reward;
  bool opens;
};

// Walks the edges of one sequence's spans in order and emits the largest open reward between neighbours.
void sweep(std::vector<Edge>& edges, SpanTable& table) {
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  const size_t first = table.begin.size();
  std::multiset<float> open;
  for (size_t i = 0; i < edges.size();) {
    const int32_t at = edges[i].at;
    for (; i < edges.size() && edges[i].at == at; ++i) {
      if (edges[i].opens)
        open.insert(edges[i].reward);
      else
        open.erase(open.find(edges[i].reward));
    }
    if (open.empty()) continue;
    const float reward = *open.rbegin();
    const int32_t end = edges[i].at;  // a span that is open has an edge to come
    if (table.begin.size() > first && table.end.back() == at && table.reward.back() == reward) {
      table.end.back() = end;
    } else {
      table.begin.push_back(at);
      table.end.push_back(end);
      table.reward.push_back(reward);
    }
  }
}

}  // namespace

SpanTable resolve_spans(int64_t sequences, std::span<const Span> spans) {
  std::vector<std::vector<Edge>> edges(sequences);
  for (const Span& span : spans) {
    if (span.begin == span.end) continue;
    edges[span.sequence].push_back({span.begin, span.reward, true});
    edges[span.sequence].push_back({span.end, span.reward, false});
  }
  SpanTable table;
  table.offsets.push_back(0);
  for (auto& list : edges) {
    sweep(list, table);
    table.offsets.push_back(static_cast<int32_t>(table.begin.size()));
  }
  return table;
}

}  // namespace srcode
