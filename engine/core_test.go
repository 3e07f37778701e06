package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A failsToClose is a driver whose Close counts its calls and always fails.
type failsToClose struct {
	driver.Driver
	closed int
}

func (closer *failsToClose) Close() error {
	closer.closed++
	return &storage.Error{Code: storage.Internal, Hint: "of the driver"}
}

// The engine closes the driver once, even if Close is called twice, and then every call fails.
func TestCloseTwice(t *testing.T) {
	closer := &failsToClose{Driver: memstore.NewDriver(memstore.Config{})}
	bucket := engine.New(closer)
	_, err := bucket.Upload(t.Context(), "p/k", strings.NewReader("text"))
	require.NoError(t, err)

	// Close of a view does nothing.
	view := storage.Prefixed(bucket, "p/")
	require.NoError(t, storage.Close(view))
	require.Zero(t, closer.closed)
	_, err = bucket.Attrs(t.Context(), "p/k")
	require.NoError(t, err)

	// Both calls of Close return the error of the driver.
	for range 2 {
		err = storage.Close(bucket)
		require.ErrorIs(t, err, storage.Internal)
		var storageErr *storage.Error
		require.ErrorAs(t, err, &storageErr)
		require.Equal(t, "Close", storageErr.Op)
		require.Equal(t, "memory", storageErr.Provider)
		require.Equal(t, "of the driver", storageErr.Hint, "the driver's error has this hint")
	}
	require.Equal(t, 1, closer.closed)

	// After Close, each call of the bucket or of its view fails.
	ctx := t.Context()
	errs := map[string]error{
		"Attrs":                  errorOf(bucket.Attrs(ctx, "p/k")),
		"Attrs of a view":        errorOf(view.Attrs(ctx, "k")),
		"Upload":                 errorOf(bucket.Upload(ctx, "k", strings.NewReader("x"))),
		"List":                   iterate(bucket.List(ctx)),
		"Remove":                 bucket.Remove(ctx, "p/k"),
		"Copy":                   errorOf(storage.Copy(ctx, bucket, "to", bucket, "p/k")),
		"BeginUpload":            errorOf(storage.BeginUpload(ctx, bucket, "k")),
		"SignedUploadURL":        errorOf(bucket.SignedUploadURL(ctx, "k")),
		"PublicURL":              errorOf(bucket.PublicURL("k")),
		"Copy to another bucket": errorOf(storage.Copy(ctx, memstore.New(), "to", bucket, "p/k")),
		"Versions":               iterate(storage.Versions(ctx, bucket)),
	}
	for name, err := range errs {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "the bucket is closed")
		})
	}
}

// IfRevision and IfRevisionNot fail with InvalidArgument for a revision that the store cannot have.
func TestRevisionOfOtherStore(t *testing.T) {
	bucket := memstore.New()
	attrs, err := bucket.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	tests := []struct {
		name              string
		revision          string
		wantIfRevision    error // nil if the condition holds
		wantIfRevisionNot error // nil if the condition holds
	}{
		{
			name:              "current revision",
			revision:          attrs.Revision,
			wantIfRevision:    nil,
			wantIfRevisionNot: storage.NotModified,
		},
		{
			name:              "another revision",
			revision:          attrs.Revision + "1",
			wantIfRevision:    storage.PreconditionFailed,
			wantIfRevisionNot: nil,
		},
		{
			name:              "revision of another store",
			revision:          "s3:1",
			wantIfRevision:    storage.InvalidArgument,
			wantIfRevisionNot: storage.InvalidArgument,
		},
		{
			name:              "no provider",
			revision:          "1",
			wantIfRevision:    storage.InvalidArgument,
			wantIfRevisionNot: storage.InvalidArgument,
		},
		{
			name:              "line break",
			revision:          attrs.Revision + "\n",
			wantIfRevision:    storage.InvalidArgument,
			wantIfRevisionNot: storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bucket.Attrs(t.Context(), "k", storage.IfRevision(tt.revision))
			require.ErrorIs(t, err, tt.wantIfRevision)
			_, err = bucket.Attrs(t.Context(), "k", storage.IfRevisionNot(tt.revision))
			require.ErrorIs(t, err, tt.wantIfRevisionNot)
		})
	}
}

// The hint of an Unsupported error is that of the driver at the time of the call, because a driver may recognize its
// server after Open.
func TestUnsupportedHasHintOfStore(t *testing.T) {
	store := &hinting{Driver: memstore.NewDriver(memstore.Config{}), hint: "at first"}
	bucket := engine.New(store)
	store.hint = "look at the settings of the server"

	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("x"),
		storage.WithTags(map[string]string{"a": "b"}))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, store.hint)
	require.False(t, storage.Supports(bucket, storage.ObjectTags))
	require.True(t, storage.Supports(bucket, storage.Metadata))
}

// hinting is a store without tags.
type hinting struct {
	driver.Driver
	hint string
}

func (d *hinting) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.ObjectTags
	desc.FeatureHint = d.hint
	return desc
}
