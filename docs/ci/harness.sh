#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The check of a model before a release, for any CI server: masks must agree; being slower is a warning.
#
#   harness.sh parity [OPTIONS…]        fails where a mask differs, or something could not run
#   harness.sh performance [OPTIONS…]   warns where something is slower; fails where it could not be measured
#
# OPTIONS go on to the harness. Settings, from the environment:
#
#   HARNESS_RUNTIMES   what is compared, the reference first    (default: keras tflite tflite:int8 core)
#   HARNESS_TIMED      what is timed, the reference first       (default: tflite core)
#   HARNESS_MODEL      model folder or file                     (default: the shipped model)
#   HARNESS_SUITE      suite's name or folder                   (default: portraits)
#   HARNESS_GATES      tolerances                               (default: the shipped ones)
#   HARNESS_BASELINE   name of a recorded baseline that what is timed is held against, instead of the first one
#   HARNESS_PROFILE    how long to time                         (default: quick)
#   HARNESS_OUT        where reports and junit.xml go           (default: harness-results)
set -u

verb=${1:-}
[ $# -gt 0 ] && shift
out=${HARNESS_OUT:-harness-results}/$verb
read -r -a runtimes <<< "${HARNESS_RUNTIMES:-keras tflite tflite:int8 core}"
read -r -a timed <<< "${HARNESS_TIMED:-tflite core}"
options=(--out "$out")
[ -n "${HARNESS_MODEL:-}" ] && options+=(--model "$HARNESS_MODEL")
[ -n "${HARNESS_SUITE:-}" ] && options+=(--suite "$HARNESS_SUITE")
[ -n "${HARNESS_GATES:-}" ] && options+=(--gates "$HARNESS_GATES")

case $verb in
  parity)
    command=(compare "${runtimes[@]}" --profile none) ;;
  performance)
    if [ -n "${HARNESS_BASELINE:-}" ]; then
      command=(baseline check "$HARNESS_BASELINE" "${timed[@]}")
    else
      command=(bench "${timed[@]}")
    fi
    command+=(--profile "${HARNESS_PROFILE:-quick}") ;;
  *)
    echo "usage: harness.sh parity|performance [OPTIONS…]" >&2
    exit 2 ;;
esac

status=0
harness "${command[@]}" "${options[@]}" "$@" || status=$?

if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$out/report.md" ]; then
  cat "$out/report.md" >> "$GITHUB_STEP_SUMMARY"
fi

# 3: the masks agree, and something is slower. On a shared machine that is a reason to look, not to stop.
if [ "$verb" = performance ] && [ "$status" = 3 ]; then
  message="slower than the gates allow: see $out/report.md"
  [ -n "${GITHUB_ACTIONS:-}" ] && echo "::warning title=Performance::$message" || echo "warning: $message" >&2
  exit 0
fi
exit "$status"
