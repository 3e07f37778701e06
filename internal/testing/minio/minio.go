// Package minio has the configuration for tests on a MinIO server, and says which cases of the
// conformance suite cannot run on it.
package minio

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
)

// Config returns the configuration, without a bucket, for the server that tools/testservers has
// started.
func Config(t *testing.T) s3.Config {
	t.Helper()
	profile, ok := s3.NamedProfile("minio")
	require.True(t, ok)
	return s3.Config{
		Endpoint:    testserver.Need(t, "OMNIBUCKET_TEST_MINIO"),
		Region:      "us-east-1",
		Profile:     &profile,
		AccessKeyID: testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"),
		SecretKey:   testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"),
	}
}

const noKeyBelowAKey = "the server keeps objects as files: it cannot hold a beside a/b"

// Skipped has the reason for each case of the conformance suite that does not run on MinIO. In
// these cases MinIO differs from S3.
var Skipped = map[string]string{
	"a key and keys below it coexist":                 noKeyBelowAKey,
	"an object beside its folder":                     noKeyBelowAKey,
	"removing one object leaves its neighbours":       noKeyBelowAKey,
	"keys are in byte order":                          noKeyBelowAKey,
	"common prefixes are listed among the keys":       noKeyBelowAKey,
	"prefix, delimiter and start are taken literally": noKeyBelowAKey,
	"reads accept empty segments":                     "the server refuses a//b as a name (400 XMinioInvalidObjectName)",
}
