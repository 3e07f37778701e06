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
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// An auditing Core notes whole calls. All others pass on.
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

// newAuditedBucket returns b with a Core that notes calls.
func newAuditedBucket(t *testing.T, bucket storage.Bucket) (storage.Bucket, *[]string) {
	t.Helper()
	calls := new([]string)
	audited, err := storage.Wrap(bucket, func(c storage.Core) storage.Core { return &auditing{c, calls} })
	require.NoError(t, err)
	return audited, calls
}

// A Core that embeds another one sees each whole call that it overrides, with its whole key.
func TestWrapWithEmbeddedCore(t *testing.T) {
	bucket, calls := newAuditedBucket(t, newWholeBucket(t))
	view := storage.Prefixed(bucket, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	require.NoError(t, storage.Ref[storage.Remover](view).Remove(t.Context(), "k"))

	_, err = storage.Update(t.Context(), bucket, "u", func([]byte, *storage.Attrs) ([]byte, error) {
		return []byte("x"), nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"Upload p/k", "Remove p/k", "Upload u"}, *calls)
}

// A Core that embeds another one supports all functions of the package.
func TestWrapWithEmbeddedCoreKeepsFunctions(t *testing.T) {
	bucket, _ := newAuditedBucket(t, newWholeBucket(t))
	for _, row := range wholeBucketCalls {
		t.Run(row.name, func(t *testing.T) {
			require.NotErrorIs(t, row.call(t.Context(), bucket), storage.PermissionDenied)
		})
	}
	require.True(t, storage.Supports(bucket, storage.Versioning|storage.ObjectTags))
}

// Functions of the package refuse a bucket of another module's type.
func TestFunctionsRefuseOtherBucketTypes(t *testing.T) {
	type embedding struct{ storage.Bucket }
	bucket := embedding{newWholeBucket(t)}
	_, copyErr := storage.Copy(t.Context(), bucket, "to", bucket, "k")
	_, composed := storage.Compose(t.Context(), bucket, "to", []string{"k"})
	_, moved := storage.Move(t.Context(), bucket, "k", "to")
	_, listed := storage.ListPage(t.Context(), bucket, "")
	_, removeErr := storage.RemoveAll(t.Context(), bucket, slices.Values([]string{"k"}))
	_, versions := storage.RemoveVersions(t.Context(), bucket, func(func(storage.VersionEntry) bool) {})
	_, wrapped := storage.Wrap(bucket, func(c storage.Core) storage.Core { return c })
	_, attrs := storage.Prefixed(bucket, "p/").Attrs(t.Context(), "k")
	_, narrowed := storage.Ref[storage.AttrsReader](bucket).Attrs(t.Context(), "k")
	errs := map[string]error{
		"Copy":           copyErr,
		"Compose":        composed,
		"Move":           moved,
		"ListPage":       listed,
		"RemoveAll":      removeErr,
		"RemoveVersions": versions,
		"Wrap":           wrapped,
		"Prefixed":       attrs,
		"Ref":            narrowed,
	}
	for _, row := range wholeBucketCalls {
		errs[row.name] = row.call(t.Context(), bucket)
	}

	for name, err := range errs {
		var e *storage.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, storage.Unsupported, e.Code, name)
		require.Contains(t, e.Error(),
			name+" needs a bucket of this library, and the value is a storage_test.embedding")
		require.Contains(t, e.Hint, "storage.Wrap")
	}

	_, err := storage.Copy(t.Context(), memstore.New(), "to", bucket, "k")
	require.NoError(t, err, "a source of any type is read by its Download")
}

