package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
)

// runRestic runs the tests of restic's backend for S3. restic makes the bucket.
func runRestic(ctx context.Context, t task) ([]result, error) {
	source, err := t.module.download(ctx)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	env := []string{
		"RESTIC_TEST_S3_REPOSITORY=s3:" + t.on.url + "/" + t.bucket("restic") + "/repository",
		"RESTIC_TEST_S3_KEY=" + t.on.main.key, "RESTIC_TEST_S3_SECRET=" + t.on.main.secret,
	}
	dir := filepath.Join(source, "internal", "backend", "s3")
	if err := t.command(ctx, dir, env, &out, t.prepared, "-test.v", "-test.timeout", testTimeout, "-test.run", "^TestBackendS3$"); err != nil {
		return nil, err
	}
	return readGoTests(out.Bytes()), nil
}

// runKopia runs kopia's tests of a bucket and of one with versions.
func runKopia(ctx context.Context, t task) ([]result, error) {
	options := func(bucket string) string {
		text, _ := json.Marshal(map[string]any{
			"bucket": bucket, "endpoint": t.on.host(), "doNotUseTLS": !t.on.tls(), "region": "us-east-1",
			"accessKeyID": t.on.main.key, "secretAccessKey": t.on.main.secret,
		})
		return string(text)
	}
	const tests = "^Test(S3StorageProviders|GetBlob.*|GetDifferent.*|GetVersion.*|SingleBlob.*|ListMultiple.*)$/^S3(-Versioned)?$"
	return t.kopia(ctx, tests, "KOPIA_S3_CREDS="+options(t.bucket("kopia")), "KOPIA_S3_VERSIONED_CREDS="+options(t.bucket("kopia-versions")))
}

// runKopiaLocks runs kopia's tests of a bucket with locks and of one without, which need TLS.
func runKopiaLocks(ctx context.Context, t task) ([]result, error) {
	return t.kopia(ctx, "^Test(S3StorageAWS|S3StorageRetention.*|NeedMD5AWS)$", "KOPIA_PROVIDER_TEST=1",
		"KOPIA_S3_TEST_ENDPOINT="+t.on.host(), "KOPIA_S3_TEST_REGION=us-east-1",
		"KOPIA_S3_TEST_ACCESS_KEY_ID="+t.on.main.key, "KOPIA_S3_TEST_SECRET_ACCESS_KEY="+t.on.main.secret,
		"KOPIA_S3_TEST_BUCKET="+t.bucket("kopia"), "KOPIA_S3_TEST_LOCKED_BUCKET="+t.bucket("kopia-locks"))
}

// kopia makes the buckets and runs the tests that match a pattern.
func (t task) kopia(ctx context.Context, tests string, env ...string) ([]result, error) {
	client, err := t.on.client()
	if err != nil {
		return nil, err
	}
	versions, locks := t.bucket("kopia-versions"), t.bucket("kopia-locks")
	for _, bucket := range []string{t.bucket("kopia"), versions, locks} {
		if err := makeBucket(ctx, client, bucket, bucket == locks); err != nil {
			return nil, err
		}
	}
	if err := client.EnableVersioning(ctx, versions); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.command(ctx, t.dir, env, &out, t.prepared, "-test.v", "-test.timeout", testTimeout, "-test.run", tests); err != nil {
		return nil, err
	}
	return readGoTests(out.Bytes()), nil
}
