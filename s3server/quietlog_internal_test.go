package s3server

import (
	"bytes"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The log has at most one line a minute about failed accepts, and no lines about failed TLS handshakes. It has all
// other lines.
func TestQuietLogOfFailedAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		l := log.New(&quietLog{dst: &buf}, "", 0)

		const minutes = 3
		for range minutes * 60 {
			l.Print("http: Accept error: accept tcp 127.0.0.1:9000: accept4: too many open files; retrying in 5ms")
			l.Print("http: TLS handshake error from 127.0.0.1:1: EOF")
			time.Sleep(time.Second)
		}

		require.Equal(t, minutes, strings.Count(buf.String(), "too many open files"))
		require.NotContains(t, buf.String(), "handshake")

		l.Print("http: panic serving")
		l.Print("http: panic serving")
		require.Equal(t, 2, strings.Count(buf.String(), "panic"))
	})
}
