package engine_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A secretOption is an option of a driver that hides its value.
type secretOption struct{ secret string }

func (secretOption) String() string        { return "secret" }
func (o secretOption) Fingerprint() string { return fmt.Sprint(len(o.secret)) }

// A nativeRecorder is a driver that takes a secretOption, and records the native options of its calls.
type nativeRecorder struct {
	driver.Driver
	mu        sync.Mutex
	natives   map[string][]any // by the name of the call, of the last such call
	auxiliary bool             // GetRequest.Auxiliary of the last Get
}

func (d *nativeRecorder) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.CheckNative = func(value any) error {
		option, ok := value.(secretOption)
		if !ok {
			return storage.Unsupported
		}
		if option.secret == "" {
			return storage.InvalidArgument
		}
		return nil
	}
	return desc
}

func (d *nativeRecorder) record(call string, natives []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.natives[call] = natives
}

func (d *nativeRecorder) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	d.record("Put", r.Native)
	return d.Driver.Put(ctx, r)
}

func (d *nativeRecorder) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	d.record("BeginParts", r.Native)
	return d.Driver.BeginParts(ctx, r)
}

func (d *nativeRecorder) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	d.record("PutPart", r.Native)
	return d.Driver.PutPart(ctx, r)
}

func (d *nativeRecorder) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	d.record("CompleteParts", r.Put.Native)
	return d.Driver.CompleteParts(ctx, r)
}

func (d *nativeRecorder) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.record("Get", r.Native)
	d.auxiliary = r.Auxiliary
	return d.Driver.Get(ctx, r)
}

func (d *nativeRecorder) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	d.record("Head", r.Native)
	return d.Driver.Head(ctx, r)
}

func (d *nativeRecorder) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	d.record("Tags", r.Native)
	return d.Driver.Tags(ctx, r)
}

func (d *nativeRecorder) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	d.record("Copy", r.Native)
	d.record("source of Copy", r.Source.Native)
	return d.Driver.Copy(ctx, r)
}

func (d *nativeRecorder) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	d.record("Compose", r.Native)
	d.record("source of Compose", r.Sources[0].Native)
	return d.Driver.Compose(ctx, r)
}

func (d *nativeRecorder) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	d.record("Delete", r.Native)
	return d.Driver.Delete(ctx, r)
}

func (d *nativeRecorder) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	d.record("SetTags", r.Native)
	return d.Driver.SetTags(ctx, r)
}

// openWithNativeRecorder opens a bucket in memory over a nativeRecorder.
func openWithNativeRecorder(opts ...storage.OpenOption) (storage.Bucket, *nativeRecorder) {
	recorder := &nativeRecorder{Driver: memstore.NewDriver(memstore.Config{}), natives: map[string][]any{}}
	return engine.New(recorder, opts...), recorder
}

// withSecret returns an option that passes a secretOption to a nativeRecorder.
func withSecret(secret string) storage.NativeOption {
	return storage.WithNative("memory", secretOption{secret})
}

// The native option of a call reaches each of its requests, and that of a source reaches those that read the source.
func TestNativeOptionReachesEachRequest(t *testing.T) {
	ctx := t.Context()
	// The recorder keeps the options of the last request of each kind.
	bucket, recorder := openWithNativeRecorder()
	callOption := secretOption{"the call's"}
	sourceOption := secretOption{"the source's"}
	withOption := storage.WithNative("memory", callOption)
	withSourceOption := storage.WithSourceNative("memory", sourceOption)
	tags := map[string]string{"k": "v"}

	// Every call has callOption.
	_, err := bucket.Upload(ctx, "a", strings.NewReader("text"), withOption, storage.WithTags(tags))
	require.NoError(t, err)
	_, err = bucket.Upload(ctx, "parts", strings.NewReader("text"), withOption, storage.WithPartSize(2))
	require.NoError(t, err)
	_, err = bucket.Attrs(ctx, "a", withOption)
	require.NoError(t, err)
	_, _, err = storage.ReadAll(ctx, bucket, "a", withOption)
	require.NoError(t, err)
	require.NoError(t, storage.SetTags(ctx, bucket, "a", tags, withOption))

	// Copy and Compose read their sources with sourceOption.
	_, err = storage.Copy(ctx, bucket, "copy", bucket, "a", withOption, withSourceOption)
	require.NoError(t, err)
	require.Equal(t, []any{sourceOption}, recorder.natives["Head"])
	require.Equal(t, []any{sourceOption}, recorder.natives["Tags"])
	require.Equal(t, []any{sourceOption}, recorder.natives["source of Copy"])

	_, err = storage.Compose(ctx, bucket, "joined", []string{"a"}, withOption, withSourceOption)
	require.NoError(t, err)
	require.Equal(t, []any{sourceOption}, recorder.natives["Head"])
	require.Equal(t, []any{sourceOption}, recorder.natives["source of Compose"])

	// All other requests have callOption.
	require.NoError(t, bucket.Remove(ctx, "copy", withOption))
	for _, call := range []string{
		"Put", "BeginParts", "PutPart", "CompleteParts", "Get", "SetTags", "Copy", "Compose", "Delete",
	} {
		require.Equal(t, []any{callOption}, recorder.natives[call], call)
	}
}

