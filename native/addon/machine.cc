#include "addon/machine.h"

#include <memory>

#include "addon/async.h"
#include "addon/errors.h"
#include "addon/values.h"
#include "backend/cpu/machine.h"
#include "core/cpu.h"
#include "core/thread_pool.h"

namespace srcode::addon {
namespace {

constexpr double kSeconds = 0.5;  // for each of the two

// benchMachine({ dtype: 'bf16' | 'f32', threads: number }): Promise<{ flops, readBytesPerSecond, isa, threads }>
Napi::Value bench_machine(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object options = object(info[0], "options");
    const Dtype type = string(options.Get("dtype"), "dtype") == "bf16" ? Dtype::bf16 : Dtype::f32;
    const int64_t given = integer(options, "threads");
    const int threads = given > 0 ? static_cast<int>(given) : usable_cpus();
    struct Rates {
      double flops = 0, read = 0;
    };
    auto rates = std::make_shared<Rates>();
    return run_async(
        info.Env(), std::make_shared<Cancel>(),
        [=](const Cancel&) {
          ThreadPool pool(threads);
          rates->flops = measure_peak_flops(best_isa(), type, pool, kSeconds);
          rates->read = measure_read_bandwidth(pool, kSeconds);
        },
        [=](Napi::Env env) -> Napi::Value {
          Napi::Object out = Napi::Object::New(env);
          out.Set("flops", rates->flops);
          out.Set("readBytesPerSecond", rates->read);
          out.Set("isa", name_of(best_isa()));
          out.Set("threads", threads);
          return out;
        });
  });
}

}  // namespace

void init_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("benchMachine", Napi::Function::New<bench_machine>(env, "benchMachine"));
}

}  // namespace srcode::addon
