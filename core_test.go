package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// An auditing core notes whole calls. All others pass on.
type auditing struct {
	storage.Core
	calls *[]string
}

func (a *auditing) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	*a.calls = append(*a.calls, "Upload "+key)
	return a.Core.Upload(ctx, key, body, o)
}

func (a *auditing) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	*a.calls = append(*a.calls, "Remove "+key)
	return a.Core.Remove(ctx, key, o)
}

// audit returns b with a core that notes calls.
func audit(t *testing.T, b storage.Bucket) (storage.Bucket, *[]string) {
	t.Helper()
	calls := new([]string)
	audited, err := storage.Wrap(b, func(c storage.Core) storage.Core { return &auditing{c, calls} })
	require.NoError(t, err)
	return audited, calls
}

func TestACoreThatEmbedsOverridesWholeCalls(t *testing.T) {
	b, calls := audit(t, whole(t))
	view := storage.Prefixed(b, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	require.NoError(t, storage.Ref[storage.Remover](view).Remove(t.Context(), "k"))
	_, err = storage.Update(t.Context(), b, "u", func([]byte, *storage.Attrs) ([]byte, error) { return []byte("x"), nil })
	require.NoError(t, err)
	require.Equal(t, []string{"Upload p/k", "Remove p/k", "Upload u"}, *calls)
}

func TestACoreThatEmbedsLosesNothing(t *testing.T) {
	b, _ := audit(t, whole(t))
	for _, row := range beyond {
		t.Run(row.name, func(t *testing.T) { require.NotErrorIs(t, row.call(t.Context(), b), storage.PermissionDenied) })
	}
	require.True(t, storage.Supports(b, storage.Versioning|storage.ObjectTags))
}

func TestABucketOfAnotherTypeIsRefused(t *testing.T) {
	type embedding struct{ storage.Bucket }
	b := embedding{whole(t)}
	_, copied := storage.Copy(t.Context(), b, "to", b, "k")
	_, composed := storage.Compose(t.Context(), b, "to", []string{"k"})
	_, moved := storage.Move(t.Context(), b, "k", "to")
	_, listed := storage.ListPage(t.Context(), b, "")
	_, removed := storage.RemoveAll(t.Context(), b, slices.Values([]string{"k"}))
	_, versions := storage.RemoveVersions(t.Context(), b, func(func(storage.VersionEntry) bool) {})
	_, wrapped := storage.Wrap(b, func(c storage.Core) storage.Core { return c })
	_, attrs := storage.Prefixed(b, "p/").Attrs(t.Context(), "k")
	_, narrowed := storage.Ref[storage.AttrsReader](b).Attrs(t.Context(), "k")
	refused := map[string]error{
		"Copy": copied, "Compose": composed, "Move": moved, "ListPage": listed, "RemoveAll": removed, "RemoveVersions": versions,
		"Wrap": wrapped, "Prefixed": attrs, "Ref": narrowed,
	}
	for _, row := range beyond {
		refused[row.name] = row.call(t.Context(), b)
	}
	for name, err := range refused {
		var e *storage.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, storage.Unsupported, e.Code, name)
		require.Contains(t, e.Error(), name+" needs a bucket of this library, and the value is a storage_test.embedding")
		require.Contains(t, e.Hint, "storage.Wrap")
	}
	_, err := storage.Copy(t.Context(), memstore.New(), "to", b, "k")
	require.NoError(t, err, "a source of any type is read by its Download")
}

