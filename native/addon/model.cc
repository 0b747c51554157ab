#include "addon/model.h"

#include "addon/async.h"
#include "addon/device_thread.h"
#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/kernels.h"
#include "addon/values.h"
#include "backend/backend.h"
#include "core/cpu.h"
#include "model/generate.h"
#include "model/model.h"
#include "train/trainer.h"

namespace srcode::addon {
namespace {

// What a handle holds. The object itself is only touched, and only dies, on the device thread.
template <class T>
class Owner {
 public:
  explicit Owner(std::shared_ptr<T> object) : object_(std::move(object)) {}
  ~Owner() { dispose(); }
  // Work that was posted before keeps the object alive until it has run.
  void dispose() {
    if (object_) DeviceThread::instance().post([object = std::move(object_)]() mutable { object.reset(); });
    object_ = nullptr;
  }
  std::shared_ptr<T> get(const char* what) const {
    if (!object_) fail("ERR_DISPOSED", "this ", what, " has been disposed of");
    return object_;
  }
  bool live() const { return object_ != nullptr; }

 private:
  std::shared_ptr<T> object_;
};

ModelConfig model_config(const Napi::Object& o) {
  ModelConfig c;
  c.vocab = integer(o, "vocabSize");
  c.hidden = integer(o, "hiddenSize");
  c.intermediate = integer(o, "intermediateSize");
  c.layers = integer(o, "layers");
  c.heads = integer(o, "heads");
  c.kv_heads = integer(o, "kvHeads");
  c.head_dim = integer(o, "headDim");
  c.context = integer(o, "contextLength");
  c.rope_theta = number(o, "ropeTheta");
  c.rope_factor = number(o, "ropeFactor");
  c.rms_eps = static_cast<float>(number(o, "rmsNormEps"));
  c.tied = boolean(o, "tiedEmbeddings");
  c.qkv_bias = boolean(o, "qkvBias");
  c.dtype = string(o.Get("dtype"), "dtype") == "bf16" ? Dtype::bf16 : Dtype::f32;
  return c;
}

Adapter::Spec adapter_spec(const Napi::Object& o) {
  Adapter::Spec spec;
  spec.rank = integer(o, "rank");
  spec.alpha = number(o, "alpha");
  const Napi::Object targets = object(o.Get("targets"), "targets");
  for (size_t m = 0; m < kModules; m++) spec.targets[m] = boolean(targets, kModuleTable[m].name);
  spec.value_head = boolean(o, "valueHead");
  spec.reward_head = boolean(o, "rewardHead");
  return spec;
}

std::optional<FloatLists> optional_lists(const Napi::Object& o, const char* name) {
  const Napi::Value value = o.Get(name);
  return value.IsUndefined() ? std::nullopt : std::optional(float_arrays(value, name));
}

ValueBatch value_batch(const Napi::Value& value) {
  const Napi::Object o = object(value, "batch");
  ValueBatch batch;
  batch.sequences = int_arrays(o.Get("sequences"), "sequence");
  batch.response_start = integers(o.Get("responseStart"), "responseStart");
  batch.returns = optional_lists(o, "returns");
  batch.old_values = optional_lists(o, "oldValues");
  batch.value_clip = number(o, "valueClip");
  return batch;
}

PpoBatch ppo_batch(const Napi::Value& value) {
  const Napi::Object o = object(value, "batch");
  PpoBatch batch;
  static_cast<ValueBatch&>(batch) = value_batch(value);
  batch.old_log_probs = float_arrays(o.Get("oldLogProbs"), "oldLogProbs");
  batch.advantages = float_arrays(o.Get("advantages"), "advantages");
  batch.ref_log_probs = optional_lists(o, "refLogProbs");
  batch.clip = clip_of(object(o.Get("clip"), "clip"));
  batch.sum = boolean(o, "sum");
  batch.value_coef = number(o, "valueCoef");
  batch.entropy_coef = number(o, "entropyCoef");
  batch.entropy = boolean(o, "entropy");
  batch.kl_coef = number(o, "klCoef");
  batch.max_ratio = number(o, "maxRatio");
  return batch;
}

Napi::Object step_result(Napi::Env env, const StepResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("loss", result.loss);
  out.Set("gradNorm", result.grad_norm);
  out.Set("tokens", static_cast<double>(result.tokens));
  out.Set("skipped", result.skipped);
  return out;
}
Napi::Object step_result(Napi::Env env, const PairResult& result) {
  Napi::Object out = step_result(env, static_cast<const StepResult&>(result));
  out.Set("accuracy", result.accuracy);
  return out;
}
Napi::Object step_result(Napi::Env env, const ValueResult& result) {
  Napi::Object out = step_result(env, static_cast<const StepResult&>(result));
  out.Set("values", typed(env, result.values));
  return out;
}
Napi::Object step_result(Napi::Env env, const PpoResult& result) {
  Napi::Object out = step_result(env, static_cast<const ValueResult&>(result));
  out.Set("policyLoss", result.policy_loss);
  out.Set("valueLoss", result.value_loss);
  out.Set("entropy", result.entropy);
  out.Set("kl3", result.kl3);
  out.Set("clipFraction", result.clip_fraction);
  out.Set("approxKl", result.approx_kl);
  out.Set("meanRatio", result.mean_ratio);
  out.Set("logProbs", typed(env, result.log_probs));
  return out;
}

Result nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

class NativeTrainer : public Napi::ObjectWrap<NativeTrainer> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeTrainer",
                       {
                           InstanceMethod<&NativeTrainer::step>("step", napi_default_method),
                           InstanceMethod<&NativeTrainer::reward_step>("rewardStep", napi_default_method),
                           InstanceMethod<&NativeTrainer::ppo_step>("ppoStep", napi_default_method),
                           InstanceMethod<&NativeTrainer::value_step>("valueStep", napi_default_method),
                           InstanceMethod<&NativeTrainer::gradients>("gradients", napi_default_method),
                           InstanceMethod<&NativeTrainer::reward_gradients>("rewardGradients", napi_default_method),
                           InstanceMethod<&NativeTrainer::ppo_gradients>("ppoGradients", napi_default_method),
                           InstanceMethod<&NativeTrainer::value_gradients>("valueGradients", napi_default_method),
                           InstanceMethod<&NativeTrainer::save>("save", napi_default_method),
                           InstanceMethod<&NativeTrainer::load>("load", napi_default_method),
                           InstanceMethod<&NativeTrainer::dispose>("dispose", napi_default_method),
                       });
  }
  explicit NativeTrainer(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<NativeTrainer>(info),
        owner_(*static_cast<std::shared_ptr<Trainer>*>(info[0].As<Napi::External<void>>().Data())) {}

 private:
  // The arguments after the batch, which is `taken` of them: the learning rate and a token.
  template <class AnyBatch>
  Napi::Value run_step(const Napi::CallbackInfo& info, AnyBatch batch, size_t taken) {
    const auto trainer = owner_.get("trainer");
    const double lr = info[taken].As<Napi::Number>().DoubleValue();
    auto result = std::make_shared<decltype(trainer->step(batch, lr, Cancel()))>();
    return run_async(
        info.Env(), CancelToken::from(info[taken + 1]),
        [=, batch = std::move(batch)](const Cancel& cancel) { *result = trainer->step(batch, lr, cancel); },
        [=](Napi::Env env) { return step_result(env, *result); });
  }

  template <class AnyBatch>
  Napi::Value run_gradients(const Napi::CallbackInfo& info, AnyBatch batch, size_t taken) {
    const auto trainer = owner_.get("trainer");
    auto tensors = std::make_shared<std::vector<std::pair<std::string, std::vector<float>>>>();
    return run_async(
        info.Env(), CancelToken::from(info[taken]),
        [=, batch = std::move(batch)](const Cancel& cancel) {
          trainer->gradients(batch, cancel);
          trainer->each_gradient(
              [&](const Parameter& p, const std::vector<float>& rows) { tensors->emplace_back(p.name, rows); });
        },
        [=](Napi::Env env) -> Napi::Value {
          Napi::Object out = Napi::Object::New(env);
          for (const auto& [name, rows] : *tensors) out.Set(name, typed(env, rows));
          return out;
        });
  }

  static LmBatch lm_batch(const Napi::CallbackInfo& info) {
    return {int_arrays(info[0], "sequence"), float_arrays(info[1], "loss weights of sequence")};
  }
  static PairBatch pair_batch(const Napi::CallbackInfo& info) {
    return {int_arrays(info[0], "chosen sequence"), int_arrays(info[1], "rejected sequence")};
  }
  Napi::Value step(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_step(info, lm_batch(info), 2); });
  }
  Napi::Value reward_step(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_step(info, pair_batch(info), 2); });
  }
  Napi::Value gradients(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_gradients(info, lm_batch(info), 2); });
  }
  Napi::Value reward_gradients(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_gradients(info, pair_batch(info), 2); });
  }
  Napi::Value ppo_step(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_step(info, ppo_batch(info[0]), 1); });
  }
  Napi::Value value_step(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_step(info, value_batch(info[0]), 1); });
  }
  Napi::Value ppo_gradients(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_gradients(info, ppo_batch(info[0]), 1); });
  }
  Napi::Value value_gradients(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return run_gradients(info, value_batch(info[0]), 1); });
  }

  Napi::Value save(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [trainer = owner_.get("trainer"), file = string(info[0], "file")](const Cancel&) { trainer->save(file); },
          nothing());
    });
  }
  Napi::Value load(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [trainer = owner_.get("trainer"), file = string(info[0], "file")](const Cancel&) { trainer->load(file); },
          nothing());
    });
  }
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    owner_.dispose();
    return info.Env().Undefined();
  }

  Owner<Trainer> owner_;
};

