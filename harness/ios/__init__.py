# SPDX-License-Identifier: Apache-2.0
"""Benchmarks on an iPhone, driven from a Mac: what is connected, the application's tests, the bundles they left.

``tools`` holds every command of Xcode's that is called; ``devices`` says which device is meant; ``benchmark`` puts them
together. What comes off a device is a stranger's bundle like any other, and goes through :mod:`harness.importing`.
"""
