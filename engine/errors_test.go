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

// The error of a Copy or Compose whose source cannot be read is not OutcomeUnknown, because nothing was written.
func TestCopySourceFailureIsKnown(t *testing.T) {
	// The source cannot be read, and the error of this read has the mark of an unknown outcome.
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

// If the body of Upload fails, the error is BodyFailed and wraps the body's error. errors.Is hides the body's own Code,
// so that it cannot be mistaken for an error of the destination.
func TestUploadBodyFailure(t *testing.T) {
	bucket := memstore.New()
	customErr := &ownError{detail: "mine"}
	failedDownload := &storage.Error{Code: storage.PreconditionFailed, Err: customErr}
	tests := []struct {
		name       string
		bodyErr    error   // wraps customErr
		wantHidden []error // which errors.Is must not find
	}{
		{name: "error of the reader's own", bodyErr: customErr},
		{
			name:       "error of a download",
			bodyErr:    fmt.Errorf("source: %w", failedDownload),
			wantHidden: []error{storage.PreconditionFailed},
		},
		{
			name:       "error of the standard library",
			bodyErr:    errors.Join(fs.ErrNotExist, fs.ErrExist, customErr),
			wantHidden: []error{fs.ErrNotExist, fs.ErrExist},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bucket.Upload(t.Context(), "k", failingReader{err: tt.bodyErr})
			require.Equal(t, storage.BodyFailed, storage.CodeOf(err))
			require.ErrorIs(t, err, storage.BodyFailed)

			require.ErrorIs(t, err, customErr)
			var wrapped *ownError
			require.ErrorAs(t, err, &wrapped)
			for _, hidden := range tt.wantHidden {
				require.NotErrorIs(t, err, hidden)
			}
		})
	}
}

// The error of a failed IfAbsent, but not that of a failed IfRevision, says that the key exists.
func TestIfAbsentSaysKeyExists(t *testing.T) {
	ctx := t.Context()
	bucket := memstore.New()
	attrs, err := bucket.Upload(ctx, "a", strings.NewReader("x"), storage.IfAbsent())
	require.NoError(t, err)

	// IfAbsent fails, because the key exists.
	_, err = bucket.Upload(ctx, "a", strings.NewReader("y"), storage.IfAbsent())
	require.EqualError(t, err,
		`storage: Upload "a" in memory bucket "memory": precondition failed (the key exists already)`)
	_, err = storage.Copy(ctx, bucket, "a", bucket, "a", storage.IfAbsent())
	require.ErrorContains(t, err, "(the key exists already)")

	// IfRevision fails, because the key "b" does not exist.
	_, err = bucket.Upload(ctx, "b", strings.NewReader("y"), storage.IfRevision(attrs.Revision))
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.NotContains(t, err.Error(), "exists")
}
