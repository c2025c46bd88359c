#include "binding/run.h"

#include <cstring>

#include "binding/jobs.h"
#include "binding/read.h"
#include "cpu/float_mode.h"
#include "kernels/common.h"

namespace mobilenetv2 {
namespace {

Napi::Value throw_error(Napi::Env env, const std::string& text) {
  Napi::Error::New(env, text).ThrowAsJavaScriptException();
  return env.Undefined();
}

// A handle is an External; its tag keeps one kind from being passed for another. The garbage collector is told of the
// memory behind it.
template <typename T>
struct Handle {
  std::shared_ptr<const T> shared;
  int64_t bytes = 0;

  void release(Napi::Env env) {
    if (shared != nullptr) Napi::MemoryManagement::AdjustExternalMemory(env, -bytes);
    shared = nullptr;
  }
};

constexpr napi_type_tag kModelTag = {0x6d6f62696c656e65, 0x7476326d6f64656c};
constexpr napi_type_tag kProgramTag = {0x6d6f62696c656e65, 0x7476327072677261};

// Does not keep the weights: a program lives until it is garbage collected, which may be long after its model was
// released. Runs keep them.
struct BoundProgram {
  std::weak_ptr<const PackedModel> model;
  Program program;
};

template <typename T>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<const T> shared, size_t bytes, const napi_type_tag& tag) {
  const auto counted = static_cast<int64_t>(bytes);
  Napi::MemoryManagement::AdjustExternalMemory(env, counted);
  auto external = Napi::External<Handle<T>>::New(env, new Handle<T>{std::move(shared), counted},
                                                 [](Napi::Env env, Handle<T>* handle) {
                                                   handle->release(env);
                                                   delete handle;
                                                 });
  napi_type_tag_object(env, external, &tag);
  return external;
}

template <typename T>
std::shared_ptr<const T> read_handle(const Napi::Value& value, const napi_type_tag& tag) {
  bool matches = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &tag, &matches);
  return matches ? value.As<Napi::External<Handle<T>>>().Data()->shared : nullptr;
}

// packModel(ops, isa, threads) -> handle
Napi::Value pack_model(const Napi::CallbackInfo& info) {
  FieldErrors errors;
  ReadOps read = read_ops(info[0], &errors);
  Isa ceiling = Isa::scalar;
  if (!info[1].IsString() || !isa_from_name(info[1].As<Napi::String>().Utf8Value().c_str(), &ceiling)) {
    errors.add("isa is unknown");
  }
  if (!info[2].IsNumber()) errors.add("threads is not a number");
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  const int32_t threads = info[2].As<Napi::Number>().Int32Value();
  Status status;
  const Spread spread = [threads](int32_t count, const std::function<void(int32_t)>& body) {
    ThreadPool::shared().for_each(count, threads, body);
  };
  std::shared_ptr<const PackedModel> model = PackedModel::pack(std::move(read.ops), ceiling, &status, spread);
  if (model == nullptr) return throw_error(info.Env(), status.error);
  const size_t bytes = model->packed_bytes();
  return make_handle<PackedModel>(info.Env(), std::move(model), bytes, kModelTag);
}

// modelFacts(model) -> { isa, packedBytes, kernels, contentKey }
Napi::Value model_facts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto model = read_handle<PackedModel>(info[0], kModelTag);
  if (model == nullptr) return throw_error(env, "not a model");
  Napi::Object facts = Napi::Object::New(env);
  facts.Set("isa", isa_name(model->isa()));
  facts.Set("packedBytes", static_cast<double>(model->packed_bytes()));
  Napi::Array kernels = Napi::Array::New(env, model->op_count());
  for (uint32_t i = 0; i < model->op_count(); ++i) kernels.Set(i, model->kernel(i).name);
  facts.Set("kernels", kernels);
  facts.Set("contentKey", std::to_string(model->content_hash()));
  return facts;
}

// releaseModel(model): what still runs keeps its share
Napi::Value release_model(const Napi::CallbackInfo& info) {
  if (read_handle<PackedModel>(info[0], kModelTag) == nullptr) return throw_error(info.Env(), "not a model");
  auto* handle = info[0].As<Napi::External<Handle<PackedModel>>>().Data();
  handle->release(info.Env());
  return info.Env().Undefined();
}

// stageFacts(model, op, shape, lanes) -> { scratchBytes, stripRows, slicedScratchBytes: number | null }
Napi::Value stage_facts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto model = read_handle<PackedModel>(info[0], kModelTag);
  FieldErrors errors;
  const StageShape shape = read_shape(Fields(info[2], "shape", &errors));
  const uint32_t op = info[1].IsNumber() ? info[1].As<Napi::Number>().Uint32Value() : UINT32_MAX;
  if (model == nullptr || op >= model->op_count()) errors.add("no such op");
  const int32_t lanes = info[3].IsNumber() ? info[3].As<Napi::Number>().Int32Value() : 0;
  if (lanes < 1) errors.add("lanes must be at least 1");
  if (!errors.ok()) return throw_error(env, errors.first);
  const StageFacts facts = model->kernel(op).facts(model->op(op), shape);
  Napi::Object result = Napi::Object::New(env);
  result.Set("scratchBytes", static_cast<double>(facts.scratch_bytes));
  result.Set("stripRows", facts.strip_rows);
  const SlicedRun* sliced = model->kernel(op).sliced;
  const bool wanted = sliced != nullptr && lanes > 1 && sliced->wanted(model->op(op), shape, lanes);
  result.Set("slicedScratchBytes",
             wanted ? Napi::Number::New(env, static_cast<double>(sliced->scratch_bytes(model->op(op), shape, lanes)))
                    : env.Null());
  return result;
}

