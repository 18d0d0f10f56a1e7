# SPDX-License-Identifier: Apache-2.0
# The core for CocoaPods: its C interface, which SegKit is made of. LiteRT has to be fetched first: docs/ios.md.
Pod::Spec.new do |spec|
  spec.name = 'CSegCore'
  spec.version = '0.1.0'
  spec.summary = 'The C++ core of Mobile UNet Harness, by its C interface.'
  spec.homepage = 'https://example.com/mobile-unet-harness'  # never opened: the pod is taken by its path
  spec.license = { :type => 'Apache-2.0', :file => 'LICENSE' }
  spec.author = 'Mobile UNet Harness'
  spec.source = { :git => "#{spec.homepage}.git", :tag => "v#{spec.version}" }
  spec.ios.deployment_target = '15.0'
  spec.source_files = 'core/include/segcore/*.h', 'core/src/**/*.{h,cc}'
  spec.public_header_files = 'core/include/segcore/c_api.h'
  spec.header_mappings_dir = 'core/include'
  spec.module_map = 'ios/CSegCore.modulemap'
  spec.libraries = 'c++'
  # Without the accelerator: a pod embeds frameworks only, and that is a library.
  spec.vendored_frameworks = 'ios/Frameworks/CLiteRT.xcframework'
  spec.pod_target_xcconfig = {
    'CLANG_CXX_LANGUAGE_STANDARD' => 'c++17',
    'GCC_PREPROCESSOR_DEFINITIONS' => "$(inherited) SEGCORE_LITERT_LINKED=1 SEGCORE_VERSION='\"#{spec.version}\"'",
    'HEADER_SEARCH_PATHS' => '"$(PODS_TARGET_SRCROOT)/core/include" "$(PODS_TARGET_SRCROOT)/core/src"',
    'USE_HEADERMAP' => 'NO',
  }
end
