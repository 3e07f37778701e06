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

// newBucketWithClock opens a bucket at a new server whose clock is ahead of this machine's.
func newBucketWithClock(t *testing.T, ahead time.Duration, opts ...storage.OpenOption) storage.Bucket {
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

// S3 refuses a call that is signed at a wrong time (RequestTimeTooSkewed). The engine repeats the call, signed at the
// server's time.
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
		"an upload of a short stream": func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "new", io.MultiReader(strings.NewReader("text")))
			return err
		},
		"a listing": func(ctx context.Context, b storage.Bucket) error {
			for _, err := range b.List(ctx) {
				return err
			}
			return nil
		},
		"a removal": func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "none") },
		"removals": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"}))
			return err
		},
		"attributes of nothing": func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Attrs(ctx, "none")
			return expected(err, storage.ObjectNotFound)
		},
		"a read of nothing": func(ctx context.Context, b storage.Bucket) error {
			_, _, err := storage.ReadAll(ctx, b, "none")
			return expected(err, storage.ObjectNotFound)
		},
		"tags of nothing": func(ctx context.Context, b storage.Bucket) error {
			return expected(storage.SetTags(ctx, b, "none", nil), storage.ObjectNotFound)
		},
	}
	for clock, ahead := range map[string]time.Duration{
		"a fast server": 30 * time.Minute,
		"a slow server": -25 * time.Hour,
	} {
		for name, call := range calls {
			t.Run(name+" at "+clock, func(t *testing.T) {
				require.NoError(t, call(t.Context(), newBucketWithClock(t, ahead)))
			})
		}
	}
}

// expected returns nil if err has the code, and err otherwise.
func expected(err error, code storage.Code) error {
	if storage.CodeOf(err) == code {
		return nil
	}
	return err
}

// The server refuses the time of an upload whose body cannot be read again. The engine repeats the upload from a
// buffer.
func TestClockSkewStream(t *testing.T) {
	for name, size := range map[string]int{"in one request": 1000, "in parts": 11 << 20} {
		t.Run(name, func(t *testing.T) {
			b := newBucketWithClock(t, 30*time.Minute)
			content := wiretest.Content(size, 1)
			for _, opts := range [][]storage.UploadOption{nil, {storage.WithSize(int64(size))}} {
				_, err := b.Upload(t.Context(), "k", struct{ io.Reader }{bytes.NewReader(content)}, opts...)
				require.NoError(t, err)
				got, _, err := storage.ReadAll(t.Context(), b, "k")
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))
			}
		})
	}
}

// Without retries, the first call at a server with another clock fails with a hint about the clock,
// and the second call succeeds.
func TestClockSkewWithoutRetries(t *testing.T) {
	b := newBucketWithClock(t, time.Hour, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

	_, err := b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, "clock")

	_, err = b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
}
