#!/usr/bin/env bash
# s3fs: a bucket as a directory, by FUSE. Each function is a test.
. ./tap.sh
if [ ! -w /dev/fuse ]; then
  echo "ok 1 - mount # SKIP /dev/fuse is missing"
  exit
fi
mkdir mounted
curl() { command curl -fsS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} --aws-sigv4 aws:amz:us-east-1:s3 -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"; }
trap 'umount -l "$work/mounted" 2>/dev/null; rm -rf --one-file-system "$work"' EXIT
tree

mount_a_bucket() {
  curl -X PUT "$AWS_ENDPOINT_URL/$bucket" &&
    CURL_CA_BUNDLE=${AWS_CA_BUNDLE:-} timeout 60 "$PROGRAM" "$bucket" mounted -o url="$AWS_ENDPOINT_URL",use_path_request_style,endpoint=us-east-1,multipart_size=5 && mountpoint -q mounted
}

write_and_read() { cp -r tree mounted/ && diff -r tree mounted/tree; }

see_it_in_the_store() { [ "$(curl "$AWS_ENDPOINT_URL/$bucket/tree/one")" = 1 ]; }

append_and_truncate() { echo 2 >>mounted/tree/one && [ "$(wc -l <mounted/tree/one)" = 2 ] && truncate -s 1 mounted/tree/one && [ "$(cat mounted/tree/one)" = 1 ]; }

change_in_the_middle() {
  printf changed | dd of=mounted/tree/large bs=1 seek=10000000 conv=notrunc && printf changed | dd of=tree/large bs=1 seek=10000000 conv=notrunc && cmp tree/large mounted/tree/large
}

rename() { mv mounted/tree/deep mounted/tree/deeper && diff -r tree/deep mounted/tree/deeper; }

keep_attributes() { chmod 600 mounted/tree/one && touch -d 2020-01-02T03:04:05Z mounted/tree/one && [ "$(stat -c %a-%Y mounted/tree/one)" = 600-1577934245 ]; }

link() { ln -s one mounted/tree/link && [ "$(cat mounted/tree/link)" = 1 ]; }

list_many() {
  mkdir mounted/many && for i in $(seq 50); do echo "$i" >"mounted/many/$i" || return; done
  [ "$(find mounted/many -type f | wc -l)" = 50 ]
}

remove() { rm -r mounted/tree mounted/many && [ -z "$(ls mounted)" ] && umount mounted && curl -X DELETE "$AWS_ENDPOINT_URL/$bucket"; }

judge mount_a_bucket write_and_read see_it_in_the_store append_and_truncate change_in_the_middle rename keep_attributes link list_many remove
