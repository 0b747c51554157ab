#include "addon/kernels.h"

#include <algorithm>
#include <cmath>

#include "addon/async.h"
#include "addon/errors.h"
#include "addon/values.h"
#include "core/cpu.h"
#include "core/thread_pool.h"
#include "kernels/bench/bench.h"
#include "kernels/selftest/selftest.h"
#include "kernels/table.h"

// src/native/kernels.ts checks every argument and says what is wrong in its caller's words. What is checked here again
// is what memory safety rests on: types and lengths.
namespace srcode::addon {
namespace {

// A typed array that is read or written where it lies.
template <class T, napi_typedarray_type type>
T* view(const Napi::Value& value, const char* name, int64_t length) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    fail("ERR_INVALID_ARG", "expected a typed array for ", name);
  auto array = value.As<Napi::TypedArrayOf<T>>();
  if (static_cast<int64_t>(array.ElementLength()) != length)
    fail("ERR_SHAPE", "expected ", name, " of length ", length, ", received ", array.ElementLength());
  return array.Data();
}
float* floats(const Napi::Value& value, const char* name, int64_t length) {
  return view<float, napi_float32_array>(value, name, length);
}
float* floats(const Napi::Object& object, const char* name, int64_t length) {
  return floats(object.Get(name), name, length);
}
// Null when it is left out.
float* optional_floats(const Napi::Object& object, const char* name, int64_t length) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? nullptr : floats(value, name, length);
}
int64_t length_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsTypedArray()) fail("ERR_INVALID_ARG", "expected a typed array for ", name);
  return static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength());
}

// cuSeqlens, once more in full: the kernels take it for addresses.
const int32_t* boundaries(const Napi::Object& object, int64_t sequences, int64_t tokens) {
  const auto* cu = view<int32_t, napi_int32_array>(object.Get("cuSeqlens"), "cuSeqlens", sequences + 1);
  bool good = cu[0] == 0 && cu[sequences] == tokens;
  for (int64_t b = 0; b < sequences; ++b) good = good && cu[b] <= cu[b + 1];
  if (!good) fail("ERR_SHAPE", "expected cuSeqlens to rise from 0 to ", tokens);
  return cu;
}

// function firstNonFinite(values: Float32Array): number
Napi::Value first_non_finite(const Napi::CallbackInfo& info) {
  const auto length = static_cast<int64_t>(info[0].As<Napi::TypedArray>().ElementLength());
  const float* x = floats(info[0], "values", length);
  constexpr int64_t kRun =
      256;  // x - x is 0 for finite x and NaN otherwise: a run is looked through only when its sum says so
  for (int64_t begin = 0; begin < length; begin += kRun) {
    const int64_t end = std::min(length, begin + kRun);
    float lanes[8] = {};
    for (int64_t i = begin; i < end; ++i) lanes[i % 8] += x[i] - x[i];
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    if (sum == 0) continue;
    for (int64_t i = begin; i < end; ++i)
      if (!std::isfinite(x[i])) return Napi::Number::New(info.Env(), static_cast<double>(i));
  }
  return Napi::Number::New(info.Env(), -1);
}

// function gae(args: { rewards, values: Float32Array; cuSeqlens: Int32Array; gamma, lambda: number; advantages,
// returns: Float32Array }): void
Napi::Value gae(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "gae");
  const int64_t tokens = length_of(o, "values");
  Gae args;
  args.gamma = number(o, "gamma"), args.lambda = number(o, "lambda");
  args.parts.sequences = length_of(o, "cuSeqlens") - 1;
  args.parts.cu_seqlens = boundaries(o, args.parts.sequences, tokens);
  args.rewards = floats(o, "rewards", tokens), args.values = floats(o, "values", tokens);
  args.advantages = floats(o, "advantages", tokens), args.returns = floats(o, "returns", tokens);
  cpu_kernels().gae(args, {});
  return info.Env().Undefined();
}

