// SPDX-License-Identifier: Apache-2.0
// Segmenter, Mask, Preprocessor and AlphaResizer in Python.
#include "binding.h"
#include "preprocess.h"
#include "segcore/segmenter.h"

namespace segcore::python {
namespace {

using Floats = py::array_t<float, py::array::c_style>;

Floats AsTensor(const py::object& object, std::size_t size, const char* what) {
  if (!py::isinstance<Floats>(object)) {
    throw Error(Code::kInvalidArgument, std::string(what) + ": expected a contiguous NumPy array of float32");
  }
  auto tensor = py::reinterpret_borrow<Floats>(object);
  if (static_cast<std::size_t>(tensor.size()) != size) {
    throw Error(Code::kInvalidArgument,
                std::string(what) + ": " + std::to_string(tensor.size()) + " values, expected " + std::to_string(size));
  }
  return tensor;
}

py::tuple AsTuple(const Rect& rect) { return py::make_tuple(rect.top, rect.left, rect.height, rect.width); }

/// A contract and what applies it to pixels.
struct PyPreprocessor {
  explicit PyPreprocessor(const std::string& text)
      : contract(Unwrap(ParseContract(text, "contract"))), preprocessor(contract) {}
  Contract contract;
  Preprocessor preprocessor;
};

py::tuple Preprocess(PyPreprocessor& self, const py::object& object, Orientation orientation) {
  const Frame frame = FrameFromObject(object);
  const std::vector<py::ssize_t> shape{self.contract.input_height, self.contract.input_width, 3};
  py::array_t<std::uint8_t> picture(shape);
  py::array_t<float> tensor(shape);
  std::uint8_t* pixels = picture.mutable_data();
  float* values = tensor.mutable_data();
  Status status;
  {
    py::gil_scoped_release release;
    status = self.preprocessor.Run(frame.view, orientation, pixels, values);
  }
  Check(status);
  return py::make_tuple(picture, tensor);
}

void BindMask(py::module_& module) {
  py::class_<Mask>(module, "Mask", "What the network says of one frame. Its arrays read the mask's own memory.")
      .def(py::init<>())
      .def_property_readonly("probability",
                             [](const py::object& self) {
                               const auto& mask = self.cast<const Mask&>();
                               return View(mask.probability.data(), {mask.size.height, mask.size.width}, self);
                             })
      .def_property_readonly("alpha",
                             [](const py::object& self) {
                               const auto& mask = self.cast<const Mask&>();
                               return View(mask.alpha.data(), {mask.size.height, mask.size.width}, self);
                             })
      .def_property_readonly("picture",
                             [](const py::object& self) {
                               const auto& mask = self.cast<const Mask&>();
                               const Size size = mask.picture_size;
                               return View(mask.picture.data(), {size.height, size.width, 3}, self);
                             })
      .def_property_readonly("content", [](const Mask& mask) { return AsTuple(mask.content); })
      .def_property_readonly("frame_shape",
                             [](const Mask& mask) { return py::make_tuple(mask.frame.height, mask.frame.width); })
      .def_readonly("orientation", &Mask::orientation)
      .def_readonly("preprocess_ns", &Mask::preprocess_ns)
      .def_readonly("invoke_ns", &Mask::invoke_ns)
      .def_readonly("activate_ns", &Mask::activate_ns);
}

void BindSegmenter(py::module_& module) {
  py::native_enum<Accelerator>(module, "Accelerator", "enum.Enum", "What runs the network.")
      .value("CPU", Accelerator::kCpu)
      .value("GPU", Accelerator::kGpu)
      .value("NPU", Accelerator::kNpu)
      .finalize();
  py::class_<TensorInfo>(module, "TensorInfo")
      .def_readonly("name", &TensorInfo::name)
      .def_readonly("dtype", &TensorInfo::dtype)
      .def_readonly("shape", &TensorInfo::shape);
  py::class_<ModelInfo>(module, "ModelInfo", "What was loaded, as found.")
      .def_readonly("inputs", &ModelInfo::inputs)
      .def_readonly("outputs", &ModelInfo::outputs)
      .def_readonly("litert_version", &ModelInfo::litert_version)
      .def_readonly("litert_library", &ModelInfo::litert_library)
      .def_readonly("accelerator", &ModelInfo::accelerator)
      .def_readonly("fell_back", &ModelInfo::fell_back)
      .def_readonly("threads", &ModelInfo::threads)
      .def_readonly("operators", &ModelInfo::operators)
      .def_readonly("contract", &ModelInfo::contract);

  py::class_<Segmenter>(module, "Segmenter", "A model and its contract: frames to masks. One thread at a time.")
      .def_static(
          "from_file",
          [](const std::string& path, int threads, Accelerator accelerator, bool allow_fallback,
             const std::string& weight_cache, const std::string& litert_library, const std::string& contract) {
            const SegmenterOptions options{threads,      accelerator,    allow_fallback,
                                           weight_cache, litert_library, contract};
            py::gil_scoped_release release;
            return Unwrap(Segmenter::FromFile(path, options));
          },
          py::arg("path"), py::kw_only(), py::arg("threads") = 1, py::arg("accelerator") = Accelerator::kCpu,
          py::arg("allow_fallback") = false, py::arg("weight_cache") = "", py::arg("litert_library") = "",
          py::arg("contract") = "")
      .def_property_readonly("info", &Segmenter::info)
      .def(
          "run",
          [](Segmenter& self, const py::object& object, Orientation orientation, const py::object& out) {
            const Frame frame = FrameFromObject(object);
            py::object result = out.is_none() ? py::cast(Mask{}) : out;
            Mask* mask = result.cast<Mask*>();
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Run(frame.view, orientation, mask);
            }
            Check(status);
            return result;
          },
          py::arg("frame"), py::arg("orientation") = Orientation{}, py::arg("out") = py::none(),
          "The mask of a frame; into `out`, whose arrays change with it, where one is given.")
      .def(
          "preprocess",
          [](Segmenter& self, const py::object& object, Orientation orientation) {
            const Frame frame = FrameFromObject(object);
            const Contract& contract = self.contract();
            py::array_t<float> tensor({1, contract.input_height, contract.input_width, 3});
            float* values = tensor.mutable_data();
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Preprocess(frame.view, orientation, values);
            }
            Check(status);
            return tensor;
          },
          py::arg("frame"), py::arg("orientation") = Orientation{}, "The input tensor (1, h, w, 3) of a frame.")
      .def(
          "invoke",
          [](Segmenter& self, const py::object& object, const py::object& out) {
            const Floats input = AsTensor(object, self.input_size(), "input");
            const auto& shape = self.info().outputs.front().shape;
            Floats output = out.is_none() ? Floats(std::vector<py::ssize_t>(shape.begin(), shape.end()))
                                          : AsTensor(out, self.output_size(), "out");
            if (!output.writeable()) throw Error(Code::kInvalidArgument, "out: the array is read-only");
            const float* from = input.data();
            float* to = output.mutable_data();
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Invoke(from, to);
            }
            Check(status);
            return output;
          },
          py::arg("input"), py::arg("out") = py::none(), "The network alone: input tensor to raw output, float32.");
}

}  // namespace

void BindSegmenting(py::module_& module) {
  BindMask(module);
  BindSegmenter(module);
  py::class_<PyPreprocessor>(module, "Preprocessor", "A contract's way from a frame to the input tensor.")
      .def(py::init<const std::string&>(), py::arg("contract"))
      .def("run", &Preprocess, py::arg("frame"), py::arg("orientation") = Orientation{},
           "The fitted upright picture (h, w, 3) uint8 RGB and the input tensor (h, w, 3) float32.");
  py::class_<AlphaResizer>(module, "AlphaResizer", "Alpha of the stored frame from a mask, exactly.")
      .def(py::init<>())
      .def(
          "run",
          [](AlphaResizer& self, const Mask& mask, const py::object& out) {
            MutablePlaneView view;
            Bytes alpha = OutputPlane(out, mask.frame, &view);
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Run(mask, view);
            }
            Check(status);
            return alpha;
          },
          py::arg("mask"), py::arg("out") = py::none());
}

}  // namespace segcore::python