class NativeModel : public Napi::ObjectWrap<NativeModel> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeModel",
                       {
                           InstanceMethod<&NativeModel::log_probs>("logProbs", napi_default_method),
                           InstanceMethod<&NativeModel::values>("values", napi_default_method),
                           InstanceMethod<&NativeModel::rewards>("rewards", napi_default_method),
                           InstanceMethod<&NativeModel::generate>("generate", napi_default_method),
                           InstanceMethod<&NativeModel::create_adapter>("createAdapter", napi_default_method),
                           InstanceMethod<&NativeModel::copy_adapter>("copyAdapter", napi_default_method),
                           InstanceMethod<&NativeModel::load_adapter>("loadAdapter", napi_default_method),
                           InstanceMethod<&NativeModel::save_adapter>("saveAdapter", napi_default_method),
                           InstanceMethod<&NativeModel::remove_adapter>("removeAdapter", napi_default_method),
                           InstanceMethod<&NativeModel::save>("save", napi_default_method),
                           InstanceMethod<&NativeModel::trainer>("trainer", napi_default_method),
                           InstanceMethod<&NativeModel::memory_plan>("memoryPlan", napi_default_method),
                           InstanceMethod<&NativeModel::dispose>("dispose", napi_default_method),
                       });
  }
  explicit NativeModel(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<NativeModel>(info),
        owner_(*static_cast<std::shared_ptr<Model>*>(info[0].As<Napi::External<void>>().Data())) {
    const auto model = owner_.get("model");
    Napi::Object self = info.This().As<Napi::Object>();
    self.Set("isa", model->backend().isa());
    self.Set("threads", model->backend().threads());
    bytes_ = static_cast<int64_t>(model->weights().bytes());
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), bytes_);
  }

 private:
  std::shared_ptr<Model> model() const { return owner_.get("model"); }

  Napi::Value log_probs(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return float_lists(info, [](Model& model, const Sequences& sequences, const Adapter* adapter,
                                  const Cancel& cancel) { return model.log_probs(sequences, adapter, cancel); });
    });
  }
  Napi::Value values(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return float_lists(info, [](Model& model, const Sequences& sequences, const Adapter* adapter,
                                  const Cancel& cancel) { return model.values(sequences, adapter, cancel); });
    });
  }
  template <class Call>
  Napi::Value float_lists(const Napi::CallbackInfo& info, Call call) {
    auto out = std::make_shared<std::vector<std::vector<float>>>();
    return run_async(
        info.Env(), CancelToken::from(info[2]),
        [=, model = model(), sequences = int_arrays(info[0], "sequence"), name = string(info[1], "adapter")](
            const Cancel& cancel) { *out = call(*model, sequences, model->adapter(name).get(), cancel); },
        [=](Napi::Env env) { return typed(env, *out); });
  }
  Napi::Value rewards(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      auto out = std::make_shared<std::vector<float>>();
      return run_async(
          info.Env(), CancelToken::from(info[2]),
          [=, model = model(), sequences = int_arrays(info[0], "sequence"), name = string(info[1], "adapter")](
              const Cancel& cancel) { *out = model->rewards(sequences, model->adapter(name).get(), cancel); },
          [=](Napi::Env env) { return typed(env, *out); });
    });
  }

  Napi::Value generate(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      const Napi::Object o = object(info[1], "options");
      GenerateOptions options;
      options.max_new_tokens = integer(o, "maxNewTokens");
      options.temperature = static_cast<float>(number(o, "temperature"));
      options.top_p = static_cast<float>(number(o, "topP"));
      options.top_k = static_cast<int32_t>(integer(o, "topK"));
      options.samples = integer(o, "n");
      options.seed = static_cast<uint64_t>(integer(o, "seed"));
      options.max_rows = integer(o, "maxRows");
      const auto ids = o.Get("ids").As<Napi::Array>();
      for (uint32_t i = 0; i < ids.Length(); i++)
        options.ids.push_back(static_cast<uint64_t>(ids.Get(i).ToNumber().Int64Value()));
      const auto stop = o.Get("stop").As<Napi::Array>();
      for (uint32_t i = 0; i < stop.Length(); i++) options.stop.push_back(stop.Get(i).ToNumber().Int32Value());
      const bool behavior = boolean(o, "behaviorLogProbs");
      auto out = std::make_shared<std::vector<Generated>>();
      return run_async(
          info.Env(), CancelToken::from(info[3]),
          [=, model = model(), prompts = int_arrays(info[0], "prompt"),
           name = string(info[2], "adapter")](const Cancel& cancel) {
            *out = srcode::generate(*model, prompts, model->adapter(name).get(), options, cancel);
          },
          [=](Napi::Env env) -> Napi::Value {
            Napi::Array array = Napi::Array::New(env, out->size());
            for (uint32_t i = 0; i < out->size(); i++) {
              const Generated& sample = (*out)[i];
              Napi::Object item = Napi::Object::New(env);
              item.Set("tokens", typed(env, sample.tokens));
              item.Set("logProbs", typed(env, sample.log_probs));
              if (behavior) item.Set("behaviorLogProbs", typed(env, sample.behavior_log_probs));
              item.Set("finish", sample.stopped ? "stop" : "length");
              array.Set(i, item);
            }
            return array;
          });
    });
  }

  Napi::Value create_adapter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      const Napi::Object o = object(info[1], "spec");
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [model = model(), name = string(info[0], "name"), spec = adapter_spec(o),
           seed = static_cast<uint64_t>(integer(o, "seed"))](const Cancel&) {
            model->add_adapter(name, std::make_shared<Adapter>(model->backend(), model->config(), spec, seed));
          },
          nothing());
    });
  }
  Napi::Value copy_adapter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      const Napi::Object heads = object(info[3], "heads");
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [model = model(), name = string(info[0], "name"), spec = adapter_spec(object(info[1], "spec")),
           from = string(info[2], "from"), value = string(heads.Get("value"), "heads.value"),
           reward = string(heads.Get("reward"), "heads.reward")](const Cancel&) {
            const auto source = model->adapter(from);
            const auto offset = [&](const std::string& head) {
              return head == "value" ? source->value_head() : head == "reward" ? source->reward_head() : -1;
            };
            auto adapter = std::make_shared<Adapter>(model->backend(), model->config(), spec, 0);
            adapter->copy(*source, offset(value), offset(reward));
            model->add_adapter(name, std::move(adapter));
          },
          nothing());
    });
  }
  Napi::Value load_adapter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [model = model(), name = string(info[0], "name"), spec = adapter_spec(object(info[1], "spec")),
           folder = string(info[2], "folder")](const Cancel&) {
            auto adapter = std::make_shared<Adapter>(model->backend(), model->config(), spec, 0);
            adapter->load(folder);
            model->add_adapter(name, std::move(adapter));
          },
          nothing());
    });
  }
  Napi::Value save_adapter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [model = model(), name = string(info[0], "name"), folder = string(info[1], "folder")](const Cancel&) {
            if (name.empty()) fail("ERR_INVALID_ARG", "an adapter needs a name");
            model->adapter(name)->save(folder);
          },
          nothing());
    });
  }
  Napi::Value remove_adapter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [model = model(), name = string(info[0], "name")](const Cancel&) { model->remove_adapter(name); }, nothing());
    });
  }
  Napi::Value save(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [model = model(), folder = string(info[0], "folder")](const Cancel&) { model->weights().save(folder); },
          nothing());
    });
  }
  Napi::Value trainer(const Napi::CallbackInfo& info);

  Napi::Value memory_plan(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      auto plan = std::make_shared<std::vector<Arena::Region>>();
      return run_async(
          info.Env(), CancelToken::from(info.Env().Undefined()),
          [=, model = model()](const Cancel&) { *plan = model->memory_plan(); },
          [=](Napi::Env env) -> Napi::Value {
            Napi::Array array = Napi::Array::New(env, plan->size());
            for (uint32_t i = 0; i < plan->size(); i++) {
              Napi::Object region = Napi::Object::New(env);
              region.Set("name", (*plan)[i].name);
              region.Set("bytes", static_cast<double>((*plan)[i].bytes));
              array.Set(i, region);
            }
            return array;
          });
    });
  }
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    if (owner_.live()) Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -bytes_);
    owner_.dispose();
    return info.Env().Undefined();
  }

  Owner<Model> owner_;
  int64_t bytes_ = 0;
};

