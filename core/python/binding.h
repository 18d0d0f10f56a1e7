// SPDX-License-Identifier: Apache-2.0
// What the parts of the Python module share: NumPy arrays as views of the core, and errors as exceptions.
#pragma once

#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>

#include "segcore/image.h"
#include "segcore/status.h"

namespace segcore::python {

namespace py = pybind11;

/// Base of what the module raises; one subclass per Code.
struct Error : std::runtime_error {
  Error(Code which, const std::string& message) : std::runtime_error(message), code(which) {}
  Code code;
};

inline void Check(const Status& status) {
  if (!status.ok()) throw Error(status.code(), status.message());
}

template <typename T>
T Unwrap(Expected<T> expected) {
  Check(expected.status());
  return std::move(*expected);
}

using Bytes = py::array_t<std::uint8_t, 0>;

/// A frame together with the arrays whose memory it reads.
struct Frame {
  ImageView view;
  py::object keep;
};

/// A frame from an array (H, W, 3 or 4) uint8; pixels lie next to each other, rows at any stride.
Frame FrameFromArray(const Bytes& pixels, PixelFormat format);
Frame FrameFromNv12(const Bytes& luma, const Bytes& chroma, YuvMatrix matrix);
/// A Frame, or an array: 3 channels are BGR and 4 BGRA, as in OpenCV.
Frame FrameFromObject(const py::object& object);

PlaneView PlaneFromArray(const Bytes& plane, const char* what);
/// `out` if it is given, else a new array; (H, W, 3 or 4) by the format.
Bytes OutputImage(const py::object& out, Size size, PixelFormat format, MutableImageView* view);
Bytes OutputPlane(const py::object& out, Size size, MutablePlaneView* view);

/// A read-only array over memory that `owner` keeps alive.
template <typename T>
py::array View(const T* data, std::vector<py::ssize_t> shape, const py::object& owner) {
  py::array array(py::dtype::of<T>(), std::move(shape), {}, data, owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

void BindSegmenting(py::module_& module);
void BindDrawing(py::module_& module);
void BindPipelining(py::module_& module);

}  // namespace segcore::python
