// SPDX-License-Identifier: Apache-2.0
// The Python module segcore._segcore: names as in C++, arrays without copies, the interpreter lock released while the
// core works.
#include <algorithm>

#include "binding.h"
#include "simd.h"

namespace segcore::python {
namespace {

Bytes AsBytes(const py::object& object, const char* what) {
  if (!py::isinstance<Bytes>(object)) {
    throw Error(Code::kInvalidArgument, std::string(what) + ": expected a NumPy array of uint8");
  }
  return py::reinterpret_borrow<Bytes>(object);
}

std::string Shape(const Bytes& array) {
  std::string text = "(";
  for (py::ssize_t i = 0; i < array.ndim(); ++i) text += (i > 0 ? ", " : "") + std::to_string(array.shape(i));
  return text + ")";
}

/// Sides beyond an int would wrap around on their way into the view.
int Side(py::ssize_t side) { return static_cast<int>(std::min<py::ssize_t>(side, kMaxSide + 1)); }

void ExpectPixels(const Bytes& array, int channels, const char* what) {
  const bool plane = channels == 1;
  if (array.ndim() != (plane ? 2 : 3) || (!plane && array.shape(2) != channels)) {
    throw Error(Code::kInvalidArgument, std::string(what) + ": the array has shape " + Shape(array) +
                                            ", expected (H, W" + (plane ? "" : ", " + std::to_string(channels)) + ")");
  }
  if (array.size() == 0) throw Error(Code::kInvalidArgument, std::string(what) + ": the array is empty");
  const bool dense = array.strides(1) == channels && (plane || array.strides(2) == 1);
  if (!dense && array.shape(1) > 1) {
    throw Error(Code::kInvalidArgument, std::string(what) +
                                            ": the pixels of a row do not lie next to each other; pass "
                                            "numpy.ascontiguousarray(array)");
  }
}

/// A one-row array may carry any stride; the row's own length is as good.
std::ptrdiff_t Stride(const Bytes& array, int channels) {
  return array.shape(0) > 1 ? array.strides(0) : array.shape(1) * channels;
}

}  // namespace

Frame FrameFromArray(const Bytes& pixels, PixelFormat format) {
  const int channels = BytesPerPixel(format);
  if (channels == 0) throw Error(Code::kInvalidArgument, "frame: NV12 has two planes; use Frame.nv12(luma, chroma)");
  ExpectPixels(pixels, channels, "frame");
  Frame frame;
  frame.view = {pixels.data(), Side(pixels.shape(1)), Side(pixels.shape(0)), Stride(pixels, channels), format};
  frame.keep = pixels;
  Check(Validate(frame.view, "frame"));
  return frame;
}

Frame FrameFromNv12(const Bytes& luma, const Bytes& chroma, YuvMatrix matrix) {
  ExpectPixels(luma, 1, "luma");
  ExpectPixels(chroma, 2, "chroma");
  if (chroma.shape(0) != (luma.shape(0) + 1) / 2 || chroma.shape(1) != (luma.shape(1) + 1) / 2) {
    throw Error(Code::kInvalidArgument, "chroma: the array has shape " + Shape(chroma) + ", half of the luma's " +
                                            Shape(luma) + " each way, rounded up, is expected");
  }
  Frame frame;
  frame.view = {luma.data(), Side(luma.shape(1)), Side(luma.shape(0)), Stride(luma, 1), PixelFormat::kNv12};
  frame.view.chroma = chroma.data();
  frame.view.chroma_stride = Stride(chroma, 2);
  frame.view.matrix = matrix;
  frame.keep = py::make_tuple(luma, chroma);
  Check(Validate(frame.view, "frame"));
  return frame;
}

Frame FrameFromObject(const py::object& object) {
  if (py::isinstance<Frame>(object)) return object.cast<Frame>();
  const Bytes pixels = AsBytes(object, "frame");
  const bool alpha = pixels.ndim() == 3 && pixels.shape(2) == 4;
  return FrameFromArray(pixels, alpha ? PixelFormat::kBgra : PixelFormat::kBgr);
}

PlaneView PlaneFromArray(const Bytes& plane, const char* what) {
  ExpectPixels(plane, 1, what);
  const PlaneView view{plane.data(), Side(plane.shape(1)), Side(plane.shape(0)), Stride(plane, 1)};
  Check(Validate(view, what));
  return view;
}

Bytes OutputImage(const py::object& out, Size size, PixelFormat format, MutableImageView* view) {
  const int channels = BytesPerPixel(format);
  if (channels == 0) throw Error(Code::kInvalidArgument, "out: NV12 cannot be drawn to; use BGRA, RGBA, BGR or RGB");
  Bytes array = out.is_none() ? Bytes({size.height, size.width, channels}) : AsBytes(out, "out");
  ExpectPixels(array, channels, "out");
  if (!array.writeable()) throw Error(Code::kInvalidArgument, "out: the array is read-only");
  *view = {array.mutable_data(), Side(array.shape(1)), Side(array.shape(0)), Stride(array, channels), format};
  return array;
}

Bytes OutputPlane(const py::object& out, Size size, MutablePlaneView* view) {
  Bytes array = out.is_none() ? Bytes({size.height, size.width}) : AsBytes(out, "out");
  ExpectPixels(array, 1, "out");
  if (!array.writeable()) throw Error(Code::kInvalidArgument, "out: the array is read-only");
  *view = {array.mutable_data(), Side(array.shape(1)), Side(array.shape(0)), Stride(array, 1)};
  return array;
}

namespace {

void BindErrors(py::module_& module) {
  static py::exception<Error> base(module, "Error", PyExc_RuntimeError);
  static const std::pair<Code, py::exception<Error>> kinds[] = {
      {Code::kInvalidArgument, {module, "InvalidArgumentError", base}},
      {Code::kNotFound, {module, "NotFoundError", base}},
      {Code::kInvalidModel, {module, "InvalidModelError", base}},
      {Code::kUnsupported, {module, "UnsupportedError", base}},
      {Code::kRuntime, {module, "RuntimeFailureError", base}},
      {Code::kCancelled, {module, "CancelledError", base}},
      {Code::kInternal, {module, "InternalError", base}},
  };
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      for (const auto& [code, type] : kinds) {
        if (code == error.code) return py::set_error(type, error.what());
      }
      py::set_error(base, error.what());
    }
  });
}