// ringRows(model, { stages, lanes }) -> rows that each stage's output must keep
Napi::Value ring_rows(const Napi::CallbackInfo& info) {
  const auto model = read_handle<PackedModel>(info[0], kModelTag);
  if (model == nullptr) return throw_error(info.Env(), "not a model");
  FieldErrors errors;
  Step step = read_chain(info[1], &errors);
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  const Status status = size_rings(&step, *model);
  if (!status.ok()) return throw_error(info.Env(), status.error);
  Napi::Array rows = Napi::Array::New(info.Env(), step.stages.size());
  for (uint32_t k = 0; k < step.stages.size(); ++k) rows.Set(k, step.stages[k].output_rows);
  return rows;
}

// bindProgram(model, program) -> handle
Napi::Value bind_program(const Napi::CallbackInfo& info) {
  auto bound = std::make_shared<BoundProgram>();
  const auto model = read_handle<PackedModel>(info[0], kModelTag);
  if (model == nullptr) return throw_error(info.Env(), "not a model");
  bound->model = model;
  FieldErrors errors;
  bound->program = read_program(info[1], &errors);
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  const Status status = check_program(bound->program, *model);
  if (!status.ok()) return throw_error(info.Env(), status.error);
  return make_handle<BoundProgram>(info.Env(), std::move(bound), 0, kProgramTag);
}

class RunJob final : public AsyncJob {
 public:
  using AsyncJob::AsyncJob;

  void run_item(int32_t item, int32_t slot, const Parallel& parallel) override {
    if (cancelled()) return;
    const Program& program = bound->program;
    RunOptions options;
    options.parallel = parallel;
    options.cancelled = cancel_flag;
    uint8_t* arena = arenas[static_cast<size_t>(slot)];
    if (!run_image(*model, program, input + item * program.input_bytes(), arena, options)) return;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == nullptr) continue;
      const Output& output = program.outputs[i];
      copy_output(output, arena + output.offset, outputs[i] + static_cast<size_t>(item) * output.count);
    }
  }

  Napi::Value result(Napi::Env env) override { return Napi::Boolean::New(env, !cancelled()); }

  std::shared_ptr<const BoundProgram> bound;
  std::shared_ptr<const PackedModel> model;
  const uint8_t* input = nullptr;
  std::vector<uint8_t*> arenas;  // aligned
  std::vector<float*> outputs;   // one per output of the program; null: not wanted

 private:
  static void copy_output(const Output& output, const uint8_t* from, float* to) {
    if (output.dtype == Dtype::f32) {
      std::memcpy(to, from, output.count * sizeof(float));
      return;
    }
    for (size_t i = 0; i < output.count; ++i) {
      to[i] = output.scale * static_cast<float>(from[i] - output.zero_point);
    }
  }
};

// Reads { input, count, arenas, outputs, cancel? } and checks every length against the program.
std::shared_ptr<RunJob> read_run(const Napi::CallbackInfo& info, FieldErrors* errors) {
  const auto bound = read_handle<BoundProgram>(info[0], kProgramTag);
  if (bound == nullptr) errors->add("not a program");
  const Fields f(info[1], "run", errors);
  const int32_t count = f.integer("count");
  if (!errors->ok() || count < 1) {
    errors->add("count must be at least 1");
    return nullptr;
  }
  const Program& program = bound->program;
  std::vector<uint8_t*> arenas;
  const Napi::Value list = f.get("arenas");
  const uint32_t arena_count = list.IsArray() ? list.As<Napi::Array>().Length() : 0;
  for (uint32_t i = 0; i < arena_count; ++i) {
    ArrayView arena{};
    const bool is_view = view_of(list.As<Napi::Array>().Get(i), &arena);
    const auto address = reinterpret_cast<uintptr_t>(arena.data);
    const size_t skip = align_up(address) - address;
    if (!is_view || arena.bytes < skip || arena.bytes - skip < program.arena_bytes) {
      errors->add("an arena is too small");
      return nullptr;
    }
    arenas.push_back(arena.data + skip);
  }
  if (arenas.empty()) errors->add("a run needs an arena");

  auto job = std::make_shared<RunJob>(count, static_cast<int32_t>(arenas.size()), program.max_lanes());
  const auto n = static_cast<size_t>(count);
  job->bound = bound;
  job->model = bound->model.lock();
  if (job->model == nullptr) errors->add("the program's model was released");
  job->input = bytes_of(f.get("input"), n * program.input_bytes(), "run.input", errors);
  const Napi::Value outputs = f.get("outputs");
  if (!outputs.IsArray() || outputs.As<Napi::Array>().Length() != program.outputs.size()) {
    f.fail("outputs", "is not an array with an entry for each output of the program");
    return nullptr;
  }
  for (uint32_t i = 0; i < program.outputs.size(); ++i) {
    const Napi::Value wanted = outputs.As<Napi::Array>().Get(i);
    const size_t bytes = n * program.outputs[i].count * sizeof(float);
    job->outputs.push_back(wanted.IsNull() ? nullptr
                                           : reinterpret_cast<float*>(bytes_of(wanted, bytes, "run.outputs", errors)));
  }
  const Napi::Value cancel = f.get("cancel");
  if (!cancel.IsUndefined() && !cancel.IsNull()) {
    job->cancel_flag = reinterpret_cast<std::atomic<int32_t>*>(bytes_of(cancel, sizeof(int32_t), "run.cancel", errors));
  }
  job->arenas = std::move(arenas);
  return job;
}

