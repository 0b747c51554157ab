#include "model/generate.h"

#include <algorithm>

#include "core/error.h"
#include "model/cache.h"

namespace srcode {
namespace {

constexpr int64_t kPrefillTokens = 2048;  // prompt tokens of one forward pass

// A sequence in the cache. A sample begins as a copy of its prompt's.
struct Cached {
  std::vector<CachePool::PageRef> pages;
  int64_t length = 0;  // positions written
};

struct Sample {
  size_t prompt = 0;
  int64_t index = 0;  // among the prompt's samples
  Cached cached;
  int32_t next = 0;  // the token to feed: sampled, not yet in the cache
};

class Generation {
 public:
  Generation(Model& model, const Sequences& prompts, const Adapter* adapter, const GenerateOptions& options,
             const Cancel& cancel)
      : model_(model),
        prompts_(prompts),
        adapter_(adapter),
        options_(options),
        cancel_(cancel),
        pool_(model.backend(), model.config()) {}

  std::vector<Generated> run() {
    results_.resize(prompts_.size() * static_cast<size_t>(options_.samples));
    size_t waiting = 0;
    while (waiting < prompts_.size() || !starting_.empty() || !running_.empty()) {
      waiting = admit(waiting);
      if (!running_.empty()) decode();
    }
    return std::move(results_);
  }

 private:
  int64_t free_rows() const { return options_.max_rows - static_cast<int64_t>(running_.size() + starting_.size()); }

  // Lets waiting prompts in while there are free rows, and returns the first that still waits.
  size_t admit(size_t waiting) {
    start();
    while (waiting < prompts_.size() && starting_.empty() && free_rows() > 0) {
      std::vector<size_t> group;
      int64_t tokens = 0, rows = 0;
      while (waiting < prompts_.size() && rows < free_rows()) {
        const auto length = static_cast<int64_t>(prompts_[waiting].size());
        if (!group.empty() && tokens + length > kPrefillTokens) break;
        tokens += length;
        rows += options_.samples;
        group.push_back(waiting++);
      }
      prefill(group);
      start();
    }
    return waiting;
  }

  // Draws the first token of the samples of prefilled prompts, as rows become free.
  struct Starting {
    size_t prompt;
    Cached cached;
    std::vector<float> logits;
    int64_t begun = 0;
  };
  void start() {
    while (!starting_.empty() && static_cast<int64_t>(running_.size()) < options_.max_rows) {
      Starting& from = starting_.front();
      Sample sample{.prompt = from.prompt, .index = from.begun++, .cached = {from.cached.pages, from.cached.length}};
      const bool last = from.begun == options_.samples;
      const int64_t used = from.cached.length % kCachePage;
      // The page that the sample will write to must be its own; full pages are shared.
      if (used && !last) sample.cached.pages.back() = pool_.copy(*from.cached.pages.back());
      Sampled drawn;
      const SampleRule rule = rule_of(sample);
      draw(1, from.logits, {&rule, 1}, &drawn);
      if (last) starting_.erase(starting_.begin());
      if (accept(sample, drawn)) running_.push_back(std::move(sample));
    }
  }

  SampleRule rule_of(const Sample& sample) const {
    return {.temperature = options_.temperature,
            .top_k = options_.top_k,
            .top_p = options_.top_p,
            .seed = options_.seed,
            .sequence = options_.ids.empty() ? sample.prompt : options_.ids[sample.prompt],
            .sample = static_cast<uint64_t>(sample.index),
            .position = static_cast<uint64_t>(sample.cached.length)};
  }

  // Records a drawn token; false when it ends the sample.
  bool accept(Sample& sample, const Sampled& drawn) {
    Generated& result =
        results_[sample.prompt * static_cast<size_t>(options_.samples) + static_cast<size_t>(sample.index)];
    result.tokens.push_back(drawn.token);
    result.log_probs.push_back(drawn.log_prob);
    result.behavior_log_probs.push_back(drawn.behavior_log_prob);
    sample.next = drawn.token;
    result.stopped = std::find(options_.stop.begin(), options_.stop.end(), drawn.token) != options_.stop.end();
    const bool full = static_cast<int64_t>(result.tokens.size()) >= options_.max_new_tokens ||
                      sample.cached.length + 1 >= model_.config().context;
    return !result.stopped && !full;
  }

  struct Feed {
    Cached* cached;
    std::span<const int32_t> tokens;
  };