void BindFrames(py::module_& module) {
  py::native_enum<PixelFormat>(module, "PixelFormat", "enum.Enum", "Order of the bytes of a pixel.")
      .value("RGB", PixelFormat::kRgb)
      .value("BGR", PixelFormat::kBgr)
      .value("RGBA", PixelFormat::kRgba)
      .value("BGRA", PixelFormat::kBgra)
      .value("NV12", PixelFormat::kNv12)
      .finalize();
  py::native_enum<YuvMatrix>(module, "YuvMatrix", "enum.Enum", "How luma and chroma stand for colours.")
      .value("BT601_LIMITED", YuvMatrix::kBt601Limited)
      .value("BT601_FULL", YuvMatrix::kBt601Full)
      .value("BT709_LIMITED", YuvMatrix::kBt709Limited)
      .value("BT709_FULL", YuvMatrix::kBt709Full)
      .finalize();
  py::class_<Orientation>(module, "Orientation",
                          "How a stored frame is turned to stand upright: clockwise, then flipped left to right.")
      .def(py::init([](int rotation, bool mirrored) {
             const Orientation orientation{rotation, mirrored};
             Check(Validate(orientation));
             return orientation;
           }),
           py::arg("rotation") = 0, py::arg("mirrored") = false)
      .def_readonly("rotation", &Orientation::rotation)
      .def_readonly("mirrored", &Orientation::mirrored)
      .def("__eq__", [](Orientation a, Orientation b) { return a == b; })
      .def("__repr__", [](Orientation o) {
        return "Orientation(" + std::to_string(o.rotation) + ", " + (o.mirrored ? "True" : "False") + ")";
      });
  py::class_<Frame>(module, "Frame", "A frame that reads the memory of an array, without a copy.")
      .def(py::init(&FrameFromArray), py::arg("pixels").noconvert(), py::arg("format"))
      .def_static("nv12", &FrameFromNv12, py::arg("luma").noconvert(), py::arg("chroma").noconvert(),
                  py::arg("matrix") = YuvMatrix::kBt601Limited)
      .def_property_readonly("format", [](const Frame& frame) { return frame.view.format; })
      .def_property_readonly("height", [](const Frame& frame) { return frame.view.height; })
      .def_property_readonly("width", [](const Frame& frame) { return frame.view.width; });
}

void BindSimd(py::module_& module) {
  py::native_enum<simd::Level>(module, "SimdLevel", "enum.Enum",
                               "Instruction sets that the pixel code is compiled for.")
      .value("BASELINE", simd::Level::kBaseline)
      .value("AVX2", simd::Level::kAvx2)
      .value("AVX512", simd::Level::kAvx512)
      .finalize();
  module.def("simd_level", &simd::Current, "The level in use.");
  module.def("set_simd_level", &simd::SetLevel, py::arg("level"),
             "For tests and benchmarks: use another level, at most the processor's own.");
}

}  // namespace
}  // namespace segcore::python

PYBIND11_MODULE(_segcore, module) {
  using namespace segcore::python;
  module.doc() = "Segmentation, compositing and the threaded pipeline of the C++ core.";
#if defined(__clang__)
  module.attr("COMPILER") = "clang " __clang_version__;
#else
  module.attr("COMPILER") = "g++ " __VERSION__;
#endif
#if defined(NDEBUG) || defined(__OPTIMIZE__)
  module.attr("CONFIGURATION") = "release";
#else
  module.attr("CONFIGURATION") = "debug";
#endif
  BindErrors(module);
  BindFrames(module);
  BindSimd(module);
  BindSegmenting(module);
  BindDrawing(module);
  BindPipelining(module);
}
