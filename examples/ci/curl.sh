#!/bin/sh
# The same with nothing but curl and jq: SPEC MODEL DATASET-ARCHIVE → model.onnx and report.html, exit codes as `lathe run`.
set -eu
spec=$1 model=$2 dataset=$3
: "${LATHE_URL:=http://127.0.0.1:8080}"

call() {
  curl -sS --fail-with-body ${LATHE_API_KEY:+-H "authorization: Bearer $LATHE_API_KEY"} "$@"
}

job=$(call "$LATHE_URL/v1/jobs" -F "spec=<$spec;type=application/json" -F "model=@$model" -F "dataset=@$dataset" | jq -er .id)
echo "$job" >&2

while :; do
  view=$(call "$LATHE_URL/v1/jobs/$job?wait=60")
  case $(echo "$view" | jq -r .status) in
    succeeded) break ;;
    failed) echo "$view" | jq -r .error.detail >&2; exit 3 ;;
    cancelled | expired) exit 5 ;;
  esac
done

for name in model.onnx report.html report.json; do
  call -o "$name" "$LATHE_URL/v1/jobs/$job/artifacts/$name"
done
echo "$view" | jq '{outcome, checks}'
[ "$(echo "$view" | jq -r .outcome)" = pass ] || exit 4