// function tokenRewards(args: { cuSeqlens, sequence, start, end: Int32Array; reward: Float32Array; penalty?, terminal?,
// kl?: Float32Array;
//   beta: number; rewards: Float32Array }): void
Napi::Value token_rewards(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "tokenRewards");
  const int64_t tokens = length_of(o, "rewards"), sequences = length_of(o, "cuSeqlens") - 1,
                count = length_of(o, "sequence");
  const int32_t* cu = boundaries(o, sequences, tokens);
  const auto ints = [&](const char* name) { return view<int32_t, napi_int32_array>(o.Get(name), name, count); };
  const int32_t *sequence = ints("sequence"), *start = ints("start"), *end = ints("end");
  const float* reward = floats(o, "reward", count);
  std::vector<Span> spans(count);
  for (int64_t i = 0; i < count; ++i) {
    const int32_t b = sequence[i];
    if (b < 0 || b >= sequences || start[i] < 0 || end[i] < start[i] || end[i] > cu[b + 1] - cu[b])
      fail("ERR_SHAPE", "span ", i, " does not lie in its sequence");
    spans[i] = {b, start[i], end[i], reward[i]};
  }
  const SpanTable table = resolve_spans(sequences, spans);
  const TokenRewards parts{.sequences = sequences,
                           .cu_seqlens = cu,
                           .span_offsets = table.offsets.data(),
                           .span_begin = table.begin.data(),
                           .span_end = table.end.data(),
                           .span_reward = table.reward.data(),
                           .penalty = optional_floats(o, "penalty", sequences),
                           .terminal = optional_floats(o, "terminal", sequences),
                           .kl = optional_floats(o, "kl", tokens),
                           .beta = number(o, "beta")};
  cpu_kernels().token_rewards(parts, floats(o, "rewards", tokens), {});
  return info.Env().Undefined();
}

// function ppoLoss(args: { logProbs, oldLogProbs, advantages: Float32Array; weights?, values?, oldValues?, returns?:
// Float32Array; valueClip:
//   number; clip; sum: boolean; gradLogProbs: Float32Array; gradValues?: Float32Array }): { loss, valueLoss,
//   clipFraction, approxKl, weight }
Napi::Value ppo_loss(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "ppoLoss");
  PpoLoss args;
  const int64_t n = args.tokens = length_of(o, "logProbs");
  args.log_probs = floats(o, "logProbs", n), args.old_log_probs = floats(o, "oldLogProbs", n);
  args.advantages = floats(o, "advantages", n), args.weights = optional_floats(o, "weights", n);
  args.grad_log_probs = floats(o, "gradLogProbs", n);
  args.values = optional_floats(o, "values", n), args.old_values = optional_floats(o, "oldValues", n);
  if (args.values != nullptr) args.returns = floats(o, "returns", n), args.grad_values = floats(o, "gradValues", n);
  args.clip = clip_of(object(o.Get("clip"), "clip"));
  args.value_clip = number(o, "valueClip");
  args.sum = boolean(o, "sum");
  PpoStatistics s;
  cpu_kernels().ppo_loss(args, &s, {});
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("loss", s.loss);
  out.Set("valueLoss", s.value_loss);
  out.Set("clipFraction", s.clip_fraction);
  out.Set("approxKl", s.approx_kl);
  out.Set("weight", s.weight);
  return out;
}

// function adamw(args: { params, grads, m, v: Float32Array[]; step, lr, beta1, beta2, eps, weightDecay, clipNorm:
// number }):
//   { gradNorm: number; badTensor: number }
Napi::Value adamw(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "adamw");
  const auto list = [&](const char* name) {
    if (!o.Get(name).IsArray()) fail("ERR_INVALID_ARG", "expected an array for ", name);
    return o.Get(name).As<Napi::Array>();
  };
  const Napi::Array params = list("params"), grads = list("grads"), m = list("m"), v = list("v");
  std::vector<AdamwTensor> tensors(params.Length());
  for (uint32_t i = 0; i < tensors.size(); ++i) {
    const Napi::Value param = params.Get(i);
    if (!param.IsTypedArray()) fail("ERR_INVALID_ARG", "expected a Float32Array for params[", i, "]");
    const auto size = static_cast<int64_t>(param.As<Napi::TypedArray>().ElementLength());
    tensors[i] = {floats(param, "params", size),
                  floats(grads.Get(i), "grads", size),
                  floats(m.Get(i), "m", size),
                  floats(v.Get(i), "v", size),
                  size,
                  true};
  }
  const AdamwConfig config{.lr = number(o, "lr"),
                           .beta1 = number(o, "beta1"),
                           .beta2 = number(o, "beta2"),
                           .eps = number(o, "eps"),
                           .weight_decay = number(o, "weightDecay"),
                           .clip_norm = number(o, "clipNorm"),
                           .step = integer(o, "step")};
  const AdamwResult result = cpu_kernels().adamw(tensors, config, {});
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("gradNorm", result.grad_norm);
  out.Set("badTensor", static_cast<double>(result.bad_tensor));
  return out;
}

