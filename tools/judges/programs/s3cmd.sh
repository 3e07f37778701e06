#!/usr/bin/env bash
# s3cmd: buckets, files, parts, listings, access lists, websites. Each function is a test.
. ./tap.sh
secure=False
[[ $AWS_ENDPOINT_URL == https:* ]] && secure=True
cat >s3cfg <<END
[default]
host_base = $host
host_bucket = $host
use_https = $secure
ca_certs_file = ${AWS_CA_BUNDLE:-}
check_ssl_certificate = True
signurl_use_https = $secure
access_key = $AWS_ACCESS_KEY_ID
secret_key = $AWS_SECRET_ACCESS_KEY
multipart_chunk_size_mb = 5
END
s3cmd() { "$PROGRAM" -c "$work/s3cfg" --no-progress "$@"; }
tree

make_a_bucket() { s3cmd mb "s3://$bucket" && s3cmd ls | has "s3://$bucket$"; }

put_and_get() {
  s3cmd put tree/one "s3://$bucket/a/one" --add-header=x-amz-meta-camera:x100 --mime-type=text/x-test &&
    s3cmd get "s3://$bucket/a/one" one.back && cmp tree/one one.back && s3cmd info "s3://$bucket/a/one" >info &&
    grep -q 'text/x-test' info && grep -q 'x-amz-meta-camera: x100' info
}

put_in_parts() { s3cmd put tree/large "s3://$bucket/large" && s3cmd get "s3://$bucket/large" large.back && cmp tree/large large.back; }

put_standard_input() { echo streamed | s3cmd put - "s3://$bucket/stream" && [ "$(s3cmd get "s3://$bucket/stream" - 2>/dev/null)" = streamed ]; }

sync_a_directory() {
  mkdir back && s3cmd sync tree/ "s3://$bucket/tree/" && s3cmd sync "s3://$bucket/tree/" back/ && rmdir tree/empty && diff -r tree back &&
    [ -z "$(s3cmd sync tree/ "s3://$bucket/tree/" | grep '^upload')" ]
}

list() { [ "$(s3cmd ls "s3://$bucket/tree/" | wc -l)" = 3 ] && [ "$(s3cmd ls -r "s3://$bucket/tree/" | wc -l)" = 4 ] && s3cmd du "s3://$bucket" ; }

copy_and_move() {
  s3cmd cp "s3://$bucket/a/one" "s3://$bucket/copy" && s3cmd mv "s3://$bucket/copy" "s3://$bucket/moved ä" &&
    s3cmd ls "s3://$bucket/moved ä" | has moved && ! s3cmd info "s3://$bucket/copy"
}

modify_metadata() { s3cmd modify --add-header=x-amz-meta-color:blue "s3://$bucket/a/one" && s3cmd info "s3://$bucket/a/one" | has 'x-amz-meta-color: blue'; }

make_an_object_public() {
  s3cmd setacl --acl-public "s3://$bucket/a/one" && curl -fsS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} "$AWS_ENDPOINT_URL/$bucket/a/one" &&
    s3cmd setacl --acl-private "s3://$bucket/a/one" && ! curl -fsS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} "$AWS_ENDPOINT_URL/$bucket/a/one"
}

sign_a_url() { [ "$(curl -sS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} "$(s3cmd signurl "s3://$bucket/stream" +600)")" = streamed ]; }

make_a_website() { s3cmd ws-create "s3://$bucket" && s3cmd ws-info "s3://$bucket" | has index.html && s3cmd ws-delete "s3://$bucket"; }

keep_settings() {
  printf '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/public/*"}]}' "$bucket" >policy &&
    s3cmd setpolicy policy "s3://$bucket" && s3cmd info "s3://$bucket" | has GetObject && s3cmd delpolicy "s3://$bucket" &&
    s3cmd expire --expiry-days=7 --expiry-prefix=old/ "s3://$bucket" && s3cmd getlifecycle "s3://$bucket" | has old/ && s3cmd dellifecycle "s3://$bucket"
}

keep_versions_and_tags() {
  s3cmd --help | has setversioning || return 0 # 2.3 has it
  s3cmd setversioning "s3://$bucket" enable && s3cmd setversioning "s3://$bucket" disable
}

show_uploads() { s3cmd multipart "s3://$bucket"; }

fail_on_a_missing_object() { ! s3cmd get "s3://$bucket/missing" nowhere; }

remove() { s3cmd del "s3://$bucket/a/one" && s3cmd del -r -f "s3://$bucket/tree/" && s3cmd rb -r -f "s3://$bucket" && ! s3cmd ls "s3://$bucket"; }

judge make_a_bucket put_and_get put_in_parts put_standard_input sync_a_directory list copy_and_move modify_metadata \
  make_an_object_public sign_a_url make_a_website keep_settings keep_versions_and_tags show_uploads fail_on_a_missing_object remove
