#!/usr/bin/env bash
# The S3 backend of OpenTofu: a state, its lock, which is a conditional write, and its workspaces.
# Resources are only built-in ones, so that no provider is downloaded. Each function is a test.
. ./tap.sh
unset "${!TF_@}" # of this machine
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0
tofu() { "$PROGRAM" "$@" -no-color; }

# backend writes the configuration of the backend with the key $1 and the further line $2. The bucket is there, and
# may have the states of other runs.
backend() {
  cat >backend.tf <<END
terraform {
  backend "s3" {
    bucket                      = "$BUCKET"
    key                         = "$bucket/$1"
    region                      = "us-east-1"
    endpoints                   = { s3 = "$AWS_ENDPOINT_URL" }
    use_path_style              = true
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    ${2:-}
  }
}
END
}

# resource writes a resource with the value $1. Its provisioner runs the command $2.
resource() {
  cat >main.tf <<END
resource "terraform_data" "one" {
  input            = "$1"
  triggers_replace = ["$1"]
  provisioner "local-exec" {
    command = "${2:-true}"
  }
}
output "value" { value = terraform_data.one.output }
END
}

# begin applies a change in the background, which does not end before the file "running" is removed.
begin() {
  rm -f running
  resource "$1" "touch $work/running; while [ -e $work/running ]; do sleep 0.1; done"
  "$PROGRAM" apply -auto-approve -no-color >background 2>&1 &
  background=$!
  for _ in $(seq 200); do
    [ -e running ] && return 0
    sleep 0.1
  done
  cat background
  return 1
}

value() { [ "$(tofu output -raw value)" = "$1" ]; }

init() { backend deep/state.tfstate && resource first && tofu init; }

apply() { tofu apply -auto-approve && value first; }

apply_nothing_again() { tofu plan -detailed-exitcode && tofu apply -auto-approve | has '0 added, 0 changed, 0 destroyed'; }

apply_a_change() { resource second && tofu apply -auto-approve && value second; }

list_the_state() { [ "$(tofu state list)" = terraform_data.one ] && tofu state pull | has '"value": *"second"'; }

push_a_state_only_if_it_is_newer() {
  tofu state pull >pulled && sed 's/"serial": *[0-9]*/"serial": 0/' pulled >older && ! tofu state push older && tofu state push pulled
}

refuse_the_second_run_at_once() {
  begin third || return 1
  tofu apply -auto-approve >refused 2>&1
  local code=$?
  rm -f running
  wait $background || return 1
  cat refused
  [ $code != 0 ] && has 'Error acquiring the state lock' <refused && has PreconditionFailed <refused && value third
}

wait_for_the_lock() {
  begin fourth || return 1
  tofu plan -lock-timeout=60s >waited 2>&1 &
  local waiting=$!
  sleep 2
  kill -0 $waiting || return 1
  rm -f running
  wait $background && wait $waiting
}

unlock_after_a_kill() {
  begin fifth || return 1
  kill -9 $background
  wait $background
  rm -f running
  resource sixth
  tofu apply -auto-approve >refused 2>&1 && return 1
  local id
  id=$(sed -n 's/^[^A-Za-z]*ID: *\([0-9a-f-]*\).*/\1/p' refused)
  ! tofu force-unlock -force 00000000-0000-0000-0000-000000000000 && tofu force-unlock -force "$id" &&
    tofu apply -auto-approve && value sixth
}

keep_workspaces() {
  tofu workspace new two && resource other && tofu apply -auto-approve && value other &&
    [ "$(tofu workspace list | grep -c -E 'default|two')" = 2 ] && ! tofu workspace new two &&
    tofu workspace select default && resource sixth && value sixth && ! tofu workspace delete two &&
    tofu workspace select two && tofu destroy -auto-approve && tofu workspace select default && tofu workspace delete two &&
    ! tofu workspace list | has two
}

encrypt_the_state() {
  (mkdir encrypted && cd encrypted && backend encrypted.tfstate "encrypt = true" && resource secret &&
    tofu init && tofu apply -auto-approve && value secret)
}

migrate_from_a_local_state() {
  (mkdir migrated && cd migrated && resource moved && tofu init && tofu apply -auto-approve && backend migrated.tfstate &&
    tofu init -migrate-state -force-copy && value moved && tofu plan -detailed-exitcode && rm -f terraform.tfstate* &&
    value moved)
}

migrate_to_a_local_state() { (cd migrated && rm backend.tf && tofu init -migrate-state -force-copy && value moved); }

destroy() { tofu destroy -auto-approve && [ -z "$(tofu state list)" ]; }

leave_no_lock() { ! tofu force-unlock -force 00000000-0000-0000-0000-000000000000 && tofu plan; }

judge init apply apply_nothing_again apply_a_change list_the_state push_a_state_only_if_it_is_newer \
  refuse_the_second_run_at_once wait_for_the_lock unlock_after_a_kill keep_workspaces encrypt_the_state \
  migrate_from_a_local_state migrate_to_a_local_state destroy leave_no_lock
