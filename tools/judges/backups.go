package main

import (
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
	env := []string{
		"RESTIC_TEST_S3_REPOSITORY=s3:" + t.server.url + "/" + t.bucket("restic") + "/repository",
		"RESTIC_TEST_S3_KEY=" + t.server.main.key, "RESTIC_TEST_S3_SECRET=" + t.server.main.secret,
	}
	dir := filepath.Join(source, "internal", "backend", "s3")
	return t.goTests(ctx, dir, env, "-test.run", "^TestBackendS3$")
}

// runKopia runs kopia's tests for S3 with two buckets, one of which keeps versions.
func runKopia(ctx context.Context, t task) ([]result, error) {
	options := func(bucket string) string {
		text, _ := json.Marshal(map[string]any{
			"bucket":          bucket,
			"endpoint":        t.server.host(),
			"doNotUseTLS":     !t.server.tls(),
			"region":          "us-east-1",
			"accessKeyID":     t.server.main.key,
			"secretAccessKey": t.server.main.secret,
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
		"KOPIA_S3_TEST_ENDPOINT="+t.server.host(), "KOPIA_S3_TEST_REGION=us-east-1",
		"KOPIA_S3_TEST_ACCESS_KEY_ID="+t.server.main.key, "KOPIA_S3_TEST_SECRET_ACCESS_KEY="+t.server.main.secret,
		"KOPIA_S3_TEST_BUCKET="+t.bucket("kopia"), "KOPIA_S3_TEST_LOCKED_BUCKET="+t.bucket("kopia-locks"))
}

// makeBuckets creates the given buckets, and returns the client.
func (t task) makeBuckets(ctx context.Context, buckets ...string) (*minio.Client, error) {
	client, err := t.server.client()
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
	return t.goTests(ctx, t.dir, env, "-test.run", tests)
}
