package gcs

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// All attempts at one change have the same idempotency token, and each change has its own.
// googleapis/google-cloud-cpp#12347.
func TestIdempotencyTokenOfAttempts(t *testing.T) {
	for name, change := range map[string]func(bucket storage.Bucket) error{
		"an upload": func(bucket storage.Bucket) error {
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"))
			return err
		},
		"an upload with a condition": func(bucket storage.Bucket) error {
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"), storage.IfAbsent())
			return err
		},
		"a removal": func(bucket storage.Bucket) error {
			return bucket.Remove(t.Context(), "a", storage.IfRevision(anyRevision))
		},
		"a removal of many": func(bucket storage.Bucket) error {
			_, err := storage.RemoveAll(t.Context(), bucket, slices.Values([]string{"a"}))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var attempts atomic.Int32
			server := newCannedServer(t)
			server.Answer = func(r wiretest.Request) reply {
				if attempts.Add(1)%2 == 1 {
					return jsonError(503, "backendError", "Backend Error")
				}
				if r.Method == "DELETE" {
					return reply{Status: 204}
				}
				return storedReply
			}
			bucket := engine.New(server.openDriver(t))
			require.NoError(t, change(bucket))
			require.NoError(t, change(bucket))
			var tokens []string
			for _, r := range server.Requests() {
				tokens = append(tokens, r.Header.Get(tokenHeader))
			}

			require.Len(t, tokens, 4)
			require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, tokens[0])
			require.Equal(t, tokens[0], tokens[1])
			require.Equal(t, tokens[2], tokens[3])
			require.NotEqual(t, tokens[0], tokens[2], "another call")
		})
	}
}

// If one call makes several changes, each has its own idempotency token.
func TestIdempotencyTokenOfChanges(t *testing.T) {
	server := newCannedServer(t)
	server.Answer = func(wiretest.Request) reply { return reply{Status: 204} }
	_, err := storage.RemoveAll(t.Context(), engine.New(server.openDriver(t)),
		slices.Values([]string{"a", "b", "c"}))
	require.NoError(t, err)
	tokens := map[string]bool{}
	for _, r := range server.Requests() {
		tokens[r.Header.Get(tokenHeader)] = true
	}
	require.Len(t, tokens, 3)
}
