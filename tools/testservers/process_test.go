package main

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func started(t *testing.T, act string) (launch, *process) {
	t.Helper()
	f := &fleet{}
	program, err := os.Executable()
	require.NoError(t, err)
	l, p, err := f.launch(&pendingServer{server: server{name: "fake", launch: acting(act)}, program: []string{program}})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = p.stop()
		require.NoError(t, f.stop())
		for _, dir := range f.dirs {
			require.NoDirExists(t, dir)
		}
	})
	return l, p
}

// waitReady returns when the server responds.
func TestWaitReadyServerResponds(t *testing.T) {
	l, p := started(t, "serves")
	require.NoError(t, p.waitReady(t.Context()))
	require.NoError(t, p.stop())
	require.Error(t, ask(t.Context(), http.DefaultClient, l.ready, http.StatusOK), "it was stopped")
}

// If a server ends before it is ready, waitReady fails with its exit status and its output.
func TestWaitReadyServerEnds(t *testing.T) {
	_, p := started(t, "ends")
	err := p.waitReady(t.Context())
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "cannot go on")
	require.ErrorIs(t, p.stop(), errEnded, "and it is reported again at the end")
}

// If ctx ends before the server is ready, waitReady fails with the last response and the server's output.
func TestWaitReadyServerIsNever(t *testing.T) {
	l, p := started(t, "never ready")
	for ask(t.Context(), http.DefaultClient, l.ready, http.StatusOK).Error() != l.ready+" responded with 503 Service Unavailable" {
		time.Sleep(readyPoll) // as waitReady does: it is on its way up
	}

	ctx, cancel := context.WithTimeout(t.Context(), 100*readyPoll)
	defer cancel()

	err := p.waitReady(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "503")
	require.ErrorContains(t, err, "still loading")
}

// A tail keeps only the last tailSize bytes of the output.
func TestTailIsLimited(t *testing.T) {
	var output tail
	require.Equal(t, "(none)", output.String())
	for range 3 {
		_, err := output.Write([]byte(strings.Repeat("x", tailSize/2)))
		require.NoError(t, err)
	}
	_, err := output.Write([]byte("end"))
	require.NoError(t, err)
	require.Len(t, output.String(), tailSize)
	require.True(t, strings.HasSuffix(output.String(), "xend"))
}
