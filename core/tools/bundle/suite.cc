// SPDX-License-Identifier: Apache-2.0
#include "bundle/suite.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "bundle/files.h"
#include "bundle/npy.h"
#include "bundle/sha256.h"

namespace segcore::bundle {
namespace {

constexpr char kSchema[] = "segmentation-suite/1";

bool IsLetterOrDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/// Letters, digits and ._- after a letter or digit: names that are files' names everywhere.
bool IsName(std::string_view text) {
  return !text.empty() && IsLetterOrDigit(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetterOrDigit(c) || c == '.' || c == '_' || c == '-';
  });
}

bool IsSha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Takes the parts of suite.json out of its JSON; remembers the first problem.
class Index {
 public:
  explicit Index(std::string where) : where_(std::move(where)) {}

  Status status() const { return status_; }

  void Problem(const std::string& problem) {
    if (status_.ok()) status_ = Status(Code::kInvalidArgument, where_ + ": not a valid suite: " + problem);
  }

  const Json* Member(const Json& object, const std::string& path, const char* key) {
    const Json* member = object.Find(key);
    if (object.object() == nullptr) Problem((path.empty() ? "top level" : path) + " is no object");
    if (member == nullptr) Problem(Join(path, key) + " is missing");
    return member;
  }

  std::string Text(const Json& object, const std::string& path, const char* key) {
    const Json* member = Member(object, path, key);
    if (member == nullptr) return {};
    if (member->string() == nullptr) {
      Problem(Join(path, key) + " is no string");
      return {};
    }
    return *member->string();
  }

  std::string Name(const Json& object, const std::string& path, const char* key) {
    std::string name = Text(object, path, key);
    if (!IsName(name) || name.size() > 100) {
      Problem(Join(path, key) + " is no name of letters, digits, '.', '_' and '-'");
    }
    return name;
  }

  std::int64_t Whole(const Json& object, const std::string& path, const char* key, std::int64_t low,
                     std::int64_t high) {
    const Json* member = Member(object, path, key);
    if (member == nullptr) return low;
    const std::int64_t* value = member->integer();
    if (value == nullptr || *value < low || *value > high) {
      Problem(Join(path, key) + " is no whole number from " + std::to_string(low) + " to " + std::to_string(high));
      return low;
    }
    return *value;
  }

  std::optional<Picture> ReadPicture(const Json& object, const std::string& parent, const char* key) {
    const Json* entry = Member(object, parent, key);
    if (entry == nullptr || entry->is_null()) return {};
    const std::string path = Join(parent, key);
    Picture picture{Text(*entry, path, "file"), Text(*entry, path, "file_sha256"), Text(*entry, path, "sha256")};
    const std::size_t slash = std::min(picture.file.find('/'), picture.file.size());
    const std::string folder = picture.file.substr(0, slash);
    const std::string name = picture.file.substr(std::min(slash + 1, picture.file.size()));
    const std::string ending = name.substr(name.size() - std::min<std::size_t>(name.size(), 4));
    if ((folder != "images" && folder != "masks" && folder != "unchanged") || !IsName(name) ||
        (ending != ".npy" && ending != ".png")) {
      Problem(path + ".file is no path such as images/name.npy");
    } else if (ending == ".png") {
      Problem("its pictures are PNG files; pack it first: harness suite pack SUITE --out FOLDER");
    }
    if (!IsSha256(picture.file_sha256)) Problem(path + ".file_sha256 is no SHA-256 in hexadecimal");
    if (!IsSha256(picture.sha256)) Problem(path + ".sha256 is no SHA-256 in hexadecimal");
    return picture;
  }

  Motion ReadMotion(const Json& entry, const std::string& path) {
    Motion motion;
    motion.movement = Name(entry, path, "movement");
    motion.frame = Whole(entry, path, "frame", 0, std::numeric_limits<std::int64_t>::max());
    motion.unchanged = ReadPicture(entry, path, "unchanged");
    return motion;
  }

