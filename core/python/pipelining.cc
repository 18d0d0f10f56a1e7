// SPDX-License-Identifier: Apache-2.0
// Pipeline in Python: sources and sinks are callables that the core's threads call with the interpreter lock held.
#include "binding.h"
#include "segcore/pipeline.h"

namespace segcore::python {
namespace {

/// A drawn frame as the sink sees it. Its pixels belong to the pipeline and are gone when the sink returns, so arrays
/// are copied out, and refused afterwards.
struct PyPresented {
  Presented facts;
  bool valid = true;

  const Presented& Live() const {
    if (!valid) throw Error(Code::kInvalidArgument, "presented: its pixels are gone once the sink has returned");
    return facts;
  }
};

py::array CopyRows(const std::uint8_t* data, std::ptrdiff_t stride, py::ssize_t rows, py::ssize_t bytes,
                   std::vector<py::ssize_t> shape) {
  py::array_t<std::uint8_t> array(std::move(shape));
  std::uint8_t* out = array.mutable_data();
  for (py::ssize_t row = 0; row < rows; ++row) std::copy_n(data + row * stride, bytes, out + row * bytes);
  return array;
}

py::array Picture(const PyPresented& self) {
  const MutableImageView& picture = self.Live().picture;
  const int channels = BytesPerPixel(picture.format);
  return CopyRows(picture.data, picture.stride, picture.height, static_cast<py::ssize_t>(picture.width) * channels,
                  {picture.height, picture.width, channels});
}

py::object Alpha(const PyPresented& self) {
  const PlaneView& alpha = self.Live().alpha;
  if (alpha.data == nullptr) return py::none();
  return CopyRows(alpha.data, alpha.stride, alpha.height, alpha.width, {alpha.height, alpha.width});
}

/// The frame that a Python source gave last; its arrays live until the core has copied them.
struct HeldFrame {
  py::object object;
  ~HeldFrame() {
    py::gil_scoped_acquire acquire;
    object = py::object();
  }
};

Status PythonFailed(const char* who, const std::exception& error) {
  return Status(Code::kInternal, std::string(who) + ": " + error.what());
}

Pipeline::Source WrapSource(const py::function& source) {
  auto held = std::make_shared<HeldFrame>();
  auto call = std::make_shared<HeldFrame>();
  call->object = source;
  return [held, call](Captured* captured) -> Expected<bool> {
    py::gil_scoped_acquire acquire;
    try {
      py::object given = call->object();
      if (given.is_none()) return false;
      if (py::isinstance<py::tuple>(given)) {
        const auto pair = given.cast<py::tuple>();
        if (pair.size() != 2) return Status(Code::kInvalidArgument, "source: expected a frame or (frame, orientation)");
        captured->orientation = pair[1].cast<Orientation>();
        given = pair[0];
      }
      const Frame frame = FrameFromObject(given);
      captured->image = frame.view;
      held->object = frame.keep;
      return true;
    } catch (const std::exception& error) {
      return PythonFailed("source", error);
    }
  };
}

Pipeline::Sink WrapSink(const py::function& sink) {
  auto call = std::make_shared<HeldFrame>();
  call->object = sink;
  return [call](const Presented& presented) -> Status {
    py::gil_scoped_acquire acquire;
    try {
      auto shown = std::make_shared<PyPresented>(PyPresented{presented});
      struct Invalidate {
        PyPresented* shown;
        ~Invalidate() { shown->valid = false; }
      } invalidate{shown.get()};
      call->object(shown);
      return {};
    } catch (const std::exception& error) {
      return PythonFailed("sink", error);
    }
  };
}

/// Stops without the interpreter lock, for which a sink may be waiting.
struct PyPipeline {
  std::unique_ptr<Pipeline> pipeline;
  ~PyPipeline() {
    py::gil_scoped_release release;
    pipeline.reset();
  }
};

void Start(PyPipeline& self, const py::function& sink, const py::object& source) {
  Pipeline::Source from = source.is_none() ? Pipeline::Source() : WrapSource(source.cast<py::function>());
  Pipeline::Sink to = WrapSink(sink);
  Status status;
  {
    py::gil_scoped_release release;
    status = self.pipeline->Start(std::move(from), std::move(to));
  }
  Check(status);
}

void Push(PyPipeline& self, const py::object& object, Orientation orientation, std::int64_t captured_ns) {
  const Frame frame = FrameFromObject(object);
  Status status;
  {
    py::gil_scoped_release release;
    status = self.pipeline->Push({frame.view, orientation, captured_ns});
  }
  Check(status);
}

void CheckReleased(PyPipeline& self, Status (Pipeline::*call)()) {
  Status status;
  {
    py::gil_scoped_release release;
    status = (self.pipeline.get()->*call)();
  }
  Check(status);
}

void BindFacts(py::module_& module) {
  py::class_<PyPresented, std::shared_ptr<PyPresented>>(module, "Presented", "One drawn frame, for a sink.")
      .def_property_readonly("sequence", [](const PyPresented& p) { return p.facts.sequence; })
      .def_property_readonly("picture", &Picture)
      .def_property_readonly("alpha", &Alpha)
      .def_property_readonly("hidden", [](const PyPresented& p) { return p.facts.hidden; })
      .def_property_readonly("mask_sequence", [](const PyPresented& p) { return p.facts.mask_sequence; })
      .def_property_readonly("mask_age", [](const PyPresented& p) { return p.facts.mask_age; })
      .def_property_readonly("captured_ns", [](const PyPresented& p) { return p.facts.captured_ns; })
      .def_property_readonly("preprocess_ns", [](const PyPresented& p) { return p.facts.preprocess_ns; })
      .def_property_readonly("invoke_ns", [](const PyPresented& p) { return p.facts.invoke_ns; })
      .def_property_readonly("postprocess_ns", [](const PyPresented& p) { return p.facts.postprocess_ns; })
      .def_property_readonly("refine_ns", [](const PyPresented& p) { return p.facts.refine_ns; })
      .def_property_readonly("composite_ns", [](const PyPresented& p) { return p.facts.composite_ns; });
  py::class_<Counters>(module, "Counters", "Frames since the start, and how long each stage worked.")
      .def_readonly("captured", &Counters::captured)
      .def_readonly("inferred", &Counters::inferred)
      .def_readonly("presented", &Counters::presented)
      .def_readonly("hidden", &Counters::hidden)
      .def_readonly("dropped_infer", &Counters::dropped_infer)
      .def_readonly("dropped_render", &Counters::dropped_render)
      .def_readonly("capture_busy_ns", &Counters::capture_busy_ns)
      .def_readonly("infer_busy_ns", &Counters::infer_busy_ns)
      .def_readonly("render_busy_ns", &Counters::render_busy_ns);
}

}  // namespace

void BindPipelining(py::module_& module) {
  py::native_enum<Mode>(module, "Mode", "enum.Enum", "Whether a picture waits for its own mask.")
      .value("SYNCED", Mode::kSynced)
      .value("LOW_LATENCY", Mode::kLowLatency)
      .finalize();
  BindFacts(module);
  py::class_<PyPipeline>(module, "Pipeline", "Capture, inference and rendering on threads of the core's own.")
      .def(py::init([](const std::string& model, int threads, const std::string& contract,
                       const RefinerOptions& refiner, const CompositorOptions& compositor, Mode mode,
                       int queue_capacity, bool drop_oldest, int max_mask_age, PixelFormat output) {
             SegmenterOptions segmenter;
             segmenter.threads = threads;
             segmenter.contract = contract;
             PipelineOptions options;
             options.mode = mode;
             options.queue_capacity = queue_capacity;
             options.drop_oldest = drop_oldest;
             options.max_mask_age = max_mask_age;
             options.output = output;
             auto made = std::make_unique<PyPipeline>();
             py::gil_scoped_release release;
             made->pipeline =
                 Unwrap(Pipeline::Create(Unwrap(Segmenter::FromFile(model, segmenter)), refiner, compositor, options));
             return made;
           }),
           py::arg("model"), py::kw_only(), py::arg("threads") = 1, py::arg("contract") = "",
           py::arg("refiner") = RefinerOptions{}, py::arg("compositor") = CompositorOptions{},
           py::arg("mode") = Mode::kSynced, py::arg("queue_capacity") = PipelineOptions{}.queue_capacity,
           py::arg("drop_oldest") = PipelineOptions{}.drop_oldest,
           py::arg("max_mask_age") = PipelineOptions{}.max_mask_age, py::arg("output") = PipelineOptions{}.output)
      .def(
          "start", &Start, py::arg("sink"), py::arg("source") = py::none(),
          "Starts the threads. `source()` gives a frame, (frame, orientation), or None at the end; without one, frames "
          "come by push.")
      .def("push", &Push, py::arg("frame"), py::arg("orientation") = Orientation{}, py::arg("captured_ns") = 0)
      .def(
          "wait", [](PyPipeline& self) { CheckReleased(self, &Pipeline::Wait); },
          "Returns when every captured frame is presented; raises the first error of a stage.")
      .def("stop", [](PyPipeline& self) { CheckReleased(self, &Pipeline::Stop); })
      .def_property_readonly("running", [](const PyPipeline& self) { return self.pipeline->running(); })
      .def_property_readonly("counters", [](const PyPipeline& self) { return self.pipeline->counters(); })
      .def(
          "set_background",
          [](PyPipeline& self, const CompositorOptions& options) { Check(self.pipeline->SetBackground(options)); },
          py::arg("options"))
      .def(
          "set_image",
          [](PyPipeline& self, const py::object& image) {
            Check(self.pipeline->SetImage(FrameFromObject(image).view));
          },
          py::arg("image"));
}

}  // namespace segcore::python
