package engine_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
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

// An optioned driver takes a secretOption, and notes the options of each call.
type optioned struct {
	driver.Driver
	mu   sync.Mutex
	seen map[string][]any
	// auxiliary is that of the last Get.
	auxiliary bool
}

func (d *optioned) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.CheckNative = func(value any) error {
		switch o := value.(type) {
		case secretOption:
			if o.secret == "" {
				return storage.InvalidArgument
			}
			return nil
		}
		return storage.Unsupported
	}
	return desc
}

func (d *optioned) note(call string, natives []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[call] = natives
}

func (d *optioned) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	d.note("Put", r.Native)
	return d.Driver.Put(ctx, r)
}

func (d *optioned) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	d.note("BeginParts", r.Native)
	return d.Driver.BeginParts(ctx, r)
}

func (d *optioned) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	d.note("PutPart", r.Native)
	return d.Driver.PutPart(ctx, r)
}

func (d *optioned) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	d.note("CompleteParts", r.Put.Native)
	return d.Driver.CompleteParts(ctx, r)
}

func (d *optioned) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.note("Get", r.Native)
	d.auxiliary = r.Auxiliary
	return d.Driver.Get(ctx, r)
}

func (d *optioned) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	d.note("Head", r.Native)
	return d.Driver.Head(ctx, r)
}

func (d *optioned) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	d.note("Tags", r.Native)
	return d.Driver.Tags(ctx, r)
}

func (d *optioned) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	d.note("Copy", r.Native)
	d.note("source of Copy", r.Source.Native)
	return d.Driver.Copy(ctx, r)
}

func (d *optioned) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	d.note("Compose", r.Native)
	d.note("source of Compose", r.Sources[0].Native)
	return d.Driver.Compose(ctx, r)
}

func (d *optioned) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	d.note("Delete", r.Native)
	return d.Driver.Delete(ctx, r)
}

func (d *optioned) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	d.note("SetTags", r.Native)
	return d.Driver.SetTags(ctx, r)
}

func openOptioned(opts ...storage.OpenOption) (storage.Bucket, *optioned) {
	d := &optioned{Driver: memstore.NewDriver(memstore.Config{}), seen: map[string][]any{}}
	return engine.New(d, opts...), d
}

func secret(text string) storage.NativeOption {
	return storage.WithNative("memory", secretOption{text})
}

// A native option of a call reaches each request of that call.
func TestNativeOptionReachesEachRequest(t *testing.T) {
	b, d := openOptioned()
	option := secretOption{"own"}
	source := secretOption{"the source's"}
	ctx := t.Context()
	bucketWith := func(err error) {
		t.Helper()
		require.NoError(t, err)
	}
	_, err := b.Upload(ctx, "a", strings.NewReader("text"), secret("own"),
		storage.WithTags(map[string]string{"k": "v"}))
	bucketWith(err)
	_, err = b.Upload(ctx, "parts", strings.NewReader("text"), secret("own"), storage.WithPartSize(2))
	bucketWith(err)
	_, err = b.Attrs(ctx, "a", secret("own"))
	bucketWith(err)
	_, _, err = storage.ReadAll(ctx, b, "a", secret("own"))
	bucketWith(err)
	bucketWith(storage.SetTags(ctx, b, "a", map[string]string{"k": "v"}, secret("own")))
	_, err = storage.Copy(ctx, b, "copy", b, "a", secret("own"), storage.WithSourceNative("memory", source))
	bucketWith(err)

	for _, call := range []string{"Head", "Tags"} {
		require.Equal(t, []any{source}, d.seen[call], "%s of the source", call)
	}

	_, err = storage.Compose(ctx, b, "joined", []string{"a"}, secret("own"),
		storage.WithSourceNative("memory", source))
	bucketWith(err)
	require.Equal(t, []any{source}, d.seen["Head"])

	bucketWith(b.Remove(ctx, "copy", secret("own")))
	for _, call := range []string{"Put", "BeginParts", "PutPart", "CompleteParts", "Get", "SetTags", "Copy", "Compose", "Delete"} {
		require.Equal(t, []any{option}, d.seen[call], call)
	}

	for _, call := range []string{"source of Copy", "source of Compose"} {
		require.Equal(t, []any{source}, d.seen[call], call)
	}
}