  Case ReadCase(const Json& entry, const std::string& path) {
    Case result;
    result.id = Name(entry, path, "id");
    result.height = static_cast<int>(Whole(entry, path, "height", 1, kMaxSide));
    result.width = static_cast<int>(Whole(entry, path, "width", 1, kMaxSide));
    const std::optional<Picture> image = ReadPicture(entry, path, "image");
    if (!image) Problem(path + ".image is missing");
    result.image = image.value_or(Picture());
    result.mask = ReadPicture(entry, path, "mask");
    if (const Json* tags = Member(entry, path, "tags")) {
      if (tags->array() == nullptr) Problem(path + ".tags is no list");
      for (const Json& tag : tags->array() != nullptr ? *tags->array() : Json::Array()) {
        if (tag.string() == nullptr) Problem(path + ".tags holds something that is no string");
        result.tags.push_back(tag.string() != nullptr ? *tag.string() : "");
      }
    }
    result.provenance = Text(entry, path, "provenance");
    if (const Json* motion = entry.Find("motion")) result.motion = ReadMotion(*motion, path + ".motion");
    return result;
  }

 private:
  static std::string Join(const std::string& path, const char* key) { return path.empty() ? key : path + "." + key; }

  std::string where_;
  Status status_;
};

Json Tags(const Case& entry) { return Json::Array(entry.tags.begin(), entry.tags.end()); }

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string Shape(const std::vector<std::size_t>& shape) {
  std::string text;
  for (const std::size_t side : shape) text += (text.empty() ? "" : " x ") + std::to_string(side);
  return text;
}

}  // namespace

Expected<Suite> Suite::Load(const std::string& path) {
  Suite suite;
  const std::filesystem::path given(path);
  suite.root_ = given.filename() == "suite.json" ? given.parent_path().string() : path;
  const std::string where = (std::filesystem::path(suite.root_) / "suite.json").string();
  Expected<std::string> text = ReadFile(where);
  if (!text.ok()) {
    return Status(Code::kNotFound, text.status().message() +
                                       "; --suite takes the folder of a packed suite, which is made with: harness "
                                       "suite pack SUITE --out FOLDER");
  }
  SEGCORE_ASSIGN_OR_RETURN(const Json table, Json::Parse(*text, where));
  Index index(where);
  if (index.Text(table, "", "schema") != kSchema) index.Problem(std::string("schema is not ") + kSchema);
  suite.id_ = index.Name(table, "", "id");
  const Json* cases = index.Member(table, "", "cases");
  const Json::Array* entries = cases != nullptr ? cases->array() : nullptr;
  if (entries == nullptr || entries->empty()) index.Problem("cases is no list with at least one case");
  std::set<std::string> ids;
  for (std::size_t i = 0; entries != nullptr && i < entries->size(); ++i) {
    suite.cases_.push_back(index.ReadCase((*entries)[i], "cases." + std::to_string(i)));
    const std::string& id = suite.cases_.back().id;
    if (!ids.insert(Lower(id)).second) index.Problem("more than one case is called " + id);
  }
  if (const Json* motion = table.Find("motion")) {
    suite.fps_ = static_cast<int>(index.Whole(*motion, "motion", "fps", 1, 1000));
    for (const Case& entry : suite.cases_) {
      if (!entry.motion) index.Problem("case " + entry.id + " has no motion");
      if (entry.height != suite.cases_[0].height || entry.width != suite.cases_[0].width) {
        index.Problem("case " + entry.id + " has another size than " + suite.cases_[0].id);
      }
    }
  }
  SEGCORE_RETURN_IF_ERROR(index.status());
  suite.sha256_ = Sha256::Of(suite.Definition().Dump());
  return suite;
}

