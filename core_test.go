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

// An auditingCore records the calls of Upload and Remove, and passes all calls on.
type auditingCore struct {
	storage.Core
	calls *[]string
}

func (a *auditingCore) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	*a.calls = append(*a.calls, "Upload "+key)
	return a.Core.Upload(ctx, key, body, o)
}

func (a *auditingCore) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	*a.calls = append(*a.calls, "Remove "+key)
	return a.Core.Remove(ctx, key, o)
}

// newAuditedBucket returns b with a Core that notes calls.
func newAuditedBucket(t *testing.T, bucket storage.Bucket) (storage.Bucket, *[]string) {
	t.Helper()
	calls := new([]string)
	audited, err := storage.Wrap(bucket, func(c storage.Core) storage.Core { return &auditingCore{c, calls} })
	require.NoError(t, err)
	return audited, calls
}

// A Core that embeds another one gets each call of the methods that it overrides, with whole keys.
func TestWrapWithEmbeddedCore(t *testing.T) {
	bucket, calls := newAuditedBucket(t, newWholeBucket(t))
	view := storage.Prefixed(bucket, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	require.NoError(t, storage.Ref[storage.Remover](view).Remove(t.Context(), "k"))

	change := func([]byte, *storage.Attrs) ([]byte, error) {
		return []byte("x"), nil
	}
	_, err = storage.Update(t.Context(), bucket, "u", change)
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

// Functions that need a bucket of this library fail with Unsupported for another type, and hint at Wrap.
func TestFunctionsRefuseOtherBucketTypes(t *testing.T) {
	// A type that embeds a Bucket is another type.
	type embedding struct{ storage.Bucket }
	bucket := embedding{newWholeBucket(t)}

	// Call each function with it.
	ctx := t.Context()
	noVersions := func(func(storage.VersionEntry) bool) {}
	sameCore := func(c storage.Core) storage.Core { return c }
	errs := map[string]error{
		"Copy":           lastError(storage.Copy(ctx, bucket, "to", bucket, "k")),
		"Compose":        lastError(storage.Compose(ctx, bucket, "to", []string{"k"})),
		"Move":           lastError(storage.Move(ctx, bucket, "k", "to")),
		"ListPage":       lastError(storage.ListPage(ctx, bucket, "")),
		"RemoveAll":      lastError(storage.RemoveAll(ctx, bucket, slices.Values([]string{"k"}))),
		"RemoveVersions": lastError(storage.RemoveVersions(ctx, bucket, noVersions)),
		"Wrap":           lastError(storage.Wrap(bucket, sameCore)),
		"Prefixed":       lastError(storage.Prefixed(bucket, "p/").Attrs(ctx, "k")),
		"Ref":            lastError(storage.Ref[storage.AttrsReader](bucket).Attrs(ctx, "k")),
	}
	for _, tt := range wholeBucketCalls {
		errs[tt.name] = tt.call(t.Context(), bucket)
	}

	for name, err := range errs {
		t.Run(name, func(t *testing.T) {
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unsupported, storageErr.Code)
			require.Contains(t, storageErr.Error(),
				name+" needs a bucket of this library, and the value is a storage_test.embedding")
			require.Contains(t, storageErr.Hint, "storage.Wrap")
		})
	}

	// Copy accepts a bucket of any type as its source, and reads it with the method Download.
	_, err := storage.Copy(t.Context(), memstore.New(), "to", bucket, "k")
	require.NoError(t, err)
}

// Wrap fails with InvalidArgument for a view, a Ref, or a function that returns no Core.
func TestWrapRefusesPartsOfBuckets(t *testing.T) {
	bucket := newWholeBucket(t)
	sameCore := func(c storage.Core) storage.Core { return c }
	noCore := func(storage.Core) storage.Core { return nil }
	tests := []struct {
		name   string
		bucket storage.Bucket
		wrap   func(storage.Core) storage.Core
	}{
		{name: "view", bucket: storage.Prefixed(bucket, "p/"), wrap: sameCore},
		{name: "Ref", bucket: storage.Ref[storage.Downloader](bucket).(storage.Bucket), wrap: sameCore},
		{name: "nil Core", bucket: bucket, wrap: noCore},
		{name: "view of a nil Core", bucket: storage.Prefixed(storage.NewBucket(nil), "p/"), wrap: sameCore},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrapped, err := storage.Wrap(tt.bucket, tt.wrap)
			require.Nil(t, wrapped)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// Each call of a bucket without a Core fails with InvalidArgument, except Close.
func TestNewBucketWithoutCore(t *testing.T) {
	bucket := storage.NewBucket(nil)
	for _, tt := range wholeBucketCalls {
		if tt.name == "Close" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, tt.call(t.Context(), bucket), storage.InvalidArgument)
		})
	}
	require.NoError(t, storage.Close(bucket))

	// Supports returns false even for an empty set of features. As finds no client.
	const noFeatures = 0
	require.False(t, storage.Supports(bucket, noFeatures))
	_, ok := storage.As[any](bucket)
	require.False(t, ok)
}

