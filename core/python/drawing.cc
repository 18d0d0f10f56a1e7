// SPDX-License-Identifier: Apache-2.0
// Refiner and Compositor in Python.
#include "binding.h"
#include "segcore/compositor.h"
#include "segcore/refiner.h"

namespace segcore::python {
namespace {

/// Without `out` a composite has the frame's format; NV12 becomes BGR.
PixelFormat DrawnFormat(const ImageView& frame) {
  return frame.format == PixelFormat::kNv12 ? PixelFormat::kBgr : frame.format;
}

void BindRefiner(py::module_& module) {
  py::class_<RefinerOptions>(module, "RefinerOptions")
      .def(py::init([](bool smooth, bool guided) {
             RefinerOptions options;
             options.smooth = smooth;
             options.guided = guided;
             return options;
           }),
           py::kw_only(), py::arg("smooth") = RefinerOptions{}.smooth, py::arg("guided") = RefinerOptions{}.guided)
      .def_readwrite("smooth", &RefinerOptions::smooth)
      .def_readwrite("guided", &RefinerOptions::guided);
  py::class_<Refiner>(module, "Refiner", "Steadier masks over time, sharper edges in the frame.")
      .def(py::init<const RefinerOptions&>(), py::arg("options") = RefinerOptions{})
      .def("reset", &Refiner::Reset)
      .def(
          "smooth",
          [](Refiner& self, Mask& mask) {
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Smooth(&mask);
            }
            Check(status);
          },
          py::arg("mask"), "Smooths the mask's alpha in place by what came before.")
      .def(
          "upsample",
          [](Refiner& self, const Mask& mask, const py::object& object, const py::object& out) {
            const Frame frame = FrameFromObject(object);
            MutablePlaneView view;
            Bytes alpha = OutputPlane(out, frame.view.size(), &view);
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Upsample(mask, frame.view, view);
            }
            Check(status);
            return alpha;
          },
          py::arg("mask"), py::arg("frame"), py::arg("out") = py::none(), "Alpha (H, W) of the stored frame.");
}

}  // namespace

void BindDrawing(py::module_& module) {
  BindRefiner(module);
  py::native_enum<Background>(module, "Background", "enum.Enum", "What is drawn behind the person.")
      .value("NONE", Background::kNone)
      .value("BLUR", Background::kBlur)
      .value("COLOUR", Background::kColour)
      .value("IMAGE", Background::kImage)
      .finalize();
  py::class_<CompositorOptions>(module, "CompositorOptions")
      .def(py::init([](Background background, int blur_permille, std::array<std::uint8_t, 3> colour, int feather) {
             CompositorOptions options;
             options.background = background;
             options.blur_permille = blur_permille;
             options.colour = colour;
             options.feather = feather;
             return options;
           }),
           py::kw_only(), py::arg("background") = CompositorOptions{}.background,
           py::arg("blur_permille") = CompositorOptions{}.blur_permille, py::arg("colour") = CompositorOptions{}.colour,
           py::arg("feather") = CompositorOptions{}.feather)
      .def_readwrite("background", &CompositorOptions::background)
      .def_readwrite("blur_permille", &CompositorOptions::blur_permille)
      .def_readwrite("colour", &CompositorOptions::colour)
      .def_readwrite("feather", &CompositorOptions::feather);

  py::class_<Compositor>(module, "Compositor", "Draws the person over a blurred or replaced background.")
      .def(py::init([](const CompositorOptions& options) {
             auto compositor = std::make_unique<Compositor>(CompositorOptions{});
             Check(compositor->SetOptions(options));
             return compositor;
           }),
           py::arg("options") = CompositorOptions{})
      .def(
          "set_options", [](Compositor& self, const CompositorOptions& options) { Check(self.SetOptions(options)); },
          py::arg("options"))
      .def(
          "set_image",
          [](Compositor& self, const py::object& object) { Check(self.SetImage(FrameFromObject(object).view)); },
          py::arg("image"), "The picture for Background.IMAGE, upright; copied.")
      .def(
          "run",
          [](Compositor& self, const py::object& object, const Bytes& alpha, Orientation orientation,
             const py::object& out) {
            const Frame frame = FrameFromObject(object);
            const PlaneView plane = PlaneFromArray(alpha, "alpha");
            MutableImageView view;
            Bytes drawn = OutputImage(out, frame.view.size(), DrawnFormat(frame.view), &view);
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Run(frame.view, plane, orientation, view);
            }
            Check(status);
            return drawn;
          },
          py::arg("frame"), py::arg("alpha").noconvert(), py::arg("orientation") = Orientation{},
          py::arg("out") = py::none(), "The composite, in the frame's format; NV12 becomes BGR.")
      .def(
          "hide",
          [](Compositor& self, const py::object& object, Orientation orientation, const py::object& out) {
            const Frame frame = FrameFromObject(object);
            MutableImageView view;
            Bytes drawn = OutputImage(out, frame.view.size(), DrawnFormat(frame.view), &view);
            Status status;
            {
              py::gil_scoped_release release;
              status = self.Hide(frame.view, orientation, view);
            }
            Check(status);
            return drawn;
          },
          py::arg("frame"), py::arg("orientation") = Orientation{}, py::arg("out") = py::none(),
          "The frame as it looks without a person.");
}

}  // namespace segcore::python