// If a copy is streamed, the native option for its source is used to read it.
func TestNativeOptionOfStreamedCopySource(t *testing.T) {
	src, d := openOptioned()
	dst := memstore.New()
	_, err := src.Upload(t.Context(), "a", strings.NewReader("text"),
		storage.WithTags(map[string]string{"k": "v"}))
	require.NoError(t, err)

	_, err = storage.Copy(t.Context(), dst, "a", src, "a",
		storage.WithSourceNative("memory", secretOption{"key"}))
	require.NoError(t, err)
	require.Equal(t, []any{secretOption{"key"}}, d.seen["Get"])
	require.Equal(t, []any{secretOption{"key"}}, d.seen["Tags"])

	tags, err := storage.Tags(t.Context(), dst, "a")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, tags)
}

// Update reads the object with the call's native option.
func TestNativeOptionOfUpdate(t *testing.T) {
	b, d := openOptioned()
	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)
	for _, b := range []storage.ReadWriter{b, usersBucket{b}} {
		clear(d.seen)
		_, err = storage.Update(t.Context(), b, "a", func(old []byte, _ *storage.Attrs) ([]byte, error) {
			return old, nil
		}, secret("own"))
		require.NoError(t, err)
		require.Equal(t, []any{secretOption{"own"}}, d.seen["Get"])
		require.Equal(t, []any{secretOption{"own"}}, d.seen["Put"])
		require.True(t, d.auxiliary, "an option that does not fit the read is no mistake")
	}
}

// If a response is lost, the engine reads the object with the call's native option.
func TestNativeOptionOfReconcile(t *testing.T) {
	injector := faults.New(faults.DropResponse(faults.Put))
	b, d := openOptioned(driver.WithLayer(injector.Layer()),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"), storage.IfAbsent(), secret("own"))
	require.NoError(t, err)
	require.Equal(t, []any{secretOption{"own"}}, d.seen["Head"])
}

// If the driver refuses a native option, the call sends no request.
func TestNativeOptionRefused(t *testing.T) {
	b, d := openOptioned()
	tests := map[string]struct {
		option storage.UploadOption
		want   storage.Code
	}{
		"a bad value":        {secret(""), storage.InvalidArgument},
		"an unknown type":    {storage.WithNative("memory", 1), storage.Unsupported},
		"another provider's": {storage.WithNative("s3", secretOption{"own"}), storage.Unsupported},
	}
	for name, tt := range tests {
		_, err := b.Upload(t.Context(), "a", strings.NewReader("text"), tt.option)
		require.Equal(t, tt.want, storage.CodeOf(err), name)
	}
	require.Empty(t, d.seen)
}

// Upload resumes a WithResume file only with the same options. If a native option, the tags or WithPublicRead
// differ, Upload sends all parts again.
func TestNativeOptionOfResumedUpload(t *testing.T) {
	body := strings.Repeat("x", 100)
	uploadUntilFault := func(opts ...storage.UploadOption) (parts int) {
		path := filepath.Join(t.TempDir(), "resume")
		injector := faults.New(faults.Fail(faults.CompleteParts))
		b, _ := openOptioned(driver.WithLayer(injector.Layer()),
			storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		first := []storage.UploadOption{
			storage.WithPartSize(10),
			storage.WithResume(path),
			secret("own"),
			storage.WithTags(map[string]string{"k": "v"}),
		}

		_, err := b.Upload(t.Context(), "a", strings.NewReader(body), first...)
		require.Equal(t, storage.Unavailable, storage.CodeOf(err))
		injector.Set()
		putParts := injector.Count(faults.PutPart)
		_, err = b.Upload(t.Context(), "a", strings.NewReader(body),
			append([]storage.UploadOption{storage.WithPartSize(10), storage.WithResume(path)}, opts...)...)
		require.NoError(t, err)
		return injector.Count(faults.PutPart) - putParts
	}

	same := storage.WithTags(map[string]string{"k": "v"})
	require.Zero(t, uploadUntilFault(secret("own"), same), "the same call sends no part again")
	require.Equal(t, 10, uploadUntilFault(secret("another"), same), "with another key")
	require.Equal(t, 10, uploadUntilFault(same), "without a key")
	require.Equal(t, 10, uploadUntilFault(secret("own")), "without tags")
	require.Equal(t, 10, uploadUntilFault(secret("own"), same, storage.WithPublicRead()), "for anyone")
}