// A bucket that was wrapped twice can be closed through the outer wrapper, and again through the inner one.
func TestWrapTwiceClose(t *testing.T) {
	bucket := memstore.New()
	inner, _ := newAuditedBucket(t, bucket)
	outer, _ := newAuditedBucket(t, inner)

	require.NoError(t, storage.Close(outer))
	require.NoError(t, storage.Close(inner))

	// The bucket itself is closed, too.
	_, err := bucket.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// A readCountingCore counts the downloads, also those of copies.
type readCountingCore struct {
	storage.Core
	reads *int
}

func (w *readCountingCore) Source(key string) storage.CopySource {
	return storage.NewCopySource(w, key)
}

func (w *readCountingCore) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	*w.reads++
	return w.Core.Download(ctx, key, o)
}

// If a user has wrapped a bucket's Core, Copy reads the source with that Core's Download. The errors of Copy have the
// key that was passed to Copy.
func TestCopyReadsThroughCore(t *testing.T) {
	// The Core of this bucket counts its downloads.
	reads := 0
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		return &readCountingCore{c, &reads}
	})
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "p/k", strings.NewReader("text"))
	require.NoError(t, err)

	// Copy from a view makes one download.
	attrs, err := storage.Copy(t.Context(), bucket, "to", storage.Prefixed(bucket, "p/"), "k")
	require.NoError(t, err)
	require.Equal(t, "to", attrs.Key)
	require.Equal(t, 1, reads)

	// The error for a missing source has its key without the prefix of the view.
	_, err = storage.Copy(t.Context(), bucket, "to", storage.Prefixed(bucket, "p/"), "none")
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, "Copy", storageErr.Op)
	require.Equal(t, "none", storageErr.Key)
}

// wholeBucketCalls has the functions that need more than the methods of Bucket. Each works on the object "k".
var wholeBucketCalls = []struct {
	name string
	call func(ctx context.Context, bucket storage.Bucket) error
}{
	{
		name: "Versions",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return refusalOf(storage.Versions(ctx, bucket))
		},
	},
	{
		name: "Tags",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			_, err := storage.Tags(ctx, bucket, "k")
			return err
		},
	},
	{
		name: "SetTags",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return storage.SetTags(ctx, bucket, "k", nil)
		},
	},
	{
		name: "SetRetention",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return storage.SetRetention(ctx, bucket, "k", storage.Retention{})
		},
	},
	{
		name: "SetLegalHold",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return storage.SetLegalHold(ctx, bucket, "k", false)
		},
	},
	{
		name: "Restore",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return storage.Restore(ctx, bucket, "k")
		},
	},
	{
		name: "SignedUploadForm",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			_, err := storage.SignedUploadForm(ctx, bucket, "k", 0, 1)
			return err
		},
	},
	{
		name: "BeginUpload",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			_, err := storage.BeginUpload(ctx, bucket, "k")
			return err
		},
	},
	{
		name: "ListUploads",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return refusalOf(storage.ListUploads(ctx, bucket))
		},
	},
	{
		name: "AbortUpload",
		call: func(ctx context.Context, bucket storage.Bucket) error {
			return storage.AbortUpload(ctx, bucket, storage.UploadEntry{Key: "k", Upload: "none"})
		},
	},
	{
		name: "Close",
		call: func(_ context.Context, bucket storage.Bucket) error { return storage.Close(bucket) },
	},
}

