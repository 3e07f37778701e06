package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The benchmarks of transfers run only if both MinIO and rclone are there.
func TestJobsNeedMinIOAndRclone(t *testing.T) {
	t.Setenv(minioVariable, "")
	t.Setenv(rcloneVariable, "rclone")
	require.Empty(t, transferJobCases())
	t.Setenv(minioVariable, "http://127.0.0.1:9000")
	require.Len(t, transferJobCases(), 3)
	t.Setenv(rcloneVariable, "")
	require.Empty(t, transferJobCases())
}
