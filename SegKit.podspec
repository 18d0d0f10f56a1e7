# SPDX-License-Identifier: Apache-2.0
# SegKit for CocoaPods. Swift Package Manager is the recommended way: docs/ios.md.
Pod::Spec.new do |spec|
  spec.name = 'SegKit'
  spec.version = '0.1.0'
  spec.summary = 'Portrait segmentation on the phone: the masks of Mobile UNet Harness, for Swift.'
  spec.homepage = 'https://example.com/mobile-unet-harness'  # never opened: the pod is taken by its path
  spec.license = { :type => 'Apache-2.0', :file => 'LICENSE' }
  spec.author = 'Mobile UNet Harness'
  spec.source = { :git => "#{spec.homepage}.git", :tag => "v#{spec.version}" }
  spec.ios.deployment_target = '15.0'
  spec.swift_versions = ['6.0']
  spec.source_files = 'ios/SegKit/*.swift'
  spec.dependency 'CSegCore', spec.version.to_s
end