// refusalOf returns the error with which a listing begins, or nil if it begins with an entry.
func refusalOf[E any](listing iter.Seq2[E, error]) error {
	for _, err := range listing {
		return err
	}
	return nil
}

// lastError returns the error of a call.
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

// A writeCounter counts the calls of Write.
type writeCounter int

func (w *writeCounter) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

// If an object is in memory, WriteTo makes a single call of Write. This also holds for the reader of a prefixed bucket.
func TestPrefixedDownloadWriteTo(t *testing.T) {
	const size = 1 << 20
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "p/k", strings.NewReader(strings.Repeat("x", size)))
	require.NoError(t, err)

	reader, err := storage.Prefixed(bucket, "p/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, reader.Close())
	}()
	require.Equal(t, "k", reader.Attrs().Key)

	var calls writeCounter
	written, err := reader.WriteTo(&calls)
	require.NoError(t, err)
	require.EqualValues(t, size, written)
	require.EqualValues(t, 1, calls)
}

// Versions and Tags of a prefixed bucket take and return keys without the prefix, also in errors.
func TestPrefixedShowsKeysBelowPrefix(t *testing.T) {
	view := storage.Prefixed(newWholeBucket(t), "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"),
		storage.WithTags(map[string]string{"a": "b"}))
	require.NoError(t, err)

	// A listing of versions has the key without the prefix.
	var keys []string
	for version, err := range storage.Versions(t.Context(), view) {
		require.NoError(t, err)
		keys = append(keys, version.Key)
	}
	require.Equal(t, []string{"k"}, keys)

	// An error of Tags has the key without the prefix, too.
	_, err = storage.Tags(t.Context(), view, "missing")
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, "Tags", storageErr.Op)
	require.Equal(t, "missing", storageErr.Key)
}

// An open upload of a prefixed bucket has a key without the prefix, and cannot be continued through a view of another
// prefix.
func TestPrefixedOpenUpload(t *testing.T) {
	bucket := newWholeBucket(t)
	view := storage.Prefixed(bucket, "p/")
	upload, err := storage.BeginUpload(t.Context(), view, "parts")
	require.NoError(t, err)
	require.Equal(t, "parts", upload.Key())

	// A listing of the view shows the same key.
	var listed []string
	for entry, err := range storage.ListUploads(t.Context(), view) {
		require.NoError(t, err)
		listed = append(listed, entry.Key)
	}
	require.Equal(t, []string{"parts"}, listed)

	// A view of another prefix refuses the token of the upload.
	_, err = storage.ContinueUpload(t.Context(), storage.Prefixed(bucket, "q/"), upload.Token())
	require.ErrorIs(t, err, storage.InvalidArgument)

	// The view itself can continue the upload.
	continued, err := storage.ContinueUpload(t.Context(), view, upload.Token())
	require.NoError(t, err)
	require.Equal(t, "parts", continued.Key())
	_, err = continued.PutPart(t.Context(), 1, strings.NewReader("part"))
	require.NoError(t, err)
	attrs, err := continued.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, "parts", attrs.Key)
}

// RemoveAll of a prefixed bucket takes keys without the prefix, and its errors contain the keys without the prefix.
func TestPrefixedRemoveAll(t *testing.T) {
	view := storage.Prefixed(newWholeBucket(t), "p/")
	for _, key := range []string{"a", "b"} {
		_, err := view.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
	}

	tooLong := strings.Repeat("x", 2000)
	removed, err := storage.RemoveAll(t.Context(), view, slices.Values([]string{"a", "b", tooLong}))
	require.Equal(t, 2, removed)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, tooLong, storageErr.Key)
}

