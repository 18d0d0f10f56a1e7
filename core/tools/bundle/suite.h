// SPDX-License-Identifier: Apache-2.0
// Packed suites (docs/suite.md): hash-locked pictures as NPY arrays, read one case at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bundle/json.h"
#include "segcore/image.h"
#include "segcore/status.h"

namespace segcore::bundle {

/// An image or a mask on disk.
struct Picture {
  std::string file;         ///< path inside the suite
  std::string file_sha256;  ///< of the file
  std::string sha256;       ///< of the pixels, row by row
};

/// A case's place in a motion suite.
struct Motion {
  std::string movement;              ///< the sequence it belongs to
  std::int64_t frame = 0;            ///< number in the sequence
  std::optional<Picture> unchanged;  ///< where nothing but noise changed since the frame before
};

struct Case {
  std::string id;
  int height = 0;
  int width = 0;
  Picture image;
  std::optional<Picture> mask;
  std::vector<std::string> tags;
  std::string provenance;
  std::optional<Motion> motion;
};

/// RGB pixels of a case, without gaps between the rows.
struct Pixels {
  std::string file;  ///< the NPY file that `view` points into
  ImageView view;
};

class Suite {
 public:
  /// Reads and checks the `suite.json` of a folder (or that file itself). Pictures are read, and checked, later.
  static Expected<Suite> Load(const std::string& path);

  const std::string& id() const { return id_; }
  const std::vector<Case>& cases() const { return cases_; }
  /// Hash over everything that defines the suite, as harness/suite.py takes it.
  const std::string& sha256() const { return sha256_; }
  /// Frames per second of a motion suite; 0 for any other.
  int fps() const { return fps_; }
  /// The `suite` part of run.json.
  Json Facts() const;

  /// The pixels of a case's image, its file checked against its hash.
  Status ReadImage(const Case& entry, Pixels* pixels) const;

  /// Reads every file and returns the first thing that is wrong.
  Status Verify() const;

 private:
  Status Read(const Picture& picture, const std::vector<std::size_t>& shape, std::string* file,
              std::string_view* pixels) const;
  Json Definition() const;

  std::string root_;
  std::string id_;
  std::string sha256_;
  int fps_ = 0;
  std::vector<Case> cases_;
};

}  // namespace segcore::bundle
