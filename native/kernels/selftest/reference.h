#pragma once
// The RL kernels in double, one token at a time, written from the definitions: the second opinion on both twins of
// each.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/adamw/adamw.h"
#include "kernels/gae/gae.h"
#include "kernels/ppo_loss/ppo_loss.h"

namespace srcode::reference {

// r_t from overlapping spans as they came: the largest that covers t.
inline std::vector<double> token_rewards(const std::vector<int32_t>& cu, const std::vector<Span>& spans,
                                         const std::vector<float>& penalty, const std::vector<float>& terminal,
                                         const std::vector<float>& kl, double beta) {
  std::vector<double> rewards(cu.back());
  for (size_t b = 0; b + 1 < cu.size(); ++b)
    for (int32_t i = cu[b]; i < cu[b + 1]; ++i) {
      bool covered = false;
      double best = 0;
      for (const Span& s : spans)
        if (s.sequence == static_cast<int32_t>(b) && s.begin <= i - cu[b] && i - cu[b] < s.end) {
          best = covered ? std::max<double>(best, s.reward) : s.reward;
          covered = true;
        }
      rewards[i] = best - (penalty.empty() ? 0 : penalty[b]) - (kl.empty() ? 0 : beta * kl[i]);
      if (i + 1 == cu[b + 1] && !terminal.empty()) rewards[i] += terminal[b];
    }
  return rewards;
}

struct Advantages {
  std::vector<double> advantages, returns;
};

// Eq. 6 as it stands: A_t = sum over l of (gamma lambda)^l delta_{t+l}, here by the recursion in double.
template <class Real>
Advantages gae(const std::vector<int32_t>& cu, const std::vector<Real>& rewards, const std::vector<float>& values,
               double gamma, double lambda) {
  Advantages out{std::vector<double>(cu.back()), std::vector<double>(cu.back())};
  for (size_t b = 0; b + 1 < cu.size(); ++b) {
    double next = 0, behind = 0;
    for (int32_t i = cu[b + 1]; i-- > cu[b];) {
      out.advantages[i] = next = rewards[i] + gamma * behind - values[i] + gamma * lambda * next;
      behind = values[i];
      out.returns[i] = next + values[i];
    }
  }
  return out;
}

struct Loss {
  PpoStatistics statistics;
  std::vector<double> grad_log_probs, grad_values;
};

// The loss of one token and its derivative by log pi.
inline void token_loss(const Clip& clip, double log_prob, double ratio, double advantage, double& loss, double& slope,
                       bool& clipped) {
  clipped = false;
  switch (clip.kind) {
    case Clip::Kind::ppo:
    case Clip::Kind::dual: {
      const double bound = std::clamp(ratio, 1 - clip.epsilon, 1 + clip.epsilon) * advantage;
      clipped = bound < ratio * advantage;
      loss = -std::min(ratio * advantage, bound);
      if (clip.kind == Clip::Kind::dual && advantage < 0 && ratio > clip.c) loss = -clip.c * advantage, clipped = true;
      slope = clipped ? 0 : -ratio * advantage;
      return;
    }
    case Clip::Kind::sapo: {
      const double tau = advantage > 0 ? clip.tau_pos : clip.tau_neg, p = 1 / (1 + std::exp(-tau * (ratio - 1)));
      loss = -4 / tau * p * advantage;
      slope = -4 * p * (1 - p) * ratio * advantage;
      return;
    }
    case Clip::Kind::cispo:
      slope = -std::min(ratio, clip.cap) * advantage;
      loss = slope * log_prob;
      clipped = ratio > clip.cap;
      return;
  }
}

// `a` holds host pointers; its outputs are not touched.
inline Loss ppo_loss(const PpoLoss& a) {
  Loss out;
  out.grad_log_probs.resize(a.tokens), out.grad_values.resize(a.values ? a.tokens : 0);
  PpoStatistics& s = out.statistics;
  auto weight = [&](int64_t i) { return a.weights ? double{a.weights[i]} : 1.0; };
  for (int64_t i = 0; i < a.tokens; ++i) s.weight += weight(i);
  if (a.total_weight > 0) s.weight = a.total_weight;
  const double mean = s.weight > 0 ? 1 / s.weight : 0, scale = a.sum ? 1 : mean;
  for (int64_t i = 0; i < a.tokens; ++i) {
    const double w = weight(i);
    if (a.log_probs) {
      const double x = double{a.log_probs[i]} - a.old_log_probs[i], ratio = std::exp(x);
      double loss = 0, slope = 0;
      bool clipped = false;
      token_loss(a.clip, a.log_probs[i], ratio, a.advantages[i], loss, slope, clipped);
      s.loss += w * loss * scale;
      s.clip_fraction += w * clipped * mean;
      s.approx_kl += w * (ratio - 1 - x) * mean;
      out.grad_log_probs[i] = w * slope * scale;
    }
    if (!a.values) continue;
    const double v = a.values[i], target = a.returns[i], old = a.old_values ? double{a.old_values[i]} : v;
    const double held = std::clamp(v, old - a.value_clip, old + a.value_clip);
    const double plain = (v - target) * (v - target), bounded = (held - target) * (held - target);
    s.value_loss += 0.5 * w * std::max(plain, bounded) * mean;
    out.grad_values[i] = plain >= bounded ? w * (v - target) * mean : 0;
  }
  return out;
}

struct Adamw {
  double norm = 0;
  int64_t bad_tensor = -1;
  std::vector<std::vector<double>> param, m, v;
};

// Every second tensor decays, the first one included.
inline Adamw adamw(const std::vector<std::vector<float>>& param, const std::vector<std::vector<float>>& grad,
                   const std::vector<std::vector<float>>& m, const std::vector<std::vector<float>>& v,
                   const AdamwConfig& c) {
  Adamw out;
  for (size_t t = 0; t < param.size(); ++t) {
    for (const float g : grad[t]) {
      out.norm += double{g} * g;
      if (out.bad_tensor < 0 && !std::isfinite(g)) out.bad_tensor = static_cast<int64_t>(t);
    }
    out.param.emplace_back(param[t].begin(), param[t].end());
    out.m.emplace_back(m[t].begin(), m[t].end());
    out.v.emplace_back(v[t].begin(), v[t].end());
  }
  out.norm = std::sqrt(out.norm);
  if (out.bad_tensor >= 0) return out;
  const auto step = static_cast<double>(c.step);
  const double clip = c.clip_norm > 0 ? std::min(1.0, c.clip_norm / (out.norm + 1e-6)) : 1;
  for (size_t t = 0; t < param.size(); ++t)
    for (size_t i = 0; i < param[t].size(); ++i) {
      double &p = out.param[t][i], &m_i = out.m[t][i], &v_i = out.v[t][i];
      const double g = grad[t][i] * clip;
      if (t % 2 == 0) p -= c.lr * c.weight_decay * p;
      m_i = c.beta1 * m_i + (1 - c.beta1) * g;
      v_i = c.beta2 * v_i + (1 - c.beta2) * g * g;
      p -= c.lr * (m_i / (1 - std::pow(c.beta1, step))) / (std::sqrt(v_i / (1 - std::pow(c.beta2, step))) + c.eps);
    }
  return out;
}

}  // namespace srcode::reference
