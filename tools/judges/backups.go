package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/minio/minio-go/v7"
)

// runRestic runs the tests of restic's backend for S3. The tests create the bucket.
func runRestic(ctx context.Context, t task) ([]result, error) {
	source, err := t.module.download(ctx)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	env := []string{
		"RESTIC_TEST_S3_REPOSITORY=s3:" + t.on.url + "/" + t.bucket("restic") + "/repository",
		"RESTIC_TEST_S3_KEY=" + t.on.main.key, "RESTIC_TEST_S3_SECRET=" + t.on.main.secret,
	}
	dir := filepath.Join(source, "internal", "backend", "s3")
	if err := t.command(ctx, dir, env, &buf, t.prepared, "-test.v", "-test.timeout", testTimeout, "-test.run", "^TestBackendS3$"); err != nil {
		return nil, err
	}
	return readGoTests(buf.Bytes()), nil
}

// runKopia runs kopia's tests for S3 with two buckets, one of which keeps versions.
func runKopia(ctx context.Context, t task) ([]result, error) {
	options := func(bucket string) string {
		text, _ := json.Marshal(map[string]any{
			"bucket":          bucket,
			"endpoint":        t.on.host(),
			"doNotUseTLS":     !t.on.tls(),
			"region":          "us-east-1",
			"accessKeyID":     t.on.main.key,
			"secretAccessKey": t.on.main.secret,
		})
		return string(text)
	}
	const tests = "^Test(S3StorageProviders|GetBlob.*|GetDifferent.*|GetVersion.*|SingleBlob.*|ListMultiple.*)$/^S3(-Versioned)?$"
	versions := t.bucket("kopia-versions")
	client, err := t.makeBuckets(ctx, t.bucket("kopia"), versions)
	if err != nil {
		return nil, err
	}
	env := []string{"KOPIA_S3_CREDS=" + options(t.bucket("kopia"))}

	// A gateway in front of Azure refuses this call, because Azure can only enable versions for a
	// whole account. The tests of versions are then skipped.
	err = client.EnableVersioning(ctx, versions)
	if minio.ToErrorResponse(err).Code == "NotImplemented" {
		return t.kopia(ctx, tests, env...)
	}
	if err != nil {
		return nil, err
	}
	env = append(env, "KOPIA_S3_VERSIONED_CREDS="+options(versions))
	return t.kopia(ctx, tests, env...)
}

// runKopiaLocks runs kopia's tests for S3 with two buckets, one of which has object lock. These
// tests need TLS.
func runKopiaLocks(ctx context.Context, t task) ([]result, error) {
	if _, err := t.makeBuckets(ctx, t.bucket("kopia"), t.bucket("kopia-locks")); err != nil {
		return nil, err
	}
	return t.kopia(ctx, "^Test(S3StorageAWS|S3StorageRetention.*|NeedMD5AWS)$", "KOPIA_PROVIDER_TEST=1",
		"KOPIA_S3_TEST_ENDPOINT="+t.on.host(), "KOPIA_S3_TEST_REGION=us-east-1",
		"KOPIA_S3_TEST_ACCESS_KEY_ID="+t.on.main.key, "KOPIA_S3_TEST_SECRET_ACCESS_KEY="+t.on.main.secret,
		"KOPIA_S3_TEST_BUCKET="+t.bucket("kopia"), "KOPIA_S3_TEST_LOCKED_BUCKET="+t.bucket("kopia-locks"))
}

// makeBuckets creates the given buckets, and returns the client.
func (t task) makeBuckets(ctx context.Context, buckets ...string) (*minio.Client, error) {
	client, err := t.on.client()
	if err != nil {
		return nil, err
	}
	for _, bucket := range buckets {
		if err := makeBucket(ctx, client, bucket, bucket == t.bucket("kopia-locks")); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// kopia runs the tests of kopia whose names match a pattern.
func (t task) kopia(ctx context.Context, tests string, env ...string) ([]result, error) {
	var buf bytes.Buffer
	if err := t.command(ctx, t.dir, env, &buf, t.prepared, "-test.v", "-test.timeout", testTimeout, "-test.run", tests); err != nil {
		return nil, err
	}
	return readGoTests(buf.Bytes()), nil
}