// Wrap fails with InvalidArgument for a view, a reference, or a nil Core.
func TestWrapRefusesPartsOfBuckets(t *testing.T) {
	bucket := newWholeBucket(t)
	pass := func(c storage.Core) storage.Core { return c }
	tests := map[string]struct {
		of   storage.Bucket
		wrap func(storage.Core) storage.Core
	}{
		"a part":            {storage.Prefixed(bucket, "p/"), pass},
		"a reference":       {storage.Ref[storage.Downloader](bucket).(storage.Bucket), pass},
		"no Core":           {bucket, func(storage.Core) storage.Core { return nil }},
		"a part of no Core": {storage.Prefixed(storage.NewBucket(nil), "p/"), pass},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			wrapped, err := storage.Wrap(tt.of, tt.wrap)
			require.Nil(t, wrapped)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// A bucket of NewBucket(nil) refuses each call.
func TestNewBucketWithoutCore(t *testing.T) {
	bucket := storage.NewBucket(nil)
	for _, row := range wholeBucketCalls {
		if row.name == "Close" {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			require.ErrorIs(t, row.call(t.Context(), bucket), storage.InvalidArgument)
		})
	}
	require.NoError(t, storage.Close(bucket))
	require.False(t, storage.Supports(bucket, 0))
	_, ok := storage.As[any](bucket)
	require.False(t, ok)
}

// A bucket that was wrapped twice can be closed through the outer wrapper, and again through the inner one.
func TestWrapTwiceClose(t *testing.T) {
	bucket := memstore.New()
	first, _ := newAuditedBucket(t, bucket)
	second, _ := newAuditedBucket(t, first)
	require.NoError(t, storage.Close(second))
	require.NoError(t, storage.Close(first))
	_, err := bucket.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.InvalidArgument, "the bucket is closed")
}

// A watching Core reads what a copy reads.
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

// If the source of Copy has a Core, Copy reads it with that Core's Download.
func TestCopyReadsThroughCore(t *testing.T) {
	reads := 0
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return &watching{c, &reads} })
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "p/k", strings.NewReader("text"))
	require.NoError(t, err)

	attrs, err := storage.Copy(t.Context(), bucket, "to", storage.Prefixed(bucket, "p/"), "k")
	require.NoError(t, err)
	require.Equal(t, "to", attrs.Key)
	require.Equal(t, 1, reads)

	_, err = storage.Copy(t.Context(), bucket, "to", storage.Prefixed(bucket, "p/"), "none")
	e, _ := errors.AsType[*storage.Error](err)
	require.Equal(t, []string{"Copy", "none"}, []string{e.Op, e.Key})
}

// beyond are the functions that need more than the methods of Bucket. Each is given an object "k".
var wholeBucketCalls = []struct {
	name string
	call func(ctx context.Context, bucket storage.Bucket) error
}{
	{"Versions", func(ctx context.Context, bucket storage.Bucket) error {
		return firstError(storage.Versions(ctx, bucket))
	}},
	{"Tags", func(ctx context.Context, bucket storage.Bucket) error {
		_, err := storage.Tags(ctx, bucket, "k")
		return err
	}},
	{"SetTags", func(ctx context.Context, bucket storage.Bucket) error {
		return storage.SetTags(ctx, bucket, "k", nil)
	}},
	{"SetRetention", func(ctx context.Context, bucket storage.Bucket) error {
		return storage.SetRetention(ctx, bucket, "k", storage.Retention{})
	}},
	{"SetLegalHold", func(ctx context.Context, bucket storage.Bucket) error {
		return storage.SetLegalHold(ctx, bucket, "k", false)
	}},
	{"Restore", func(ctx context.Context, bucket storage.Bucket) error { return storage.Restore(ctx, bucket, "k") }},
	{"SignedUploadForm", func(ctx context.Context, bucket storage.Bucket) error {
		_, err := storage.SignedUploadForm(ctx, bucket, "k", 0, 1)
		return err
	}},
	{"BeginUpload", func(ctx context.Context, bucket storage.Bucket) error {
		_, err := storage.BeginUpload(ctx, bucket, "k")
		return err
	}},
	{"ListUploads", func(ctx context.Context, bucket storage.Bucket) error {
		return firstError(storage.ListUploads(ctx, bucket))
	}},
	{"AbortUpload", func(ctx context.Context, bucket storage.Bucket) error {
		return storage.AbortUpload(ctx, bucket, storage.UploadEntry{Key: "k", Upload: "none"})
	}},
	{"Close", func(_ context.Context, bucket storage.Bucket) error { return storage.Close(bucket) }},
}

