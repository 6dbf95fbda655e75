#!/usr/bin/env bash
# Test the integrations, and real clients against the server, each with the newest package in an environment of its own.
#
#     scripts/test_integrations.sh              all of them
#     scripts/test_integrations.sh dspy cohere  some
#
# The environments stay in .venv-integrations/; remove one to have it made with newer packages.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A PACKAGES=(
  [langchain]="langchain-core langchain-cohere"
  [llama-index]="llama-index-core"
  [haystack]="haystack-ai"
  [pyterrier]="pyterrier"
  [dspy]="dspy"
  [cohere]="cohere voyageai"
  [litellm]="litellm"
  [infinity]="infinity_client"
)
declare -A TESTS=(
  [langchain]="tests/integrations/test_langchain_compressor.py tests/serve/test_real_clients.py"
  [llama-index]="tests/integrations/test_llama_index_postprocessor.py"
  [haystack]="tests/integrations/test_haystack_ranker.py"
  [pyterrier]="tests/integrations/test_pyterrier_transformer.py"
  [dspy]="tests/integrations/test_dspy_reranker.py"
  [cohere]="tests/serve/test_real_clients.py"
  [litellm]="tests/serve/test_real_clients.py"
  [infinity]="tests/serve/test_real_clients.py"
)
PYTHON=${PYTHON:-python3}
export OMP_NUM_THREADS=1 PIP_DISABLE_PIP_VERSION_CHECK=1

environment() {  # make it unless it is there, whole
  local folder=.venv-integrations/$1
  [[ -e $folder/installed ]] && return
  rm -rf "$folder"
  "$PYTHON" -m venv "$folder"
  # shellcheck disable=SC2086 # a list of packages
  "$folder/bin/python" -m pip install --quiet -e '.[serve]' httpx hypothesis pytest pytest-timeout ${PACKAGES[$1]}
  touch "$folder/installed"
}

failed=()
for name in "${@:-langchain llama-index haystack pyterrier dspy cohere litellm infinity}"; do
  for each in $name; do
    [[ -v PACKAGES[$each] ]] || { echo "no integration called '$each'; known: ${!PACKAGES[*]}" >&2; exit 2; }
    began=$SECONDS
    environment "$each"
    made=$((SECONDS - began))
    # Warnings of frameworks are theirs; -W stands above the configuration, in which every warning is an error.
    # shellcheck disable=SC2086 # a list of files
    .venv-integrations/"$each"/bin/python -m pytest -q -W default -p no:cacheprovider ${TESTS[$each]} || failed+=("$each")
    for package in ${PACKAGES[$each]}; do
      .venv-integrations/"$each"/bin/python -c "from importlib.metadata import version; print('$package', version('$package'))"
    done
    echo "$each: environment $made s, tests $((SECONDS - began - made)) s"
  done
done
[[ ${#failed[@]} -eq 0 ]] || { echo "failed: ${failed[*]}" >&2; exit 1; }