// A Ref permits only the operations of its type, and all others fail with PermissionDenied.
func TestRefIsNotWidened(t *testing.T) {
	bucket := newWholeBucket(t)
	reader := storage.Ref[storage.Downloader](bucket).(storage.Bucket)

	for _, tt := range wholeBucketCalls {
		if tt.name == "Close" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, tt.call(t.Context(), reader), storage.PermissionDenied)
		})
	}

	// The functions that take a bucket may do only what the Ref permits.
	_, err := storage.Copy(t.Context(), reader, "copy", reader, "k")
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, err = storage.RemoveAll(t.Context(), reader, slices.Values([]string{"k"}))
	require.ErrorIs(t, err, storage.PermissionDenied)

	_, ok := storage.As[any](reader)
	require.False(t, ok)

	// An open upload permits no more than the Ref that has begun it.
	uploader := storage.Ref[storage.Uploader](bucket).(storage.Bucket)
	upload, err := storage.BeginUpload(t.Context(), uploader, "parts")
	require.NoError(t, err)
	_, err = upload.SignPart(t.Context(), 1)
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// A forwardingCore downloads from another bucket.
type forwardingCore struct {
	storage.Core
	to storage.Bucket
}

func (f *forwardingCore) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	return f.to.Download(ctx, key, storage.WithRange(o.Offset, o.Length))
}

// If a Core downloads from a view of another bucket, a reader through Prefixed shows neither of the two prefixes.
func TestPrefixedReaderLosesBothPrefixes(t *testing.T) {
	// The first download of this bucket delivers damaged bytes, so that reading it fails.
	corrupt := faults.New(faults.Corrupt(faults.Get, 1)).Layer()
	once := storage.RetryPolicy{Attempts: 1}
	broken := memstore.New(driver.WithLayer(corrupt), storage.WithRetry(once))
	_, err := broken.Upload(t.Context(), "inner/outer/k", strings.NewReader("text"))
	require.NoError(t, err)

	// The Core reads from a view of that bucket. So a user of Prefixed reads through two prefixes.
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		return &forwardingCore{c, storage.Prefixed(broken, "inner/")}
	})
	require.NoError(t, err)

	// The key in the attributes and in the error has neither prefix.
	reader, err := storage.Prefixed(bucket, "outer/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, reader.Close())
	}()
	require.Equal(t, "k", reader.Attrs().Key)

	_, err = io.ReadAll(reader)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, "k", storageErr.Key)
}

// A failingCore adds a text to the errors of another core, and joins a second error.
type failingCore struct{ storage.Core }

func (f *failingCore) Attrs(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Attrs, error) {
	attrs, err := f.Core.Attrs(ctx, key, o)
	second := &os.PathError{Op: "open", Path: "note", Err: os.ErrNotExist}
	return attrs, fmt.Errorf("checking: %w", errors.Join(err, second))
}

// No error that errors.As finds in an error of a prefixed bucket shows the prefix.
func TestPrefixedErrorHidesPrefix(t *testing.T) {
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return &failingCore{c} })
	require.NoError(t, err)

	// Read a missing object through a view.
	_, err = storage.Prefixed(bucket, "secret/").Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NotContains(t, err.Error(), "secret")

	// The *storage.Error in the chain has the key of the view.
	storageErr, ok := errors.AsType[*storage.Error](err)
	require.True(t, ok)
	require.Equal(t, "k", storageErr.Key)

	// Its form in a log, of a slog.LogValuer, does not show the prefix.
	var logValuer slog.LogValuer
	require.ErrorAs(t, err, &logValuer)
	require.NotContains(t, logValuer.LogValue().String(), "secret")

	// The failingCore has joined an os.PathError.
	pathErr, ok := errors.AsType[*os.PathError](err)
	require.True(t, ok)
	require.Equal(t, "note", pathErr.Path)

	// A type that is not in the chain is not found.
	var absent *net.OpError
	require.False(t, errors.As(err, &absent))
}

// A silentCore returns neither results nor errors.
type silentCore struct{ storage.Core }

