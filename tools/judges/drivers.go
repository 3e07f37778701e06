package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// runDistribution runs the tests of the container registry's S3 driver. It leaves out a test with a
// file of 5 GiB, which is too large for a server in memory.
func runDistribution(ctx context.Context, t task) ([]result, error) {
	return t.runOnBucket(ctx, "distribution", func(bucket string) []string {
		return []string{
			"AWS_ACCESS_KEY=" + t.server.main.key, "AWS_SECRET_KEY=" + t.server.main.secret, "S3_BUCKET=" + bucket, "S3_ENCRYPT=false",
			"REGION_ENDPOINT=" + t.server.url, "S3_SECURE=" + strconv.FormatBool(t.server.tls()), "AWS_S3_FORCE_PATH_STYLE=true", "S3_ACCELERATE=false",
		}
	}, "-test.skip", "^TestS3DriverSuite$/^TestWriteReadLargeStreams$")
}

// runLitestream runs Litestream's tests of replicas in S3. Its tests of other stores are skipped,
// because they have no configuration.
func runLitestream(ctx context.Context, t task) ([]result, error) {
	env := func(bucket string) []string {
		return []string{
			"LITESTREAM_S3_ACCESS_KEY_ID=" + t.server.main.key, "LITESTREAM_S3_SECRET_ACCESS_KEY=" + t.server.main.secret, "LITESTREAM_S3_REGION=us-east-1",
			"LITESTREAM_S3_BUCKET=" + bucket, "LITESTREAM_S3_ENDPOINT=" + t.server.url, "LITESTREAM_S3_FORCE_PATH_STYLE=true",
		}
	}
	return t.runOnBucket(ctx, "litestream", env, "-integration", "-replica-clients", "s3", "-test.run", "^TestReplicaClient_")
}

// runObjstore runs the acceptance test of Thanos' S3 bucket. The test creates its own bucket.
func runObjstore(ctx context.Context, t task) ([]result, error) {
	return t.runOnBucket(ctx, "objstore", func(string) []string {
		return []string{
			"S3_ENDPOINT=" + t.server.host(), "S3_ACCESS_KEY=" + t.server.main.key, "S3_SECRET_KEY=" + t.server.main.secret, "S3_INSECURE=" + strconv.FormatBool(!t.server.tls()),
		}
	}, "-test.run", "^TestAcceptance")
}

// runOnBucket creates a bucket, and runs the compiled Go test of the suite on it. env returns the
// environment variables with which the test finds the bucket.
func (t task) runOnBucket(
	ctx context.Context, name string, env func(bucket string) []string, flags ...string,
) ([]result, error) {
	client, err := t.server.client()
	if err != nil {
		return nil, err
	}

	// Each version of the suite has its own bucket, whose name must not have a period.
	version := strings.ReplaceAll(strings.TrimPrefix(t.module.version, "v"), ".", "-")
	bucket := fmt.Sprintf("%s-%s", t.bucket(name), version)
	if err := makeBucket(ctx, client, bucket, false); err != nil {
		return nil, err
	}

	// The tests give the AWS SDK their own HTTP client, with which it refuses AWS_CA_BUNDLE. They trust
	// the certificate in SSL_CERT_FILE instead.
	vars := append(env(bucket), "AWS_CA_BUNDLE=")
	return t.goTests(ctx, t.dir, vars, flags...)
}
