// SPDX-License-Identifier: Apache-2.0
// Stands for a LiteRT from before the interface that the core knows: it has the first function, and not the newest.
extern "C" __attribute__((visibility("default"))) int LiteRtCreateEnvironment(int, const void*, void**) { return 9; }
