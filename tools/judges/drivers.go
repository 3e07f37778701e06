package main

import (
	"bytes"
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
			"AWS_ACCESS_KEY=" + t.on.main.key, "AWS_SECRET_KEY=" + t.on.main.secret, "S3_BUCKET=" + bucket, "S3_ENCRYPT=false",
			"REGION_ENDPOINT=" + t.on.url, "S3_SECURE=" + strconv.FormatBool(t.on.tls()), "AWS_S3_FORCE_PATH_STYLE=true", "S3_ACCELERATE=false",
		}
	}, "-test.skip", "^TestS3DriverSuite$/^TestWriteReadLargeStreams$")
}

// runLitestream runs Litestream's tests of replicas in S3. Its tests of other stores are skipped,
// because they have no configuration.
func runLitestream(ctx context.Context, t task) ([]result, error) {
	env := func(bucket string) []string {
		return []string{
			"LITESTREAM_S3_ACCESS_KEY_ID=" + t.on.main.key, "LITESTREAM_S3_SECRET_ACCESS_KEY=" + t.on.main.secret, "LITESTREAM_S3_REGION=us-east-1",
			"LITESTREAM_S3_BUCKET=" + bucket, "LITESTREAM_S3_ENDPOINT=" + t.on.url, "LITESTREAM_S3_FORCE_PATH_STYLE=true",
		}
	}
	return t.runOnBucket(ctx, "litestream", env, "-integration", "-replica-clients", "s3", "-test.run", "^TestReplicaClient_")
}

// runObjstore runs the acceptance test of Thanos' S3 bucket. The test creates its own bucket.
func runObjstore(ctx context.Context, t task) ([]result, error) {
	return t.runOnBucket(ctx, "objstore", func(string) []string {
		return []string{
			"S3_ENDPOINT=" + t.on.host(), "S3_ACCESS_KEY=" + t.on.main.key, "S3_SECRET_KEY=" + t.on.main.secret, "S3_INSECURE=" + strconv.FormatBool(!t.on.tls()),
		}
	}, "-test.run", "^TestAcceptance")
}

// runOnBucket creates a bucket, and runs the compiled Go test of the suite with the variables of env.
// The tests give the AWS SDK their own HTTP client. With such a client, the SDK refuses
// AWS_CA_BUNDLE, so runOnBucket clears that variable. The tests trust the certificate in SSL_CERT_FILE
// instead.
func (t task) runOnBucket(
	ctx context.Context, name string, env func(bucket string) []string, args ...string,
) ([]result, error) {
	client, err := t.on.client()
	if err != nil {
		return nil, err
	}
	// Each version of the suite has its own bucket, whose name must not have a period.
	version := strings.ReplaceAll(strings.TrimPrefix(t.module.version, "v"), ".", "-")
	bucket := fmt.Sprintf("%s-%s", t.bucket(name), version)
	if err := makeBucket(ctx, client, bucket, false); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	args = append([]string{"-test.v", "-test.timeout", testTimeout}, args...)
	if err := t.command(ctx, t.dir, append(env(bucket), "AWS_CA_BUNDLE="), &buf, t.prepared, args...); err != nil {
		return nil, err
	}
	return readGoTests(buf.Bytes()), nil
}