// A copy that is streamed reads its source with the native option for the source.
func TestNativeOptionOfStreamedCopySource(t *testing.T) {
	src, recorder := openWithNativeRecorder()
	dst := memstore.New()
	_, err := src.Upload(t.Context(), "a", strings.NewReader("text"),
		storage.WithTags(map[string]string{"k": "v"}))
	require.NoError(t, err)

	_, err = storage.Copy(t.Context(), dst, "a", src, "a",
		storage.WithSourceNative("memory", secretOption{"key"}))
	require.NoError(t, err)
	require.Equal(t, []any{secretOption{"key"}}, recorder.natives["Get"])
	require.Equal(t, []any{secretOption{"key"}}, recorder.natives["Tags"])

	tags, err := storage.Tags(t.Context(), dst, "a")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, tags)
}

// Update reads and writes the object with the native option of the call, for a Bucket and for a type that embeds one.
func TestNativeOptionOfUpdate(t *testing.T) {
	bucket, recorder := openWithNativeRecorder()
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)
	keepContent := func(old []byte, _ *storage.Attrs) ([]byte, error) { return old, nil }

	for _, target := range []storage.ReadWriter{bucket, usersBucket{bucket}} {
		clear(recorder.natives)
		_, err = storage.Update(t.Context(), target, "a", keepContent, withSecret("hidden"))
		require.NoError(t, err)
		require.Equal(t, []any{secretOption{"hidden"}}, recorder.natives["Get"])
		require.Equal(t, []any{secretOption{"hidden"}}, recorder.natives["Put"])

		// The Get is marked as part of another operation, so that the driver ignores options that do not fit a Get.
		require.True(t, recorder.auxiliary)
	}
}

// After a lost response, the engine reads the object with the native option of the call.
func TestNativeOptionOfReconcile(t *testing.T) {
	injector := faults.New(faults.DropResponse(faults.Put))
	bucket, recorder := openWithNativeRecorder(driver.WithLayer(injector.Layer()),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"), storage.IfAbsent(),
		withSecret("own"))
	require.NoError(t, err)
	require.Equal(t, []any{secretOption{"own"}}, recorder.natives["Head"])
}

// A call whose native option the driver refuses sends no request.
func TestNativeOptionRefused(t *testing.T) {
	bucket, recorder := openWithNativeRecorder()
	tests := []struct {
		name   string
		option storage.UploadOption
		want   storage.Code
	}{
		{name: "an invalid value", option: withSecret(""), want: storage.InvalidArgument},
		{name: "an unknown type", option: storage.WithNative("memory", 1), want: storage.Unsupported},
		{
			name:   "an option of another provider",
			option: storage.WithNative("s3", secretOption{"own"}),
			want:   storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"), tt.option)
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.Empty(t, recorder.natives)
		})
	}
}

// If a native option, the tags or WithPublicRead differ from those of the upload that WithResume would continue, Upload
// sends all parts again.
func TestNativeOptionOfResumedUpload(t *testing.T) {
	const parts = 10
	const partSize = 10
	tags := storage.WithTags(map[string]string{"k": "v"})
	tests := []struct {
		name string
		opts []storage.UploadOption // of the second call; the first one has the secret "first" and the tags
		want int                    // parts that are sent again
	}{
		{name: "equal options", opts: []storage.UploadOption{withSecret("first"), tags}, want: 0},
		{name: "another native option", opts: []storage.UploadOption{withSecret("another"), tags}, want: parts},
		{name: "without the native option", opts: []storage.UploadOption{tags}, want: parts},
		{name: "without the tags", opts: []storage.UploadOption{withSecret("first")}, want: parts},
		{
			name: "with public read",
			opts: []storage.UploadOption{withSecret("first"), tags, storage.WithPublicRead()},
			want: parts,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injector := faults.New(faults.Fail(faults.CompleteParts))
			bucket, _ := openWithNativeRecorder(driver.WithLayer(injector.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			resume := []storage.UploadOption{
				storage.WithPartSize(partSize),
				storage.WithResume(filepath.Join(t.TempDir(), "resume")),
			}
			upload := func(opts ...storage.UploadOption) error {
				body := strings.NewReader(strings.Repeat("x", parts*partSize))
				_, err := bucket.Upload(t.Context(), "a", body, slices.Concat(resume, opts)...)
				return err
			}

			// The first call sends all parts, and fails to complete.
			err := upload(withSecret("first"), tags)
			require.Equal(t, storage.Unavailable, storage.CodeOf(err))
			sentBefore := injector.Count(faults.PutPart)

			// Without the fault, the second call completes.
			injector.Set()
			require.NoError(t, upload(tt.opts...))
			sentAgain := injector.Count(faults.PutPart) - sentBefore
			require.Equal(t, tt.want, sentAgain)
		})
	}
}