// firstError returns the error of a listing.
func firstError[E any](all iter.Seq2[E, error]) error {
	for _, err := range all {
		return err
	}
	return nil
}

func lastError[T any](_ T, err error) error { return err }

// newWholeBucket returns a bucket that has everything, with an object "k".
func newWholeBucket(t *testing.T) storage.Bucket {
	t.Helper()
	bucket := memstore.New(storage.WithVersioning(true), storage.WithObjectLock(),
		storage.WithSigningBaseURL("http://127.0.0.1/x"))
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("text"),
		storage.WithTags(map[string]string{"a": "b"}))
	require.NoError(t, err)
	return bucket
}

// writes counts the calls of Write.
type writes int

func (w *writes) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

// WriteTo of a reader from a prefixed bucket writes as the bucket's own reader does.
func TestPrefixedDownloadWriteTo(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "p/k", strings.NewReader(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)

	r, err := storage.Prefixed(bucket, "p/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, r.Close())
	}()
	require.Equal(t, "k", r.Attrs().Key)

	var calls writes
	n, err := r.WriteTo(&calls)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, n)
	require.EqualValues(t, 1, calls, "memory is not copied in chunks")
}

// Functions for versions, tags, open uploads and removals take and return the keys of a prefixed bucket without
// the prefix. Their errors have such keys, too.
func TestPrefixedShowsKeysBelowPrefix(t *testing.T) {
	bucket := newWholeBucket(t)
	view := storage.Prefixed(bucket, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"),
		storage.WithTags(map[string]string{"a": "b"}))
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

	second, err := storage.ContinueUpload(t.Context(), view, u.Token())
	require.NoError(t, err)
	require.Equal(t, "parts", second.Key())

	_, err = storage.ContinueUpload(t.Context(), storage.Prefixed(bucket, "q/"), u.Token())
	require.ErrorIs(t, err, storage.InvalidArgument, "it is outside of the view")
	_, err = second.PutPart(t.Context(), 1, strings.NewReader("part"))
	require.NoError(t, err)
	attrs, err := second.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, "parts", attrs.Key)

	long := strings.Repeat("x", 2000)
	n, err := storage.RemoveAll(t.Context(), view, slices.Values([]string{"k", "parts", long}))
	require.Equal(t, 2, n)
	require.ErrorAs(t, err, &e)
	require.Equal(t, long, e.Key)
}

// A reference of Ref permits only the operations of its type: others fail with PermissionDenied.
func TestRefIsNotWidened(t *testing.T) {
	bucket := newWholeBucket(t)
	reader := storage.Ref[storage.Downloader](bucket).(storage.Bucket)

	for _, row := range wholeBucketCalls {
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

	_, ok := storage.As[any](reader)
	require.False(t, ok)

	uploader := storage.Ref[storage.Uploader](bucket).(storage.Bucket)
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

// If a Core downloads from a view of another bucket, a reader through Prefixed shows neither prefix in its
// attributes and errors.
func TestPrefixedReaderLosesBothPrefixes(t *testing.T) {
	broken := memstore.New(driver.WithLayer(faults.New(faults.Corrupt(faults.Get, 1)).Layer()),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := broken.Upload(t.Context(), "q/p/k", strings.NewReader("text"))
	require.NoError(t, err)
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		return &forwarding{c, storage.Prefixed(broken, "q/")}
	})
	require.NoError(t, err)

	r, err := storage.Prefixed(bucket, "p/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, r.Close())
	}()
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
	return a, fmt.Errorf("checking: %w",
		errors.Join(err, &os.PathError{Op: "open", Path: "note", Err: os.ErrNotExist}))
}

// An error of a prefixed bucket never shows the prefix, whatever target errors.As gets.
func TestPrefixedErrorHidesPrefix(t *testing.T) {
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return &failing{c} })
	require.NoError(t, err)
	_, err = storage.Prefixed(bucket, "secret/").Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NotContains(t, err.Error(), "secret")

	e, ok := errors.AsType[*storage.Error](err)
	require.True(t, ok)
	require.Equal(t, "k", e.Key)

	var value slog.LogValuer
	require.ErrorAs(t, err, &value, "an interface that *storage.Error has")
	require.NotContains(t, value.LogValue().String(), "secret")

	inner, ok := errors.AsType[*os.PathError](err)
	require.True(t, ok, "an error that the engine has added")
	require.Equal(t, "note", inner.Path)

	var absent *net.OpError
	require.False(t, errors.As(err, &absent))
}

