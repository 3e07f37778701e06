package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func unset(string) (string, bool) { return "", false }

func TestTheServerServesUntilItIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--listen", "127.0.0.1:0", "--create", "photos"}, printed, &errs, unset)
		_ = printed.Close()
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Zero(t, run(t.Context(), []string{"--health", strings.TrimSpace(url)}, io.Discard, io.Discard, unset))
	interrupt()
	require.Zero(t, <-ended)
	require.Contains(t, errs.String(), "export AWS_ENDPOINT_URL="+url)
	require.Equal(t, exitFailure, run(t.Context(), []string{"--health", strings.TrimSpace(url)}, io.Discard, io.Discard, unset))
}

func TestExitCodes(t *testing.T) {
	for _, row := range []struct {
		name string
		code int
		says string // on standard error
		args []string
	}{
		{"help", 0, "DIRECTORY", []string{"--help"}},
		{"an unknown flag", exitUsage, "--none", []string{"--none"}},
		{"two directories", exitUsage, "at most one directory", []string{"a", "b"}},
		{"a flag after the directory", exitUsage, "at most one directory", []string{"a", "--tls"}},
		{"flags that contradict each other", exitUsage, "must be used together", []string{"--cert", "c.pem"}},
		{"no address", exitFailure, "listen", []string{"--listen", "256.0.0.1:0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var errs bytes.Buffer
			require.Equal(t, row.code, run(t.Context(), row.args, io.Discard, &errs, unset), errs.String())
			require.Contains(t, strings.ReplaceAll(errs.String(), " -", " --"), row.says)
		})
	}
}
