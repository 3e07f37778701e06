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

// failsToClose cannot give back what it has.
type failsToClose struct {
	driver.Driver
	closed int
}

func (d *failsToClose) Close() error {
	d.closed++
	return &storage.Error{Code: storage.Internal, Hint: "of the driver"}
}

// The engine closes the driver once, even if Close is called twice.
func TestCloseTwice(t *testing.T) {
	d := &failsToClose{Driver: memstore.NewDriver(memstore.Config{})}
	b := engine.New(d)
	_, err := b.Upload(t.Context(), "p/k", strings.NewReader("text"))
	require.NoError(t, err)

	view := storage.Prefixed(b, "p/")
	require.NoError(t, storage.Close(view), "a view has nothing to close")
	require.Zero(t, d.closed)
	_, err = b.Attrs(t.Context(), "p/k")
	require.NoError(t, err)

	for range 2 {
		err = storage.Close(b)
		require.ErrorIs(t, err, storage.Internal)
		var e *storage.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{"Close", "memory", "of the driver"}, []string{e.Op, e.Provider, e.Hint})
	}
	require.Equal(t, 1, d.closed)
	for name, call := range map[string]func() error{
		"Attrs":           func() error { return none(b.Attrs(t.Context(), "p/k")) },
		"Attrs of a view": func() error { return none(view.Attrs(t.Context(), "k")) },
		"Upload":          func() error { return none(b.Upload(t.Context(), "k", strings.NewReader("x"))) },
		"List":            func() error { return drained(b.List(t.Context())) },
		"Remove":          func() error { return b.Remove(t.Context(), "p/k") },
		"Copy":            func() error { return none(storage.Copy(t.Context(), b, "to", b, "p/k")) },
		"BeginUpload":     func() error { return none(storage.BeginUpload(t.Context(), b, "k")) },
		"SignedUploadURL": func() error { return none(b.SignedUploadURL(t.Context(), "k")) },
		"PublicURL":       func() error { return none(b.PublicURL("k")) },
		"Copy from it": func() error {
			return none(storage.Copy(t.Context(), memstore.New(), "to", b, "p/k"))
		},
		"Versions, of all": func() error { return drained(storage.Versions(t.Context(), b)) },
	} {
		err := call()
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		require.ErrorContains(t, err, "the bucket is closed", name)
	}
}

// IfRevision and IfRevisionNot refuse a revision of another store with InvalidArgument.
func TestRevisionOfOtherStore(t *testing.T) {
	b := memstore.New()
	a, err := b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	tests := []struct {
		name, revision string
		want           error // of IfRevision
		wantNot        error // of IfRevisionNot
	}{
		{name: "its own", revision: a.Revision, want: nil, wantNot: storage.NotModified},
		{name: "another one of its own", revision: a.Revision + "1", want: storage.PreconditionFailed},
		{
			name:     "of another store",
			revision: "s3:1",
			want:     storage.InvalidArgument,
			wantNot:  storage.InvalidArgument,
		},
		{name: "of no store", revision: "1", want: storage.InvalidArgument, wantNot: storage.InvalidArgument},
		{
			name:     "with a line break",
			revision: a.Revision + "\n",
			want:     storage.InvalidArgument,
			wantNot:  storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, none(b.Attrs(t.Context(), "k", storage.IfRevision(tt.revision))), tt.want)
			require.ErrorIs(t,
				none(b.Attrs(t.Context(), "k", storage.IfRevisionNot(tt.revision))), tt.wantNot)
		})
	}
}

// The hint of an Unsupported error comes from the driver at the time of the call, because a server may be
// recognized after Open.
func TestUnsupportedHasHintOfStore(t *testing.T) {
	d := &hinting{Driver: memstore.NewDriver(memstore.Config{}), hint: "at first"}
	b := engine.New(d)
	d.hint = "look at the settings of the server"

	_, err := b.Upload(t.Context(), "k", strings.NewReader("x"),
		storage.WithTags(map[string]string{"a": "b"}))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, d.hint)
	require.False(t, storage.Supports(b, storage.ObjectTags))
	require.True(t, storage.Supports(b, storage.Metadata))
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