// A silent core returns neither results nor errors.
type silent struct{ storage.Core }

func (silent) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silent) Download(context.Context, string, *storage.DownloadOptions) (*storage.Reader, error) {
	return nil, nil
}

func (silent) Attrs(context.Context, string, *storage.DownloadOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silent) List(context.Context, *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return nil
}

func (silent) ListPage(context.Context, string, *storage.ListOptions) (*storage.Page, error) {
	return nil, nil
}

func (silent) Versions(context.Context, *storage.ListOptions) iter.Seq2[storage.VersionEntry, error] {
	return nil
}

func (silent) CopyFrom(
	context.Context, string, storage.CopySource, *storage.CopyOptions,
) (*storage.Attrs, error) {
	return nil, nil
}

func (silent) Compose(context.Context, string, []string, *storage.CopyOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silent) Move(context.Context, string, string, *storage.CopyOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silent) SignedUploadURL(context.Context, string, *storage.SignOptions) (*storage.SignedURL, error) {
	return nil, nil
}

func (silent) SignedDownloadURL(context.Context, string, *storage.SignOptions) (*storage.SignedURL, error) {
	return nil, nil
}

func (silent) SignedRemoveURL(context.Context, string, *storage.SignOptions) (*storage.SignedURL, error) {
	return nil, nil
}

func (silent) SignedUploadForm(
	context.Context, string, int64, int64, *storage.SignOptions,
) (*storage.SignedForm, error) {
	return nil, nil
}

func (silent) Vend(context.Context, string, storage.Rights, time.Duration) (*storage.VendedCredentials, error) {
	return nil, nil
}

func (silent) BeginUpload(context.Context, string, *storage.UploadOptions) (storage.MultipartUpload, error) {
	return nil, nil
}

func (silent) ContinueUpload(context.Context, string, *storage.UploadOptions) (storage.MultipartUpload, error) {
	return nil, nil
}

func (silent) ContinueListedUpload(
	context.Context, storage.UploadEntry, *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	return nil, nil
}

func (silent) ListUploads(context.Context, *storage.ListOptions) iter.Seq2[storage.UploadEntry, error] {
	return nil
}

func (silent) PutSignedPart(
	context.Context, string, string, int, io.Reader, *storage.PartOptions,
) (*storage.UploadedPart, error) {
	return nil, nil
}

// If a method of a Core returns neither a result nor an error, its caller gets an error with the Code Internal.
// Reflection finds each such method.
func TestCoreReturnsNeitherResultNorError(t *testing.T) {
	bucketType := reflect.TypeFor[silent]()
	core := reflect.TypeFor[storage.Core]()
	overridden := map[string]bool{}
	for i := range core.NumMethod() {
		m := core.Method(i).Type
		if m.NumOut() == 0 || m.NumIn() == 0 || m.In(0) != reflect.TypeFor[context.Context]() {
			continue
		}
		kind := m.Out(0).Kind()
		if kind == reflect.Pointer || kind == reflect.Func || kind == reflect.Interface && m.NumOut() == 2 {
			overridden[core.Method(i).Name] = true
		}
	}

	for name := range overridden {
		method, _ := bucketType.MethodByName(name)
		file, _ := runtime.FuncForPC(method.Func.Pointer()).FileLine(method.Func.Pointer())
		require.Contains(t, file, "core_test.go", "silent needs the method %s", name)
	}

	bucket, err := storage.Wrap(newWholeBucket(t), func(c storage.Core) storage.Core { return silent{c} })
	require.NoError(t, err)
	for name, view := range map[string]storage.Bucket{"whole": bucket, "view": storage.Prefixed(bucket, "p/")} {
		for call, err := range silentCalls(t.Context(), view) {
			e, ok := errors.AsType[*storage.Error](err)
			require.True(t, ok, "%s through %s: %v", call, name, err)
			require.Equal(t, storage.Internal, e.Code, "%s through %s: %v", call, name, err)
			require.ErrorContains(t, e, "neither a result nor an error", "%s through %s", call, name)
			require.NotContains(t, e.Key, "p/", "%s through %s", call, name)
		}
	}
}

