// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "litert/library.h"
#include "litert/status.h"

namespace segcore::litert {
namespace {

namespace fs = std::filesystem;

/// The installed library, as every other test uses it.
const Library& Installed() {
  const Expected<const Library*> library = Load("");
  if (!library.ok()) {
    ADD_FAILURE() << library.status().message();
    abort();
  }
  return *library.value();
}

/// A folder of its own for a test.
class Folder : public testing::Test {
 protected:
  Folder() {
    std::string name = testing::TempDir() + "segcore-XXXXXX";
    path = mkdtemp(&name[0]);
  }
  ~Folder() override { fs::remove_all(path); }

  /// A package as pip lays it out: the library and what tells its release.
  fs::path Package(const fs::path& packages, const fs::path& library, const std::string& release) const {
    fs::create_directories(packages / "ai_edge_litert");
    fs::create_directories(packages / ("ai_edge_litert-" + release + ".dist-info"));
    const fs::path to = packages / "ai_edge_litert" / "libLiteRt.so";
    fs::create_symlink(library, to);
    return to;
  }

  fs::path path;
};

using LiteRtLibrary = Folder;

TEST_F(LiteRtLibrary, HasEveryFunctionThatIsDeclared) {
  const Library& library = Installed();
  void* handle = dlopen(library.path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(handle, nullptr) << library.path;
#define SEGCORE_LITERT_EXPECT(name)              \
  EXPECT_NE(library.api.name, nullptr) << #name; \
  EXPECT_EQ(reinterpret_cast<void*>(library.api.name), dlsym(handle, "LiteRt" #name)) << #name;
  SEGCORE_LITERT_FUNCTIONS(SEGCORE_LITERT_EXPECT)
#undef SEGCORE_LITERT_EXPECT
}

TEST_F(LiteRtLibrary, IsLoadedOncePerPath) {
  const Library& library = Installed();
  const Expected<const Library*> again = Load(library.path);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again.value(), Load(library.path).value());
}

TEST_F(LiteRtLibrary, OneThatIsNamedMustBeThere) {
  const Expected<const Library*> library = Load((path / "none.so").string());
  ASSERT_FALSE(library.ok());
  EXPECT_EQ(library.status().code(), Code::kNotFound);
  EXPECT_NE(library.status().message().find("none.so"), std::string::npos);
  EXPECT_NE(library.status().message().find("litert_library"), std::string::npos) << "who named it";
}

TEST_F(LiteRtLibrary, IsFoundInTheActiveEnvironment) {
  const fs::path library = Package(path / "lib/python3.12/site-packages", Installed().path, "2.9.1");
  const Expected<const Library*> found = Load(Places{"", "", path.string(), {}});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(found.value()->path, library.string());
  EXPECT_EQ(found.value()->version, "2.9.1");
}

TEST_F(LiteRtLibrary, IsFoundAboveTheProgram) {
  const fs::path library = Package(path / "lib/python3.12/site-packages", Installed().path, "2.9.2");
  const Expected<const Library*> found = Load(Places{"", "", "", {(path / "bin/program").string()}});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(found.value()->path, library.string());
}

TEST_F(LiteRtLibrary, IsFoundInTheSitePackagesThatAnExtensionModuleLiesIn) {
  const fs::path library = Package(path / "packages", Installed().path, "2.9.3");
  const Expected<const Library*> found = Load(Places{"", "", "", {(path / "packages/segcore/core.so").string()}});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(found.value()->path, library.string());
}

TEST_F(LiteRtLibrary, IsFoundInTheEnvironmentOfACheckout) {
  const fs::path library = Package(path / ".venv/lib/python3.12/site-packages", Installed().path, "2.9.4");
  const Expected<const Library*> found = Load(Places{"", "", "", {(path / "core/build/tools/program").string()}});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(found.value()->path, library.string());
}

TEST_F(LiteRtLibrary, TheErrorListsEveryPlace) {
  const fs::path environment = path / "environment", program = path / "bin/program", module = path / "m/core.so";
  const Expected<const Library*> library =
      Load(Places{"", "", environment.string(), {program.string(), module.string()}});
  if (library.ok()) GTEST_SKIP() << "one is loaded already, or the system's own: " << library.value()->path;
  EXPECT_EQ(library.status().code(), Code::kNotFound);
  for (const std::string& place :
       {std::string("SEGCORE_LITERT_LIBRARY"), environment.string(), program.string(), module.string(),
        std::string("the system's libraries"), std::string("pip install")}) {
    EXPECT_NE(library.status().message().find(place), std::string::npos)
        << place << " in " << library.status().message();
  }
}

TEST_F(LiteRtLibrary, AnOldReleaseIsRefusedBeforeItIsLoaded) {
  for (const std::string release : {"2.1.6", "2.0.3", "1.4.0"}) {
    const fs::path environment = path / release;
    std::ofstream(path / "no-library") << "loading this would give another error";
    Package(environment / "lib/python3.12/site-packages", path / "no-library", release);
    const Expected<const Library*> library = Load(Places{"", "", environment.string(), {}});
    ASSERT_FALSE(library.ok());
    EXPECT_EQ(library.status().code(), Code::kUnsupported);
    EXPECT_NE(library.status().message().find("LiteRT " + release + " is too old"), std::string::npos)
        << library.status().message();
  }
}

TEST_F(LiteRtLibrary, AnOldLibraryIsRefusedWithoutItsPackageToo) {
  const Expected<const Library*> library = Load(SEGCORE_OLD_LITERT);
  ASSERT_FALSE(library.ok());
  EXPECT_EQ(library.status().code(), Code::kUnsupported);
  EXPECT_NE(library.status().message().find("too old"), std::string::npos) << library.status().message();
}

TEST_F(LiteRtLibrary, WhatIsNoLibraryIsRefused) {
  std::ofstream(path / "text.so") << "text";
  const Expected<const Library*> library = Load((path / "text.so").string());
  ASSERT_FALSE(library.ok());
  EXPECT_EQ(library.status().code(), Code::kUnsupported);
  EXPECT_NE(library.status().message().find("text.so"), std::string::npos);
}

TEST(LiteRtAccelerators, AreLookedForBesideTheLibraryOrItsFramework) {
  EXPECT_EQ(AcceleratorFolder("/venv/ai_edge_litert/libLiteRt.so"), "/venv/ai_edge_litert");
  EXPECT_EQ(AcceleratorFolder("/RTIOS.app/Frameworks/CLiteRT.framework/CLiteRT"), "/RTIOS.app/Frameworks");
  EXPECT_EQ(AcceleratorFolder("libLiteRt.so"), "");
}

TEST(LiteRtStatus, EveryErrorSaysWhatWasTriedAndWhy) {
  EXPECT_TRUE(Check(0, "run the model").ok());
  EXPECT_EQ(Check(3, "run the model").message(), "LiteRT cannot run the model: runtime failure (status 3)");
  EXPECT_EQ(Check(504, "compile the model").code(), Code::kRuntime);
  EXPECT_EQ(Describe(12345), "status 12345");
}

}  // namespace
}  // namespace segcore::litert