func (silentCore) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silentCore) Download(context.Context, string, *storage.DownloadOptions) (*storage.Reader, error) {
	return nil, nil
}

func (silentCore) Attrs(context.Context, string, *storage.DownloadOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silentCore) List(context.Context, *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return nil
}

func (silentCore) ListPage(context.Context, string, *storage.ListOptions) (*storage.Page, error) {
	return nil, nil
}

func (silentCore) Versions(context.Context, *storage.ListOptions) iter.Seq2[storage.VersionEntry, error] {
	return nil
}

func (silentCore) CopyFrom(
	context.Context, string, storage.CopySource, *storage.CopyOptions,
) (*storage.Attrs, error) {
	return nil, nil
}

func (silentCore) Compose(context.Context, string, []string, *storage.CopyOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silentCore) Move(context.Context, string, string, *storage.CopyOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (silentCore) SignedUploadURL(context.Context, string, *storage.SignOptions) (*storage.SignedURL, error) {
	return nil, nil
}

func (silentCore) SignedDownloadURL(context.Context, string, *storage.SignOptions) (*storage.SignedURL, error) {
	return nil, nil
}

func (silentCore) SignedRemoveURL(context.Context, string, *storage.SignOptions) (*storage.SignedURL, error) {
	return nil, nil
}

func (silentCore) SignedUploadForm(
	context.Context, string, int64, int64, *storage.SignOptions,
) (*storage.SignedForm, error) {
	return nil, nil
}

func (silentCore) Vend(context.Context, string, storage.Rights, time.Duration) (*storage.VendedCredentials, error) {
	return nil, nil
}

func (silentCore) BeginUpload(context.Context, string, *storage.UploadOptions) (storage.MultipartUpload, error) {
	return nil, nil
}

func (silentCore) ContinueUpload(context.Context, string, *storage.UploadOptions) (storage.MultipartUpload, error) {
	return nil, nil
}

func (silentCore) ContinueListedUpload(
	context.Context, storage.UploadEntry, *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	return nil, nil
}

func (silentCore) ListUploads(context.Context, *storage.ListOptions) iter.Seq2[storage.UploadEntry, error] {
	return nil
}

func (silentCore) PutSignedPart(
	context.Context, string, string, int, io.Reader, *storage.PartOptions,
) (*storage.UploadedPart, error) {
	return nil, nil
}

// canBeSilent reports whether a method of Core can return neither a result nor an error, because it takes a context
// and its first result is a pointer, a function, or an interface beside an error.
func canBeSilent(method reflect.Type) bool {
	takesContext := method.NumIn() > 0 && method.In(0) == reflect.TypeFor[context.Context]()
	if !takesContext || method.NumOut() == 0 {
		return false
	}
	switch method.Out(0).Kind() {
	case reflect.Pointer, reflect.Func:
		return true
	case reflect.Interface:
		return method.NumOut() == 2 // the other result is an error
	}
	return false
}

// silentCore has each method of Core that could, by mistake, return nil for both its result and its error.
func TestSilentCoreHasEachMethod(t *testing.T) {
	core := reflect.TypeFor[storage.Core]()
	for i := range core.NumMethod() {
		if !canBeSilent(core.Method(i).Type) {
			continue
		}

		// A method of silentCore itself stands in this file, and a promoted one of its embedded Core does not.
		name := core.Method(i).Name
		method, _ := reflect.TypeFor[silentCore]().MethodByName(name)
		file, _ := runtime.FuncForPC(method.Func.Pointer()).FileLine(method.Func.Pointer())
		require.Contains(t, file, "core_test.go", "silentCore needs the method %s", name)
	}
}

// A call fails with Internal if the Core returns neither a result nor an error, and the error does not show the prefix.
func TestCoreReturnsNeitherResultNorError(t *testing.T) {
	bucket, err := storage.Wrap(newWholeBucket(t), func(c storage.Core) storage.Core { return silentCore{c} })
	require.NoError(t, err)
	targets := map[string]storage.Bucket{
		"whole": bucket,
		"view":  storage.Prefixed(bucket, "p/"),
	}
	for name, target := range targets {
		// silentCalls has the error of each call.
		for call, err := range silentCalls(t.Context(), target) {
			t.Run(name+"/"+call, func(t *testing.T) {
				storageErr, ok := errors.AsType[*storage.Error](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, storage.Internal, storageErr.Code, "%v", err)
				require.ErrorContains(t, err, "neither a result nor an error")
				require.NotContains(t, storageErr.Key, "p/")
			})
		}
	}
}

// silentCalls calls each function and method whose result comes from a Core, and returns the errors by name.
func silentCalls(ctx context.Context, bucket storage.Bucket) map[string]error {
	body := func() io.Reader { return strings.NewReader("x") }
	part := storage.UploadEntry{Key: "k", Upload: "u"}
	return map[string]error{
		"Upload":            lastError(bucket.Upload(ctx, "k", body())),
		"Download":          lastError(bucket.Download(ctx, "k")),
		"Attrs":             lastError(bucket.Attrs(ctx, "k")),
		"List":              refusalOf(bucket.List(ctx)),
		"ListPage":          lastError(storage.ListPage(ctx, bucket, "")),
		"Versions":          refusalOf(storage.Versions(ctx, bucket)),
		"Copy":              lastError(storage.Copy(ctx, bucket, "k", memstore.New(), "k")),
		"Copy of itself":    lastError(storage.Copy(ctx, bucket, "k", bucket, "k")),
		"Compose":           lastError(storage.Compose(ctx, bucket, "k", []string{"k"})),
		"Move":              lastError(storage.Move(ctx, bucket, "k", "to")),
		"Append":            lastError(storage.Append(ctx, bucket, "k", []byte("x"))),
		"SignedUploadURL":   lastError(bucket.SignedUploadURL(ctx, "k")),
		"SignedDownloadURL": lastError(bucket.SignedDownloadURL(ctx, "k")),
		"SignedRemoveURL":   lastError(storage.SignedRemoveURL(ctx, bucket, "k")),
		"SignedUploadForm":  lastError(storage.SignedUploadForm(ctx, bucket, "k", 0, 1)),
		"Vend": lastError(storage.Vend(ctx, bucket, "",
			storage.Rights{Read: true}, time.Hour)),
		"BeginUpload":          lastError(storage.BeginUpload(ctx, bucket, "k")),
		"ContinueUpload":       lastError(storage.ContinueUpload(ctx, bucket, "token")),
		"ContinueListedUpload": lastError(storage.ContinueListedUpload(ctx, bucket, part)),
		"ListUploads":          refusalOf(storage.ListUploads(ctx, bucket)),
		"PutSignedPart":        lastError(storage.PutSignedPart(ctx, bucket, "k", "u", 1, body())),
	}
}

// A fixedAttrsCore returns the same attributes again and again, with a key of its own.
type fixedAttrsCore struct {
	storage.Core
	attrs *storage.Attrs
}

func (k fixedAttrsCore) Attrs(context.Context, string, *storage.DownloadOptions) (*storage.Attrs, error) {
	return k.attrs, nil
}

func (k fixedAttrsCore) Download(context.Context, string, *storage.DownloadOptions) (*storage.Reader, error) {
	return storage.NewReader(k.attrs, 0, 0, nil), nil
}

// Attributes from a prefixed bucket have the key of the call, even if the Core returns another one.
func TestPrefixedAttrsHaveKeyOfCall(t *testing.T) {
	// The key in the view begins with the prefix of the view, so that the test fails if a prefix is cut off twice.
	const key = "p/k"
	tests := []struct {
		name    string
		coreKey string // in the Attrs of the Core
	}{
		{name: "the right key", coreKey: "p/" + key},
		{name: "a key outside of the view", coreKey: "outside/secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			coreAttrs := &storage.Attrs{Key: tt.coreKey}
			bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
				return fixedAttrsCore{c, coreAttrs}
			})
			require.NoError(t, err)
			view := storage.Prefixed(bucket, "p/")

			// The first call must not change the Attrs that the Core returns again.
			for range 2 {
				attrs, err := view.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, key, attrs.Key)

				reader, err := view.Download(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, key, reader.Attrs().Key)

				// The Core returns a nil body, which is empty.
				content, err := io.ReadAll(reader)
				require.NoError(t, err)
				require.Empty(t, content)
				require.NoError(t, reader.Close())
			}
			require.Equal(t, tt.coreKey, coreAttrs.Key)
		})
	}
}

