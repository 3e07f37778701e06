//go:build omnibucket_sdks

package main

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// moreResident is how much more memory the program may have resident while it serves large files,
// in MiB. The size of the files must not matter.
const moreResident = 128

// residentMemory returns the most memory that the process had resident since it was called with
// reset, in MiB. Only Linux tells; elsewhere it returns 0.
func residentMemory(t *testing.T, reset bool) int64 {
	t.Helper()
	if reset {
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}

	_, rest, ok := bytes.Cut(status, []byte("VmHWM:"))
	require.True(t, ok)
	kib, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	require.NoError(t, err)
	return kib >> 10
}