func TestWrapRefusesWhatIsNotWhole(t *testing.T) {
	b := whole(t)
	pass := func(c storage.Core) storage.Core { return c }
	for name, row := range map[string]struct {
		of   storage.Bucket
		wrap func(storage.Core) storage.Core
	}{
		"a part":            {storage.Prefixed(b, "p/"), pass},
		"a reference":       {storage.Ref[storage.Downloader](b).(storage.Bucket), pass},
		"no core":           {b, func(storage.Core) storage.Core { return nil }},
		"a part of no core": {storage.Prefixed(storage.NewBucket(nil), "p/"), pass},
	} {
		t.Run(name, func(t *testing.T) {
			wrapped, err := storage.Wrap(row.of, row.wrap)
			require.Nil(t, wrapped)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

func TestABucketWithoutACoreRefusesEachCall(t *testing.T) {
	b := storage.NewBucket(nil)
	for _, row := range beyond {
		if row.name == "Close" {
			continue
		}
		t.Run(row.name, func(t *testing.T) { require.ErrorIs(t, row.call(t.Context(), b), storage.InvalidArgument) })
	}
	require.NoError(t, storage.Close(b))
	require.False(t, storage.Supports(b, 0))
	_, found := storage.As[any](b)
	require.False(t, found)
}

func TestTwoWrapsOfOneBucketCloseIt(t *testing.T) {
	b := memstore.New()
	first, _ := audit(t, b)
	second, _ := audit(t, first)
	require.NoError(t, storage.Close(second))
	require.NoError(t, storage.Close(first))
	_, err := b.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.InvalidArgument, "the bucket is closed")
}

// A watching core reads what a copy reads.
type watching struct {
	storage.Core
	reads *int
}

func (w *watching) Source(key string) storage.CopySource {
	return storage.NewCopySource(w, key)
}

func (w *watching) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	*w.reads++
	return w.Core.Download(ctx, key, o)
}

func TestACopyPassesTheDownloadOfACoreThatIsItsSource(t *testing.T) {
	reads := 0
	b, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return &watching{c, &reads} })
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "p/k", strings.NewReader("text"))
	require.NoError(t, err)
	attrs, err := storage.Copy(t.Context(), b, "to", storage.Prefixed(b, "p/"), "k")
	require.NoError(t, err)
	require.Equal(t, "to", attrs.Key)
	require.Equal(t, 1, reads)
	_, err = storage.Copy(t.Context(), b, "to", storage.Prefixed(b, "p/"), "none")
	e, _ := errors.AsType[*storage.Error](err)
	require.Equal(t, []string{"Copy", "none"}, []string{e.Op, e.Key})
}

// beyond are the functions that need more than the methods of Bucket. Each is given an object "k".
var beyond = []struct {
	name string
	call func(ctx context.Context, b storage.Bucket) error
}{
	{"Versions", func(ctx context.Context, b storage.Bucket) error { return firstError(storage.Versions(ctx, b)) }},
	{"Tags", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Tags(ctx, b, "k")
		return err
	}},
	{"SetTags", func(ctx context.Context, b storage.Bucket) error { return storage.SetTags(ctx, b, "k", nil) }},
	{"SetRetention", func(ctx context.Context, b storage.Bucket) error {
		return storage.SetRetention(ctx, b, "k", storage.Retention{})
	}},
	{"SetLegalHold", func(ctx context.Context, b storage.Bucket) error { return storage.SetLegalHold(ctx, b, "k", false) }},
	{"Restore", func(ctx context.Context, b storage.Bucket) error { return storage.Restore(ctx, b, "k") }},
	{"SignedUploadForm", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.SignedUploadForm(ctx, b, "k", 0, 1)
		return err
	}},
	{"BeginUpload", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.BeginUpload(ctx, b, "k")
		return err
	}},
	{"ListUploads", func(ctx context.Context, b storage.Bucket) error { return firstError(storage.ListUploads(ctx, b)) }},
	{"AbortUpload", func(ctx context.Context, b storage.Bucket) error {
		return storage.AbortUpload(ctx, b, storage.UploadEntry{Key: "k", Upload: "none"})
	}},
	{"Close", func(_ context.Context, b storage.Bucket) error { return storage.Close(b) }},
}

// firstError returns the error of a listing.
func firstError[E any](all iter.Seq2[E, error]) error {
	for _, err := range all {
		return err
	}
	return nil
}

// whole returns a bucket that has everything, with an object "k".
func whole(t *testing.T) storage.Bucket {
	t.Helper()
	b := memstore.New(storage.WithVersioning(true), storage.WithObjectLock(), storage.WithSigningBaseURL("http://127.0.0.1/x"))
	_, err := b.Upload(t.Context(), "k", strings.NewReader("text"), storage.WithTags(map[string]string{"a": "b"}))
	require.NoError(t, err)
	return b
}

// writes counts the calls of Write.
type writes int

func (w *writes) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

func TestADownloadThroughAPrefixIsWrittenAsTheBucketDoes(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "p/k", strings.NewReader(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)
	r, err := storage.Prefixed(b, "p/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.Equal(t, "k", r.Attrs().Key)
	var calls writes
	n, err := r.WriteTo(&calls)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, n)
	require.EqualValues(t, 1, calls, "memory is not copied in chunks")
}

