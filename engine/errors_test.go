package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// If a source of Copy or Compose cannot be read, the error is not OutcomeUnknown, because nothing was written.
func TestCopySourceFailureIsKnown(t *testing.T) {
	lost := &storage.Error{Code: storage.Internal, Unknown: true}
	bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Head" {
				return lost
			}
			return next(ctx)
		})
	}))
	tests := []struct {
		name string
		call func() (*storage.Attrs, error)
	}{
		{
			name: "Copy",
			call: func() (*storage.Attrs, error) {
				return storage.Copy(t.Context(), bucket, "to", bucket, "k")
			},
		},
		{
			name: "Compose",
			call: func() (*storage.Attrs, error) {
				return storage.Compose(t.Context(), bucket, "to", []string{"k"})
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.call()
			require.ErrorIs(t, err, storage.Internal)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
		})
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

type ownError struct{ detail string }

func (e *ownError) Error() string { return e.detail }

// If reading the body fails, Upload fails with BodyFailed, whatever error the body returned.
func TestUploadBodyFailure(t *testing.T) {
	bucket := memstore.New()
	mine := &ownError{"mine"}
	tests := map[string]struct {
		body  error
		masks []error
	}{
		"an error of the reader's own": {body: mine},
		"a failed download": {
			body:  fmt.Errorf("source: %w", &storage.Error{Code: storage.PreconditionFailed, Err: mine}),
			masks: []error{storage.PreconditionFailed},
		},
		"a sentinel": {
			body:  errors.Join(fs.ErrNotExist, fs.ErrExist, mine),
			masks: []error{fs.ErrNotExist, fs.ErrExist},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := bucket.Upload(t.Context(), "k", failingReader{tt.body})
			require.Equal(t, storage.BodyFailed, storage.CodeOf(err))
			require.ErrorIs(t, err, storage.BodyFailed)
			require.ErrorIs(t, err, mine)
			var reached *ownError
			require.ErrorAs(t, err, &reached)
			for _, masked := range tt.masks {
				require.NotErrorIs(t, err, masked)
			}
		})
	}
}

// If IfAbsent fails, the error says that the key exists.
func TestIfAbsentSaysKeyExists(t *testing.T) {
	ctx := t.Context()
	bucket := memstore.New()
	attrs, err := bucket.Upload(ctx, "a", strings.NewReader("x"), storage.IfAbsent())
	require.NoError(t, err)

	_, err = bucket.Upload(ctx, "a", strings.NewReader("y"), storage.IfAbsent())
	require.EqualError(t, err,
		`storage: Upload "a" in memory bucket "memory": precondition failed (the key exists already)`)
	_, err = storage.Copy(ctx, bucket, "a", bucket, "a", storage.IfAbsent())
	require.ErrorContains(t, err, "(the key exists already)")

	_, err = bucket.Upload(ctx, "b", strings.NewReader("y"), storage.IfRevision(attrs.Revision))
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.NotContains(t, err.Error(), "exists")
}
