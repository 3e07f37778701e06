package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program uses the driver.
func TestProgramUsesTheDriver(t *testing.T) {
	var buf strings.Builder
	require.NoError(t, run(t.Context(), &buf))
	require.Equal(t, "precondition failed\nunsupported\nall is well (text/plain; charset=utf-8)\n", buf.String())
}