  // Runs new tokens of several sequences through the model, and leaves the logits after each one's last token in
  // `logits_` (host).
  void forward(std::span<Feed> feeds) {
    const ModelConfig& c = model_.config();
    std::vector<int32_t> tokens, positions, last_rows;
    std::vector<CacheRun> runs;
    for (Feed& feed : feeds) {
      const auto rows = static_cast<int64_t>(feed.tokens.size());
      runs.push_back({.row = static_cast<int64_t>(tokens.size()), .rows = rows, .position = feed.cached->length});
      for (int64_t i = 0; i < rows; i++) positions.push_back(static_cast<int32_t>(feed.cached->length + i));
      tokens.insert(tokens.end(), feed.tokens.begin(), feed.tokens.end());
      last_rows.push_back(static_cast<int32_t>(tokens.size()) - 1);
      feed.cached->length += rows;
      while (static_cast<int64_t>(feed.cached->pages.size()) * kCachePage < feed.cached->length)
        feed.cached->pages.push_back(pool_.fresh());
    }
    std::vector<std::vector<void*>> pages(feeds.size());
    const auto runs_of = [&](int64_t layer) {
      for (size_t i = 0; i < feeds.size(); i++) {
        pages[i].clear();
        for (const auto& page : feeds[i].cached->pages) pages[i].push_back(page->layer(layer));
        runs[i].pages = pages[i].data();
      }
      return std::span<const CacheRun>(runs);
    };
    const auto n = static_cast<int64_t>(tokens.size());
    const auto rows = static_cast<int64_t>(feeds.size());
    Tape tape;
    Hidden hidden;
    model_.plan([&](Arena& arena) {
      tape.lay_out(arena, c, adapter_, n, false);
      hidden.lay_out(arena, c, rows);
      logits_ = arena.take<float>("logits", rows * c.vocab);
    });
    model_.decoder().forward_cached(tokens, positions, runs_of, adapter_, tape, cancel_);
    model_.decoder().hidden(tape, last_rows, hidden);
    model_.head().logits(rows, hidden.normed, logits_);
  }

  void prefill(std::span<const size_t> group) {
    std::vector<Starting> entering;
    for (size_t prompt : group) entering.push_back({.prompt = prompt, .cached = {}, .logits = {}});
    // A prompt longer than a pass goes in pieces.
    for (size_t i = 0; i < entering.size();) {
      std::vector<Feed> feeds;
      std::vector<size_t> whole;
      int64_t budget = kPrefillTokens;
      size_t next = i;
      while (next < entering.size() && budget > 0) {
        const std::vector<int32_t>& prompt = prompts_[entering[next].prompt];
        const int64_t done = entering[next].cached.length;
        const int64_t take = std::min<int64_t>(budget, static_cast<int64_t>(prompt.size()) - done);
        feeds.push_back(
            {&entering[next].cached, std::span(prompt).subspan(static_cast<size_t>(done), static_cast<size_t>(take))});
        budget -= take;
        if (done + take < static_cast<int64_t>(prompt.size())) break;
        whole.push_back(next++);
      }
      forward(feeds);
      const auto vocab = static_cast<size_t>(model_.config().vocab);
      for (size_t k = 0; k < whole.size(); k++) {
        entering[whole[k]].logits.resize(vocab);
        model_.backend().copy_out(entering[whole[k]].logits.data(), logits_ + k * vocab, vocab * sizeof(float));
      }
      i = next;
    }
    for (Starting& prompt : entering) starting_.push_back(std::move(prompt));
  }

  void decode() {
    cancel_.check();
    std::vector<Feed> feeds;
    std::vector<SampleRule> rules;
    for (Sample& sample : running_) feeds.push_back({&sample.cached, std::span(&sample.next, 1)});
    forward(feeds);
    for (const Sample& sample : running_) rules.push_back(rule_of(sample));
    std::vector<Sampled> drawn(running_.size());
    model_.backend().sample(static_cast<int64_t>(running_.size()), model_.config().vocab, logits_, rules, drawn.data());
    size_t kept = 0;
    for (size_t i = 0; i < running_.size(); i++) {
      if (!accept(running_[i], drawn[i])) continue;
      if (kept != i) running_[kept] = std::move(running_[i]);
      kept++;
    }
    running_.resize(kept);
  }

  void draw(int64_t rows, const std::vector<float>& logits, std::span<const SampleRule> rules, Sampled* out) {
    DeviceMemory memory(model_.backend(), logits.size() * sizeof(float));
    model_.backend().copy_in(memory.data(), logits.data(), memory.bytes());
    model_.backend().sample(rows, model_.config().vocab, memory.floats(), rules, out);
  }

  Model& model_;
  const Sequences& prompts_;
  const Adapter* adapter_;
  const GenerateOptions& options_;
  const Cancel& cancel_;
  CachePool pool_;
  std::vector<Generated> results_;
  std::vector<Starting> starting_;
  std::vector<Sample> running_;
  float* logits_ = nullptr;
};

}  // namespace

std::vector<Generated> generate(Model& model, const Sequences& prompts, const Adapter* adapter,
                                const GenerateOptions& options, const Cancel& cancel) {
  model.check(prompts, "prompt");
  for (size_t p = 0; p < prompts.size(); p++) {
    if (static_cast<int64_t>(prompts[p].size()) >= model.config().context) {
      fail("ERR_SHAPE", "prompt ", p, " fills the context of ", model.config().context,
           " tokens and leaves none to generate; shorten it");
    }
  }
  if (!options.ids.empty() && options.ids.size() != prompts.size()) {
    fail("ERR_SHAPE", "expected an id for each of the ", prompts.size(), " prompts, received ", options.ids.size());
  }
  return Generation(model, prompts, adapter, options, cancel).run();
}

}  // namespace srcode