// silentCalls calls each function and method whose result a Core gives.
func silentCalls(ctx context.Context, bucket storage.Bucket) map[string]error {
	body := func() io.Reader { return strings.NewReader("x") }
	part := storage.UploadEntry{Key: "k", Upload: "u"}
	return map[string]error{
		"Upload":               lastError(bucket.Upload(ctx, "k", body())),
		"Download":             lastError(bucket.Download(ctx, "k")),
		"Attrs":                lastError(bucket.Attrs(ctx, "k")),
		"List":                 firstError(bucket.List(ctx)),
		"ListPage":             lastError(storage.ListPage(ctx, bucket, "")),
		"Versions":             firstError(storage.Versions(ctx, bucket)),
		"Copy":                 lastError(storage.Copy(ctx, bucket, "k", memstore.New(), "k")),
		"Copy of itself":       lastError(storage.Copy(ctx, bucket, "k", bucket, "k")),
		"Compose":              lastError(storage.Compose(ctx, bucket, "k", []string{"k"})),
		"Move":                 lastError(storage.Move(ctx, bucket, "k", "to")),
		"Append":               lastError(storage.Append(ctx, bucket, "k", []byte("x"))),
		"SignedUploadURL":      lastError(bucket.SignedUploadURL(ctx, "k")),
		"SignedDownloadURL":    lastError(bucket.SignedDownloadURL(ctx, "k")),
		"SignedRemoveURL":      lastError(storage.SignedRemoveURL(ctx, bucket, "k")),
		"SignedUploadForm":     lastError(storage.SignedUploadForm(ctx, bucket, "k", 0, 1)),
		"Vend":                 lastError(storage.Vend(ctx, bucket, "", storage.Rights{Read: true}, time.Hour)),
		"BeginUpload":          lastError(storage.BeginUpload(ctx, bucket, "k")),
		"ContinueUpload":       lastError(storage.ContinueUpload(ctx, bucket, "token")),
		"ContinueListedUpload": lastError(storage.ContinueListedUpload(ctx, bucket, part)),
		"ListUploads":          firstError(storage.ListUploads(ctx, bucket)),
		"PutSignedPart":        lastError(storage.PutSignedPart(ctx, bucket, "k", "u", 1, body())),
	}
}

// A keeping core returns the same attributes again and again, with a key of its own.
type keeping struct {
	storage.Core
	attrs *storage.Attrs
}

func (k keeping) Attrs(context.Context, string, *storage.DownloadOptions) (*storage.Attrs, error) {
	return k.attrs, nil
}

func (k keeping) Download(context.Context, string, *storage.DownloadOptions) (*storage.Reader, error) {
	return storage.NewReader(k.attrs, 0, 0, nil), nil
}