func TestAPrefixedBucketShowsWhatIsUnderItsPrefix(t *testing.T) {
	b := whole(t)
	view := storage.Prefixed(b, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"), storage.WithTags(map[string]string{"a": "b"}))
	require.NoError(t, err)
	var keys []string
	for v, err := range storage.Versions(t.Context(), view) {
		require.NoError(t, err)
		keys = append(keys, v.Key)
	}
	require.Equal(t, []string{"k"}, keys)

	_, err = storage.Tags(t.Context(), view, "missing")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"Tags", "missing"}, []string{e.Op, e.Key})

	u, err := storage.BeginUpload(t.Context(), view, "parts")
	require.NoError(t, err)
	require.Equal(t, "parts", u.Key())
	var uploads []string
	for entry, err := range storage.ListUploads(t.Context(), view) {
		require.NoError(t, err)
		uploads = append(uploads, entry.Key)
	}
	require.Equal(t, []string{"parts"}, uploads)
	again, err := storage.ContinueUpload(t.Context(), view, u.Token())
	require.NoError(t, err)
	require.Equal(t, "parts", again.Key())
	_, err = storage.ContinueUpload(t.Context(), storage.Prefixed(b, "q/"), u.Token())
	require.ErrorIs(t, err, storage.InvalidArgument, "it is outside of the view")
	_, err = again.PutPart(t.Context(), 1, strings.NewReader("part"))
	require.NoError(t, err)
	attrs, err := again.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, "parts", attrs.Key)

	long := strings.Repeat("x", 2000)
	removed, err := storage.RemoveAll(t.Context(), view, slices.Values([]string{"k", "parts", long}))
	require.Equal(t, 2, removed)
	require.ErrorAs(t, err, &e)
	require.Equal(t, long, e.Key)
}

func TestAReferenceIsNotWidened(t *testing.T) {
	b := whole(t)
	reader := storage.Ref[storage.Downloader](b).(storage.Bucket)
	for _, row := range beyond {
		if row.name == "Close" {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			require.ErrorIs(t, row.call(t.Context(), reader), storage.PermissionDenied)
		})
	}
	_, err := storage.Copy(t.Context(), reader, "copy", reader, "k")
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, err = storage.RemoveAll(t.Context(), reader, slices.Values([]string{"k"}))
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, found := storage.As[any](reader)
	require.False(t, found)

	uploader := storage.Ref[storage.Uploader](b).(storage.Bucket)
	u, err := storage.BeginUpload(t.Context(), uploader, "parts")
	require.NoError(t, err)
	_, err = u.SignPart(t.Context(), 1)
	require.ErrorIs(t, err, storage.PermissionDenied, "an upload is as narrow as the reference that began it")
}

// A forwarding core reads a view of another bucket.
type forwarding struct {
	storage.Core
	to storage.Bucket
}

func (f *forwarding) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	return f.to.Download(ctx, key, storage.WithRange(o.Offset, o.Length))
}

func TestAReaderOfAViewInAViewLosesBothPrefixes(t *testing.T) {
	broken := memstore.New(driver.WithLayer(faults.New(faults.Corrupt(faults.Get, 1)).Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := broken.Upload(t.Context(), "q/p/k", strings.NewReader("text"))
	require.NoError(t, err)
	b, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		return &forwarding{c, storage.Prefixed(broken, "q/")}
	})
	require.NoError(t, err)
	r, err := storage.Prefixed(b, "p/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.Equal(t, "k", r.Attrs().Key)
	_, err = io.ReadAll(r)
	e, ok := errors.AsType[*storage.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "k", e.Key)
}

// A failing core adds a text to the errors of another core, and joins a second error.
type failing struct{ storage.Core }

func (f *failing) Attrs(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Attrs, error) {
	a, err := f.Core.Attrs(ctx, key, o)
	return a, fmt.Errorf("checking: %w", errors.Join(err, &os.PathError{Op: "open", Path: "note", Err: os.ErrNotExist}))
}

func TestAWrappedErrorOfAViewShowsItsPrefixToNoTarget(t *testing.T) {
	b, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return &failing{c} })
	require.NoError(t, err)
	_, err = storage.Prefixed(b, "secret/").Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NotContains(t, err.Error(), "secret")

	e, ok := errors.AsType[*storage.Error](err)
	require.True(t, ok)
	require.Equal(t, "k", e.Key)

	var shown slog.LogValuer
	require.ErrorAs(t, err, &shown, "an interface that *storage.Error has")
	require.NotContains(t, shown.LogValue().String(), "secret")

	inner, ok := errors.AsType[*os.PathError](err)
	require.True(t, ok, "an error that the core has added")
	require.Equal(t, "note", inner.Path)

	var absent *net.OpError
	require.False(t, errors.As(err, &absent))
}
