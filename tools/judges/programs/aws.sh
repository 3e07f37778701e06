#!/usr/bin/env bash
# The AWS command line with its default settings. Each function is a test.
. ./tap.sh
aws() { "$PROGRAM" --endpoint-url "$AWS_ENDPOINT_URL" "$@"; } # versions before 2.13 do not know the variable

make_a_bucket() { aws s3 mb "s3://$bucket"; }

copy_a_file_up_and_down() {
  echo hello >small
  aws s3 cp small "s3://$bucket/small" --metadata camera=x100 && aws s3 cp "s3://$bucket/small" small.back && cmp small small.back
}

copy_a_large_file_in_parts() {
  head -c 20000000 /dev/urandom >large
  aws s3 cp large "s3://$bucket/large" && aws s3 cp "s3://$bucket/large" large.back && cmp large large.back
}

copy_standard_input_and_output() {
  echo streamed | aws s3 cp - "s3://$bucket/stream" && [ "$(aws s3 cp "s3://$bucket/stream" -)" = streamed ]
}

sync_a_directory() {
  mkdir -p tree/deep && echo 1 >tree/one && echo 2 >"tree/deep/two ä+"
  aws s3 sync tree "s3://$bucket/tree" && aws s3 sync "s3://$bucket/tree" tree.back && diff -r tree tree.back &&
    [ -z "$(aws s3 sync tree "s3://$bucket/tree")" ]
}

list() {
  [ "$(aws s3 ls "s3://$bucket/tree/" | wc -l)" = 2 ] && [ "$(aws s3 ls --recursive "s3://$bucket/tree/" | wc -l)" = 2 ]
}

head_an_object() {
  [ "$(aws s3api head-object --bucket "$bucket" --key small --query Metadata.camera --output text)" = x100 ]
}

fail_on_a_missing_object() {
  ! aws s3api get-object --bucket "$bucket" --key missing nowhere 2>error && grep -q NoSuchKey error
}

list_version_1() {
  [ "$(aws s3api list-objects --bucket "$bucket" --prefix tree/ --query 'length(Contents)')" = 2 ]
}

keep_tags() {
  aws s3api put-object-tagging --bucket "$bucket" --key small --tagging 'TagSet=[{Key=a,Value=1}]' &&
    [ "$(aws s3api get-object-tagging --bucket "$bucket" --key small --query 'TagSet[0].Value' --output text)" = 1 ]
}

keep_versions() {
  aws s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled &&
    aws s3api put-object --bucket "$bucket" --key small --body large >/dev/null &&
    [ "$(aws s3api list-object-versions --bucket "$bucket" --prefix small --query 'length(Versions)')" = 2 ] &&
    aws s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Suspended
}

sign_a_url() {
  [ "$(curl -sS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} "$(aws s3 presign "s3://$bucket/stream")")" = streamed ]
}

move_and_remove() {
  aws s3 mv "s3://$bucket/stream" "s3://$bucket/moved" && aws s3 rm "s3://$bucket/moved" && ! aws s3 ls "s3://$bucket/moved"
}

judge make_a_bucket copy_a_file_up_and_down copy_a_large_file_in_parts copy_standard_input_and_output \
  sync_a_directory list head_an_object fail_on_a_missing_object list_version_1 keep_tags sign_a_url move_and_remove \
  keep_versions
