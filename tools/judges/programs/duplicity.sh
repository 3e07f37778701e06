#!/usr/bin/env bash
# duplicity over boto3: full and incremental backups. Each function is a test.
. ./tap.sh
export PASSPHRASE=judged
duplicity() { "$PROGRAM" "$@"; }
url=boto3+s3://$bucket/backups
options=(--s3-endpoint-url "$AWS_ENDPOINT_URL" --s3-region-name us-east-1 --archive-dir "$work/archive" --no-encryption --volsize 5)
tree

make_a_bucket() {
  curl -fsS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} --aws-sigv4 aws:amz:us-east-1:s3 -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$AWS_ENDPOINT_URL/$bucket"
}

back_up() { duplicity full "${options[@]}" tree "$url"; }

back_up_changes() { echo 3 >tree/three && duplicity incremental "${options[@]}" tree "$url"; }

show_the_collection() { duplicity collection-status "${options[@]}" "$url" | has Incremental; }

verify() { duplicity verify "${options[@]}" --compare-data "$url" tree; }

restore() { duplicity restore "${options[@]}" "$url" back && diff -r tree back; }

restore_without_the_archive() { rm -rf archive && duplicity restore "${options[@]}" --file-to-restore three "$url" three.back && cmp tree/three three.back; }

remove_old_backups() { duplicity full "${options[@]}" tree "$url" && duplicity remove-all-but-n-full 1 --force "${options[@]}" "$url"; }

judge make_a_bucket back_up back_up_changes show_the_collection verify restore restore_without_the_archive remove_old_backups