// Makes a handle around a shared object. The constructor takes an External, which no script can make.
template <class T>
Napi::Value wrap(Napi::Env env, const Napi::FunctionReference& constructor, std::shared_ptr<T>& object) {
  return constructor.New({Napi::External<void>::New(env, &object)});
}

Napi::Value NativeModel::trainer(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object o = object(info[1], "options");
    const OptimizerConfig optimizer{.lr = number(o, "lr"),
                                    .beta1 = number(o, "beta1"),
                                    .beta2 = number(o, "beta2"),
                                    .eps = number(o, "eps"),
                                    .weight_decay = number(o, "weightDecay"),
                                    .clip_norm = number(o, "clipNorm")};
    auto made = std::make_shared<std::shared_ptr<Trainer>>();
    return run_async(
        info.Env(), CancelToken::from(info.Env().Undefined()),
        [=, model = model(), name = string(info[0], "adapter"), tokens = integer(o, "microBatchTokens"),
         limit = integer(o, "maxNonFinite")](const Cancel&) {
          // The trainer refers to the model, so it keeps it alive.
          auto* trainer = new Trainer(*model, name, optimizer, tokens, limit);
          made->reset(trainer, [model](Trainer* done) { delete done; });
        },
        [=](Napi::Env env) { return wrap(env, Environment::of(env).trainer, *made); });
  });
}

