#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A build phase of RTIOS: copies what ios/scripts/resources.py has made into the application.
set -eu
target="$TARGET_BUILD_DIR/$UNLOCALIZED_RESOURCES_FOLDER_PATH"
for folder in Suites Models; do
  if [ ! -d "$SRCROOT/Resources/$folder" ]; then
    echo "error: ios/Resources/$folder is missing; run: python ios/scripts/resources.py (docs/ios.md)" >&2
    exit 1
  fi
  rm -rf "${target:?}/$folder"
  mkdir -p "$target"
  cp -R "$SRCROOT/Resources/$folder" "$target/$folder"
done
