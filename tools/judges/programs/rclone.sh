#!/usr/bin/env bash
# The program rclone with the settings for a server that it does not know. Each function is a test.
. ./tap.sh
export RCLONE_CONFIG=$work/rclone.conf RCLONE_CONFIG_J_TYPE=s3 RCLONE_CONFIG_J_PROVIDER=Other RCLONE_CONFIG_J_ENDPOINT=$AWS_ENDPOINT_URL \
  RCLONE_CONFIG_J_ENV_AUTH=true RCLONE_CONFIG_J_REGION=us-east-1 RCLONE_CA_CERT=${AWS_CA_BUNDLE:-} RCLONE_RETRIES=1
unset AWS_CA_BUNDLE # which the AWS SDK cannot add to the transport of rclone
[ -n "$RCLONE_CA_CERT" ] || unset RCLONE_CA_CERT
: >rclone.conf
rclone() { "$PROGRAM" "$@"; }
tree

make_a_bucket() { rclone mkdir "j:$bucket" && rclone lsd j: | has "$bucket"; }

copy_and_check() { rclone copy tree "j:$bucket/tree" && rclone check tree "j:$bucket/tree" && rclone check --download tree "j:$bucket/tree"; }

copy_back() { rclone copy "j:$bucket/tree" back && rmdir tree/empty && diff -r tree back; }

keep_times() { touch -d 2020-01-02T03:04:05Z tree/one && rclone copy tree "j:$bucket/tree" && rclone lsl "j:$bucket/tree/one" | has 2020-01-02; }

copy_in_parts() {
  rclone copyto tree/large "j:$bucket/parts" --s3-upload-cutoff 5M --s3-chunk-size 5M && rclone copyto "j:$bucket/parts" parts.back && cmp tree/large parts.back
}

copy_by_the_server() { rclone copyto "j:$bucket/parts" "j:$bucket/parts copy ä" && [ "$(rclone md5sum "j:$bucket/parts copy ä" | cut -d ' ' -f 1)" = "$(md5sum <tree/large | cut -d ' ' -f 1)" ]; }

copy_standard_input() { echo streamed | rclone rcat "j:$bucket/stream" && [ "$(rclone cat "j:$bucket/stream")" = streamed ]; }

sync_removes() { rm "tree/deep/er/nothing" && rclone sync tree "j:$bucket/tree" && [ "$(rclone lsf -R --files-only "j:$bucket/tree" | wc -l)" = 3 ]; }

list_version_1() { [ "$(rclone lsf -R --files-only --s3-list-version 1 --s3-list-chunk 1 "j:$bucket/tree" | wc -l)" = 3 ]; }

list_version_2() { [ "$(rclone lsf -R --files-only --s3-list-version 2 --s3-list-chunk 1 "j:$bucket/tree" | wc -l)" = 3 ]; }

sign_a_url() { [ "$(curl -sS ${RCLONE_CA_CERT:+--cacert "$RCLONE_CA_CERT"} "$(rclone link --expire 1h "j:$bucket/stream")")" = streamed ]; }

move_and_remove() { rclone moveto "j:$bucket/stream" "j:$bucket/moved" && rclone deletefile "j:$bucket/moved" && ! rclone deletefile "j:$bucket/moved"; }

remove_everything() { rclone delete "j:$bucket" && rclone cleanup "j:$bucket" && rclone rmdir "j:$bucket"; }

judge make_a_bucket copy_and_check copy_back keep_times copy_in_parts copy_by_the_server copy_standard_input sync_removes list_version_1 \
  list_version_2 sign_a_url move_and_remove remove_everything
