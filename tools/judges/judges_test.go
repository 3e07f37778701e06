package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClients runs the suites that take little time. "make s3api" runs all of them.
func TestClients(t *testing.T) {
	for _, name := range []string{"javascript", "boto3"} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, run(t.Context(), config{suites: []string{name}, servers: []string{"ours"}, schemes: []string{""}, out: t.TempDir()}))
		})
	}
}