// function cudaDevices(): number
Napi::Value count_cuda_devices(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), cuda_devices()); }

// function selftestKernels(device: 'cpu' | 'cuda', threads: number): Promise<{ name, shape, maxError, tolerance, ok
// }[]>
Napi::Value selftest_kernels(const Napi::CallbackInfo& info) {
  const bool cuda = string(info[0], "device") == "cuda";
  const int threads = info[1].ToNumber().Int32Value();
  auto rows = std::make_shared<std::vector<SelftestRow>>();
  return run_async(
      info.Env(), std::make_shared<Cancel>(),
      [=](const Cancel&) {
        ThreadPool pool(threads > 0 ? threads : usable_cpus());
        *rows = selftest(cuda ? cuda_kernels() : cpu_kernels(), {.pool = &pool});
      },
      [=](Napi::Env env) -> Napi::Value {
        Napi::Array out = Napi::Array::New(env, rows->size());
        for (uint32_t i = 0; i < rows->size(); ++i) {
          const SelftestRow& row = (*rows)[i];
          Napi::Object item = Napi::Object::New(env);
          item.Set("name", row.name);
          item.Set("shape", row.shape);
          item.Set("maxError", row.max_error);
          item.Set("tolerance", row.tolerance);
          item.Set("ok", row.ok);
          out.Set(i, item);
        }
        return out;
      });
}

// function benchKernels(tokens: number, threads: number): Promise<{ name, bytes, seconds }[]>
Napi::Value bench_kernels(const Napi::CallbackInfo& info) {
  const int64_t tokens = info[0].ToNumber().Int64Value();
  const int threads = info[1].ToNumber().Int32Value();
  auto rows = std::make_shared<std::vector<BenchRow>>();
  return run_async(
      info.Env(), std::make_shared<Cancel>(),
      [=](const Cancel&) {
        ThreadPool pool(threads > 0 ? threads : usable_cpus());
        *rows = bench_rl_kernels(tokens, pool);
      },
      [=](Napi::Env env) -> Napi::Value {
        Napi::Array out = Napi::Array::New(env, rows->size());
        for (uint32_t i = 0; i < rows->size(); ++i) {
          Napi::Object item = Napi::Object::New(env);
          item.Set("name", (*rows)[i].name);
          item.Set("bytes", static_cast<double>((*rows)[i].bytes));
          item.Set("seconds", (*rows)[i].seconds);
          out.Set(i, item);
        }
        return out;
      });
}

template <Napi::Value (*f)(const Napi::CallbackInfo&)>
void export_function(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(
      name,
      Napi::Function::New(
          env, [](const Napi::CallbackInfo& info) { return guarded(info.Env(), [&] { return f(info); }); }, name));
}

}  // namespace

Clip clip_of(const Napi::Object& o) {
  const std::string kind = string(o.Get("kind"), "clip.kind");
  if (kind == "ppo") return {.kind = Clip::Kind::ppo, .epsilon = number(o, "epsilon")};
  if (kind == "dual") return {.kind = Clip::Kind::dual, .epsilon = number(o, "epsilon"), .c = number(o, "c")};
  if (kind == "sapo") return {.kind = Clip::Kind::sapo, .tau_pos = number(o, "tauPos"), .tau_neg = number(o, "tauNeg")};
  if (kind == "cispo") return {.kind = Clip::Kind::cispo, .cap = number(o, "cap")};
  fail("ERR_INVALID_ARG", "unknown clip kind '", kind, "'");
}

void init_kernels(Napi::Env env, Napi::Object exports) {
  export_function<first_non_finite>(env, exports, "firstNonFinite");
  export_function<gae>(env, exports, "gae");
  export_function<token_rewards>(env, exports, "tokenRewards");
  export_function<ppo_loss>(env, exports, "ppoLoss");
  export_function<adamw>(env, exports, "adamw");
  export_function<count_cuda_devices>(env, exports, "cudaDevices");
  export_function<selftest_kernels>(env, exports, "selftestKernels");
  export_function<bench_kernels>(env, exports, "benchKernels");
}

}  // namespace srcode::addon