Json Suite::Definition() const {
  // Keys in alphabetical order: the canonical text that every reader takes the hash of.
  const auto hash = [](const std::optional<Picture>& picture) { return picture ? Json(picture->sha256) : Json(); };
  Json definition;
  for (const Case& entry : cases_) {
    Json part = Json::Object{
        {"height", entry.height}, {"id", entry.id}, {"image", entry.image.sha256}, {"mask", hash(entry.mask)}};
    if (const auto& motion = entry.motion) {
      part["motion"] = Json::Array{motion->movement, motion->frame, hash(motion->unchanged)};
    }
    part["provenance"] = entry.provenance;
    part["tags"] = Tags(entry);
    part["width"] = entry.width;
    definition["cases"].Append(std::move(part));
  }
  if (fps_ > 0) definition["fps"] = fps_;
  definition["id"] = id_;
  definition["schema"] = kSchema;
  return definition;
}

Json Suite::Facts() const {
  Json::Array cases;
  for (const Case& entry : cases_) {
    cases.push_back(Json::Object{{"id", entry.id},
                                 {"input_sha256", entry.image.sha256},
                                 {"height", entry.height},
                                 {"width", entry.width},
                                 {"tags", Tags(entry)}});
  }
  return Json::Object{{"id", id_}, {"sha256", sha256_}, {"cases", std::move(cases)}};
}

Status Suite::Read(const Picture& picture, const std::vector<std::size_t>& shape, std::string* file,
                   std::string_view* pixels) const {
  const std::string path = (std::filesystem::path(root_) / picture.file).string();
  Expected<std::string> data = ReadFile(path);
  if (!data.ok()) {
    return Status(data.status().code(), data.status().message() + "; run: harness suite verify " + root_);
  }
  if (const std::string actual = Sha256::Of(*data); actual != picture.file_sha256) {
    return Status(Code::kInvalidArgument, path + ": the file was changed: its sha256 is " + actual +
                                              ", the suite was made with " + picture.file_sha256 +
                                              "; run: harness suite verify " + root_);
  }
  *file = std::move(*data);
  SEGCORE_ASSIGN_OR_RETURN(const NpyBytes array, ParseNpy(*file, path));
  if (array.shape != shape) {
    return Status(Code::kInvalidArgument,
                  path + ": expected uint8 pixels of shape " + Shape(shape) + ", found " + Shape(array.shape));
  }
  *pixels = array.data;
  return {};
}

Status Suite::ReadImage(const Case& entry, Pixels* pixels) const {
  std::string_view data;
  const auto height = static_cast<std::size_t>(entry.height), width = static_cast<std::size_t>(entry.width);
  SEGCORE_RETURN_IF_ERROR(Read(entry.image, {height, width, 3}, &pixels->file, &data));
  pixels->view = {reinterpret_cast<const std::uint8_t*>(data.data()), entry.width, entry.height, entry.width * 3,
                  PixelFormat::kRgb};
  return {};
}

Status Suite::Verify() const {
  for (const Case& entry : cases_) {
    const auto height = static_cast<std::size_t>(entry.height), width = static_cast<std::size_t>(entry.width);
    const auto check = [&](const Picture& picture, const std::vector<std::size_t>& shape) -> Status {
      std::string file;
      std::string_view pixels;
      SEGCORE_RETURN_IF_ERROR(Read(picture, shape, &file, &pixels));
      if (const std::string actual = Sha256::Of(pixels.data(), pixels.size()); actual != picture.sha256) {
        return Status(Code::kInvalidArgument, root_ + "/" + picture.file + ": the sha256 of its pixels is " + actual +
                                                  ", expected " + picture.sha256);
      }
      return {};
    };
    SEGCORE_RETURN_IF_ERROR(check(entry.image, {height, width, 3}));
    if (entry.mask) SEGCORE_RETURN_IF_ERROR(check(*entry.mask, {height, width}));
    if (entry.motion && entry.motion->unchanged) {
      SEGCORE_RETURN_IF_ERROR(check(*entry.motion->unchanged, {height, width}));
    }
  }
  return {};
}

}  // namespace segcore::bundle