// Attrs from a prefixed bucket have the key of the call, even if a Core returns another one.
func TestPrefixedAttrsHaveKeyOfCall(t *testing.T) {
	for _, key := range []string{"p/p/k", "outside/secret"} {
		attrs := &storage.Attrs{Key: key}
		bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return keeping{c, attrs} })
		require.NoError(t, err)
		view := storage.Prefixed(bucket, "p/")

		for range 2 {
			a, err := view.Attrs(t.Context(), "p/k")
			require.NoError(t, err)
			require.Equal(t, "p/k", a.Key)

			r, err := view.Download(t.Context(), "p/k")
			require.NoError(t, err)
			require.Equal(t, "p/k", r.Attrs().Key)

			content, err := io.ReadAll(r)
			require.NoError(t, err, "the body is nil, and therefore empty")
			require.Empty(t, content)
			require.NoError(t, r.Close())
		}
		require.Equal(t, key, attrs.Key)
	}
}

// Each function refuses a nil bucket, and Wrap also refuses a nil function.
func TestFunctionsRefuseNilBucket(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	_, _, readAll := storage.ReadAll(ctx, nil, "k")
	_, _, ranges := storage.ReadRanges(ctx, nil, "k", []storage.Range{{Offset: 0, Length: 1}})
	writer := storage.NewWriter(ctx, nil, "k")
	_, committed := writer.Commit()
	change := func([]byte, *storage.Attrs) ([]byte, error) { return nil, nil }
	_, wrapped := storage.Wrap(memstore.New(), nil)
	_, copyErr := storage.Copy(ctx, memstore.New(), "k", nil, "k")
	failures := map[string]error{
		"ReadAll":        readAll,
		"ReadRanges":     ranges,
		"NewReaderAt":    lastError(storage.NewReaderAt(ctx, nil, "k")),
		"UploadFile":     lastError(storage.UploadFile(ctx, nil, "k", path)),
		"DownloadFile":   lastError(storage.DownloadFile(ctx, nil, "k", path)),
		"NewWriter":      committed,
		"Update":         lastError(storage.Update(ctx, nil, "k", change)),
		"FS":             lastError(storage.FS(ctx, nil).Open("k")),
		"RemoveAll":      lastError(storage.RemoveAll(ctx, nil, slices.Values([]string{"k"}))),
		"RemoveMatching": lastError(storage.RemoveMatching(ctx, nil, nil)),
		"Ref":            lastError(storage.Ref[storage.AttrsReader](nil).Attrs(ctx, "k")),
		"Prefixed":       lastError(storage.Prefixed(nil, "p/").Attrs(ctx, "k")),
		"Wrap of nil":    lastError(storage.Wrap(nil, func(c storage.Core) storage.Core { return c })),
		"Wrap":           wrapped,
		"Copy":           lastError(storage.Copy(ctx, nil, "k", memstore.New(), "k")),
		"Copy from nil":  copyErr,
		"Close":          storage.Close(nil),
	}
	codes := []storage.Code{storage.InvalidArgument, storage.Unsupported} // no bucket is not one of this library

	for name, err := range failures {
		require.Contains(t, codes, storage.CodeOf(err), "%s: %v", name, err)
	}
	require.False(t, storage.Supports(nil, storage.Metadata))

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "x", string(content))
}

// A restoring core makes copies by Download and Upload.
type restoring struct{ storage.Core }

func (c restoring) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, _ *storage.CopyOptions,
) (*storage.Attrs, error) {
	r, err := src.Download(ctx, &storage.DownloadOptions{Length: -1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return c.Upload(ctx, key, r, &storage.UploadOptions{Size: -1})
}

// If a Core's CopyFrom cannot append bytes, Append fails instead of returning nil.
func TestAppendThroughCoreThatCopies(t *testing.T) {
	bucket, err := storage.Wrap(newWholeBucket(t), func(c storage.Core) storage.Core { return restoring{c} })
	require.NoError(t, err)

	_, err = storage.Append(t.Context(), bucket, "k", []byte("more"))
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = storage.Append(t.Context(), bucket, "new", []byte("more"))
	require.NoError(t, err)
	audited, _ := newAuditedBucket(t, newWholeBucket(t))
	a, err := storage.Append(t.Context(), audited, "k", []byte("more"))
	require.NoError(t, err)
	require.EqualValues(t, 8, a.Size)
}
