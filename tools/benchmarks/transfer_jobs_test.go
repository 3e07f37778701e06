package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJobsNeedMinIOAndRclone(t *testing.T) {
	t.Setenv(minioVariable, "")
	t.Setenv(rcloneVariable, "rclone")
	require.Empty(t, transferJobCases())
	t.Setenv(minioVariable, "http://127.0.0.1:9000")
	require.Len(t, transferJobCases(), 3)
}
