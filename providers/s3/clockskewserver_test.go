package s3_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// openBucketWithServerClock opens a bucket at a new server whose clock is ahead of this machine's.
func openBucketWithServerClock(t *testing.T, ahead time.Duration, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	server, err := s3server.Start(s3server.Config{
		Buckets:    []string{"photos"},
		Middleware: wiretest.OneRequestAConnection,
		Now:        func() time.Time { return time.Now().Add(ahead) },
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("aws")
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// If the server refuses a call because this machine's clock is wrong (RequestTimeTooSkewed), the engine repeats the
// call, signed at the server's time.
func TestClockSkewRepeatsCall(t *testing.T) {
	calls := map[string]func(ctx context.Context, b storage.Bucket) error{
		"an upload": func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "new", strings.NewReader("text"))
			return err
		},
		"an upload with an option of the SDK": func(ctx context.Context, b storage.Bucket) error {
			opt := s3.WithRequest(func(*awss3.PutObjectInput) {})
			_, err := b.Upload(ctx, "new", strings.NewReader("text"), opt)
			return err
		},
		"an upload of a stream": func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "new", io.MultiReader(strings.NewReader("text")))
			return err
		},
		"a listing": func(ctx context.Context, b storage.Bucket) error {
			for _, err := range b.List(ctx) {
				return err
			}
			return nil
		},
		"a removal": func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "missing") },
		"a batch of removals": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"}))
			return err
		},
	}
	for name, call := range calls {
		t.Run(name+" at a fast server", func(t *testing.T) {
			require.NoError(t, call(t.Context(), openBucketWithServerClock(t, 30*time.Minute)))
		})
		t.Run(name+" at a slow server", func(t *testing.T) {
			require.NoError(t, call(t.Context(), openBucketWithServerClock(t, -25*time.Hour)))
		})
	}
}

// A call for a missing object is repeated at the server's time. Then it fails with ObjectNotFound,
// and no longer because of the clock.
func TestClockSkewRepeatsCallForMissingObject(t *testing.T) {
	calls := map[string]func(ctx context.Context, b storage.Bucket) error{
		"Attrs": func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Attrs(ctx, "missing")
			return err
		},
		"ReadAll": func(ctx context.Context, b storage.Bucket) error {
			_, _, err := storage.ReadAll(ctx, b, "missing")
			return err
		},
		"SetTags": func(ctx context.Context, b storage.Bucket) error {
			return storage.SetTags(ctx, b, "missing", nil)
		},
	}
	for name, call := range calls {
		t.Run(name+" at a fast server", func(t *testing.T) {
			err := call(t.Context(), openBucketWithServerClock(t, 30*time.Minute))
			require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "%v", err)
		})
		t.Run(name+" at a slow server", func(t *testing.T) {
			err := call(t.Context(), openBucketWithServerClock(t, -25*time.Hour))
			require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "%v", err)
		})
	}
}

// The engine keeps a buffer of an upload whose body cannot be read again. If the server refuses the upload because of
// the clock, the engine sends the buffer.
func TestClockSkewStream(t *testing.T) {
	tests := []struct {
		name string
		size int
		opts []storage.UploadOption
	}{
		{name: "in one request", size: 1000},
		{name: "in one request, of known size", size: 1000, opts: []storage.UploadOption{storage.WithSize(1000)}},
		{name: "in parts", size: 11 << 20},
		{name: "in parts, of known size", size: 11 << 20, opts: []storage.UploadOption{storage.WithSize(11 << 20)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server refuses the first request, because its clock is half an hour ahead.
			b := openBucketWithServerClock(t, 30*time.Minute)
			content := wiretest.Content(tt.size, 1)
			stream := struct{ io.Reader }{bytes.NewReader(content)} // cannot seek

			_, err := b.Upload(t.Context(), "k", stream, tt.opts...)
			require.NoError(t, err)
			got, _, err := storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, got))
		})
	}
}

// Without retries, the first call at a server with another clock fails with a hint about the clock,
// and the second call succeeds.
func TestClockSkewWithoutRetries(t *testing.T) {
	b := openBucketWithServerClock(t, time.Hour, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

	_, err := b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, "clock")

	_, err = b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
}
