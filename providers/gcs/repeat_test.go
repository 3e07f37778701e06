package gcs

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// All attempts at one change have the same idempotency token, and each change has its own
// (googleapis/google-cloud-cpp#12347).
func TestIdempotencyTokenOfAttempts(t *testing.T) {
	tests := []struct {
		name    string
		success reply
		change  func(bucket storage.Bucket) error
	}{
		{
			name:    "an upload",
			success: storedReply,
			change: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"))
				return err
			},
		},
		{
			name:    "an upload with a condition",
			success: storedReply,
			change: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"), storage.IfAbsent())
				return err
			},
		},
		{
			name:    "a removal",
			success: reply{Status: 204},
			change: func(bucket storage.Bucket) error {
				return bucket.Remove(t.Context(), "a", storage.IfRevision(anyRevision))
			},
		},
		{
			name:    "a removal of many",
			success: reply{Status: 204},
			change: func(bucket storage.Bucket) error {
				_, err := storage.RemoveAll(t.Context(), bucket, slices.Values([]string{"a"}))
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			busy := jsonError(503, "backendError", "Backend Error")
			server := newCannedServer(t, busy, tt.success, busy, tt.success)
			bucket := engine.New(server.openDriver(t))

			// Each call makes two attempts.
			require.NoError(t, tt.change(bucket))
			require.NoError(t, tt.change(bucket))

			var tokens []string
			for _, req := range server.Requests() {
				tokens = append(tokens, req.Header.Get(tokenHeader))
			}
			require.Len(t, tokens, 4)
			require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, tokens[0])
			require.Equal(t, tokens[0], tokens[1])
			require.Equal(t, tokens[2], tokens[3])
			require.NotEqual(t, tokens[0], tokens[2])
		})
	}
}

// If a call changes several things, each change has its own idempotency token.
func TestIdempotencyTokenOfChanges(t *testing.T) {
	server := newCannedServer(t)
	server.Answer = func(wiretest.Request) reply { return reply{Status: 204} }
	bucket := engine.New(server.openDriver(t))
	keys := []string{"a", "b", "c"}

	_, err := storage.RemoveAll(t.Context(), bucket, slices.Values(keys))
	require.NoError(t, err)
	tokens := map[string]bool{}
	for _, req := range server.Requests() {
		tokens[req.Header.Get(tokenHeader)] = true
	}
	require.Len(t, tokens, len(keys))
}