std::unique_ptr<Backend> make_backend(const Napi::Object& o) {
  const std::string device = string(o.Get("device"), "device");
  if (device != "cpu") fail("ERR_UNSUPPORTED", "device '", device, "': models run on 'cpu'");
  return make_cpu_backend(best_isa(), static_cast<int>(integer(o, "threads")));
}

// loadModel(config, folder, { device, threads }), createModel(config, seed, { device, threads }): Promise<NativeModel>
template <class Make>
Napi::Value make_model(const Napi::CallbackInfo& info, Make make) {
  const ModelConfig config = model_config(object(info[0], "config"));
  auto backend = std::make_shared<std::unique_ptr<Backend>>(make_backend(object(info[2], "options")));
  auto made = std::make_shared<std::shared_ptr<Model>>();
  return run_async(
      info.Env(), CancelToken::from(info.Env().Undefined()),
      [=](const Cancel&) {
        auto weights = make(**backend, config);
        *made = std::make_shared<Model>(std::move(*backend), std::move(weights));
      },
      [=](Napi::Env env) { return wrap(env, Environment::of(env).model, *made); });
}

Napi::Value load_model(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return make_model(info, [folder = string(info[1], "folder")](Backend& backend, const ModelConfig& config) {
      return Weights::load(backend, config, folder);
    });
  });
}

Napi::Value create_model(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return make_model(
        info, [seed = static_cast<uint64_t>(info[1].ToNumber().Int64Value())](
                  Backend& backend, const ModelConfig& config) { return Weights::random(backend, config, seed); });
  });
}

}  // namespace

void init_model(Napi::Env env, Napi::Object exports) {
  CancelToken::init(env, exports);
  Environment& environment = Environment::of(env);
  environment.model = Napi::Persistent(NativeModel::define(env));
  environment.trainer = Napi::Persistent(NativeTrainer::define(env));
  exports.Set("loadModel", Napi::Function::New(env, load_model, "loadModel"));
  exports.Set("createModel", Napi::Function::New(env, create_model, "createModel"));
}

}  // namespace srcode::addon