// run(program, run, threads) -> Promise<boolean>: false when cancelled
Napi::Value run(const Napi::CallbackInfo& info) {
  FieldErrors errors;
  std::shared_ptr<RunJob> job = read_run(info, &errors);
  if (!info[2].IsNumber()) errors.add("threads is not a number");
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  const int32_t threads = info[2].As<Napi::Number>().Int32Value();
  return Environment::of(info.Env()).start(info.Env(), std::move(job), info[1].As<Napi::Object>(), threads);
}

// runSync(program, run) -> boolean: on the calling thread, images and lanes one after the other
Napi::Value run_sync(const Napi::CallbackInfo& info) {
  FieldErrors errors;
  const std::shared_ptr<RunJob> job = read_run(info, &errors);
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  const ScopedFlushDenormals flush;
  for (int32_t i = 0; i < job->items; ++i) job->run_item(i, 0, Parallel{});
  return job->result(info.Env());
}

// trace(program, run, onRow(op, layer, row, bytes)): one image on the calling thread, every row of every layer
Napi::Value trace(const Napi::CallbackInfo& info) {
  FieldErrors errors;
  const std::shared_ptr<RunJob> job = read_run(info, &errors);
  if (!info[2].IsFunction()) errors.add("onRow is not a function");
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  Napi::Function on_row = info[2].As<Napi::Function>();
  RunOptions options;
  options.on_row_context = &on_row;
  options.on_row = [](void* context, size_t op, Layer layer, int32_t row, const void* data, size_t bytes) {
    static constexpr const char* kNames[] = {"stem",      "expand", "depthwise", "project", "residual",
                                             "pointwise", "pool",   "dense",     "softmax"};
    const auto& callback = *static_cast<Napi::Function*>(context);
    const Napi::Env env = callback.Env();
    const Napi::HandleScope scope(env);
    callback.Call({Napi::Number::New(env, static_cast<double>(op)),
                   Napi::String::New(env, kNames[static_cast<size_t>(layer)]), Napi::Number::New(env, row),
                   Napi::Buffer<uint8_t>::Copy(env, static_cast<const uint8_t*>(data), bytes)});
  };
  const ScopedFlushDenormals flush;
  run_image(*job->model, job->bound->program, job->input, job->arenas[0], options);
  return info.Env().Undefined();
}

// profile(program, run) -> Float64Array of nanoseconds per op: one image on the calling thread
Napi::Value profile(const Napi::CallbackInfo& info) {
  FieldErrors errors;
  const std::shared_ptr<RunJob> job = read_run(info, &errors);
  if (!errors.ok()) return throw_error(info.Env(), errors.first);
  const size_t ops = job->model->op_count();
  Napi::Float64Array nanoseconds = Napi::Float64Array::New(info.Env(), ops);
  RunOptions options;
  options.op_nanoseconds = nanoseconds.Data();
  const ScopedFlushDenormals flush;
  run_image(*job->model, job->bound->program, job->input, job->arenas[0], options);
  return nanoseconds;
}

}  // namespace

void define_run(Napi::Env env, Napi::Object exports) {
  exports.Set("packModel", Napi::Function::New(env, pack_model));
  exports.Set("modelFacts", Napi::Function::New(env, model_facts));
  exports.Set("releaseModel", Napi::Function::New(env, release_model));
  exports.Set("stageFacts", Napi::Function::New(env, stage_facts));
  exports.Set("ringRows", Napi::Function::New(env, ring_rows));
  exports.Set("bindProgram", Napi::Function::New(env, bind_program));
  exports.Set("run", Napi::Function::New(env, run));
  exports.Set("runSync", Napi::Function::New(env, run_sync));
  exports.Set("profile", Napi::Function::New(env, profile));
  exports.Set("trace", Napi::Function::New(env, trace));
}

}  // namespace mobilenetv2
