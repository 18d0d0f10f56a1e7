#!/bin/bash
# Put a training, or all experiments of a sweep, into SLURM's queue; prints the number of the job.
#
#   slurm/enqueue.sh train CONFIG [--set KEY VALUE]… [-- SBATCH OPTIONS]
#   slurm/enqueue.sh sweep FILE [-- SBATCH OPTIONS]
#
#   slurm/enqueue.sh train configs/train/portrait.yaml -- --time=04:00:00 --gres=gpu:1
#   slurm/enqueue.sh sweep configs/train/sweep/width.yaml -- --time=02:00:00 --cpus-per-task=4
#
# Paths in settings and configurations are relative to the repository, where the job runs. Logs are in its logs/, or in
# the folder SEGMODEL_LOGS. A sweep's tasks run on as many nodes as there are; one training uses one machine.
set -euo pipefail

usage() {
  sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

root=$(cd "$(dirname "$0")/.." && pwd)
[[ $# -ge 2 && ($1 == train || $1 == sweep) ]] || usage
kind=$1 file=$2
shift 2
arguments=() options=()
while (($#)); do
  if [[ $1 == -- ]]; then
    shift
    options=("$@")
    break
  fi
  arguments+=("$1")
  shift
done
[[ -f $file ]] || { echo "enqueue.sh: $file: no such file" >&2; exit 2; }
file=$(realpath "$file")
[[ $kind == train || ${#arguments[@]} == 0 ]] || usage
command -v sbatch >/dev/null || { echo "enqueue.sh: no sbatch here: run this on a machine of the cluster" >&2; exit 2; }

PATH="$root/.venv/bin:$PATH"
export SEGMODEL_ROOT=$root
logs=${SEGMODEL_LOGS:-$root/logs}
mkdir -p "$logs"
if [[ $kind == sweep ]]; then
  count=$(cd "$root" && segmodel sweep list "$file" --count)
  sbatch --parsable --array="0-$((count - 1))" --output="$logs/%x-%A_%a.log" "${options[@]}" \
    "$root/slurm/train.sbatch" sweep "$file"
else
  # What is wrong with settings or data is told now, not by a job that has waited for hours.
  SEGMODEL_OUTPUT=$(cd "$root" && segmodel train --config "$file" "${arguments[@]}" --check)
  export SEGMODEL_OUTPUT
  sbatch --parsable --output="$logs/%x-%j.log" "${options[@]}" \
    "$root/slurm/train.sbatch" train --config "$file" "${arguments[@]}"
fi