// Each function fails for a nil bucket instead of panicking, and Wrap also for a nil function.
func TestFunctionsRefuseNilBucket(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))

	// Call each function with nil instead of a bucket.
	_, _, readAllErr := storage.ReadAll(ctx, nil, "k")
	_, _, readRangesErr := storage.ReadRanges(ctx, nil, "k", []storage.Range{{Offset: 0, Length: 1}})
	change := func([]byte, *storage.Attrs) ([]byte, error) { return nil, nil }
	errs := map[string]error{
		"ReadAll":        readAllErr,
		"ReadRanges":     readRangesErr,
		"NewReaderAt":    lastError(storage.NewReaderAt(ctx, nil, "k")),
		"UploadFile":     lastError(storage.UploadFile(ctx, nil, "k", path)),
		"DownloadFile":   lastError(storage.DownloadFile(ctx, nil, "k", path)),
		"NewWriter":      lastError(storage.NewWriter(ctx, nil, "k").Commit()),
		"Update":         lastError(storage.Update(ctx, nil, "k", change)),
		"FS":             lastError(storage.FS(ctx, nil).Open("k")),
		"RemoveAll":      lastError(storage.RemoveAll(ctx, nil, slices.Values([]string{"k"}))),
		"RemoveMatching": lastError(storage.RemoveMatching(ctx, nil, nil)),
		"Ref":            lastError(storage.Ref[storage.AttrsReader](nil).Attrs(ctx, "k")),
		"Prefixed":       lastError(storage.Prefixed(nil, "p/").Attrs(ctx, "k")),
		"Wrap of nil":    lastError(storage.Wrap(nil, func(c storage.Core) storage.Core { return c })),
		"Wrap":           lastError(storage.Wrap(memstore.New(), nil)),
		"Copy":           lastError(storage.Copy(ctx, nil, "k", memstore.New(), "k")),
		"Copy from nil":  lastError(storage.Copy(ctx, memstore.New(), "k", nil, "k")),
		"Close":          storage.Close(nil),
	}

	// With nil as a bucket, some functions fail with InvalidArgument, and the others with Unsupported.
	codes := []storage.Code{storage.InvalidArgument, storage.Unsupported}
	for name, err := range errs {
		require.Contains(t, codes, storage.CodeOf(err), "%s: %v", name, err)
	}
	require.False(t, storage.Supports(nil, storage.Metadata))

	// DownloadFile has not touched the file.
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "x", string(content))
}

// A streamingCore makes copies by Download and Upload.
type streamingCore struct{ storage.Core }

func (c streamingCore) CopyFrom(
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
	// The CopyFrom of this Core streams the source, and ignores the bytes to append.
	bucket, err := storage.Wrap(newWholeBucket(t), func(c storage.Core) storage.Core {
		return streamingCore{c}
	})
	require.NoError(t, err)

	// The object "k" exists, with the content "text".
	_, err = storage.Append(t.Context(), bucket, "k", []byte("more"))
	require.ErrorIs(t, err, storage.Unsupported)

	// A new object needs no copy.
	_, err = storage.Append(t.Context(), bucket, "new", []byte("more"))
	require.NoError(t, err)

	// The audited Core has the CopyFrom of the Core that it embeds, which can append.
	audited, _ := newAuditedBucket(t, newWholeBucket(t))
	attrs, err := storage.Append(t.Context(), audited, "k", []byte("more"))
	require.NoError(t, err)
	require.EqualValues(t, len("textmore"), attrs.Size)
}
