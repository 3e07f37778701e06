package engine_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A resumable upload is one call with WithResume, of three parts.
type resumable struct {
	faults *faults.Injector
	bucket storage.Bucket
	body   string
	path   string // of the resume file
}

func newResumable(t *testing.T) *resumable {
	t.Helper()
	r := &resumable{faults: faults.New(), body: strings.Repeat("x", 25), path: filepath.Join(t.TempDir(), "upload")}
	r.bucket = memstore.New(driver.WithLayer(r.faults.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	return r
}

func (r *resumable) upload(t *testing.T, b storage.Bucket, key string) (*storage.Attrs, error) {
	t.Helper()
	return b.Upload(t.Context(), key, strings.NewReader(r.body), storage.WithResume(r.path), storage.WithPartSize(10))
}

// interrupt makes the upload of key fail when all of its parts are in the store.
func (r *resumable) interrupt(t *testing.T, key string) {
	t.Helper()
	r.faults.Set(faults.Fail(faults.CompleteParts))
	_, err := r.upload(t, r.bucket, key)
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.FileExists(t, r.path)
	r.faults.Set()
	r.faults.Reset()
}

// open returns the keys of the uploads that are open.
func (r *resumable) open(t *testing.T) (keys []string) {
	t.Helper()
	for entry, err := range storage.ListUploads(t.Context(), r.bucket) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// If a WithResume file belongs to the upload of another object, Upload begins a new one. It aborts the other one
// only if the call's bucket or view contains its key.
func TestUploadWithResumeOfOtherUpload(t *testing.T) {
	for _, row := range []struct {
		name           string
		first          string // the key of the upload that the file describes
		prefix, key    string // of the call that finds the file
		begun, aborted int
		stillOpen      []string
	}{
		{"the same object", "b/k", "b/", "k", 0, 0, nil},
		{"another object of the prefix", "b/other", "b/", "k", 1, 1, nil},
		{"outside of the prefix", "k", "b/", "k", 1, 0, []string{"k"}},
		{"a prefix that only begins as this one", "b", "b/", "k", 1, 0, []string{"b"}},
		{"another prefix", "a/k", "b/", "k", 1, 0, []string{"a/k"}},
		{"a whole bucket", "b/other", "", "k", 1, 1, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newResumable(t)
			r.interrupt(t, row.first)
			file, err := os.ReadFile(r.path)
			require.NoError(t, err)

			b := r.bucket
			if row.prefix != "" {
				b = storage.Prefixed(b, row.prefix)
			}
			attrs, err := r.upload(t, b, row.key)
			require.NoError(t, err)
			require.Equal(t, row.key, attrs.Key)
			require.NoFileExists(t, r.path)
			require.Equal(t, row.begun, r.faults.Count(faults.BeginParts), "%v", r.faults)
			require.Equal(t, row.aborted, r.faults.Count(faults.AbortParts), "%v", r.faults)
			require.Equal(t, row.stillOpen, r.open(t))
			if row.stillOpen == nil {
				return
			}

			r.faults.Reset()
			require.NoError(t, os.WriteFile(r.path, file, 0o600))
			_, err = r.upload(t, r.bucket, row.first)
			require.NoError(t, err)
			require.Zero(t, r.faults.Count(faults.PutPart), "it is resumed with its parts: %v", r.faults)
			require.Empty(t, r.open(t))
		})
	}
}

// AbandonUpload aborts the upload of a WithResume file of its bucket or view. It refuses any other file with
// InvalidArgument.
func TestAbandonUploadNeedsFileOfBucket(t *testing.T) {
	for _, row := range []struct {
		name string
		call func(t *testing.T, r *resumable) error
		want storage.Code
		open []string
	}{
		{"of an upload", func(t *testing.T, r *resumable) error {
			return storage.AbandonUpload(t.Context(), r.bucket, r.path)
		}, "", nil},
		{"of an upload of the prefix", func(t *testing.T, r *resumable) error {
			return storage.AbandonUpload(t.Context(), storage.Prefixed(r.bucket, "a/"), r.path)
		}, "", nil},
		{"of an upload outside of the prefix", func(t *testing.T, r *resumable) error {
			return storage.AbandonUpload(t.Context(), storage.Prefixed(r.bucket, "b/"), r.path)
		}, storage.InvalidArgument, []string{"a/k"}},
		{"of another bucket", func(t *testing.T, r *resumable) error {
			other, err := storage.Open(t.Context(), "mem://another")
			require.NoError(t, err)
			return storage.AbandonUpload(t.Context(), other, r.path)
		}, storage.InvalidArgument, []string{"a/k"}},
		{"that is not there", func(t *testing.T, r *resumable) error {
			return storage.AbandonUpload(t.Context(), r.bucket, r.path+".none")
		}, "", []string{"a/k"}},
		{"of the user's own", func(t *testing.T, r *resumable) error {
			require.NoError(t, os.WriteFile(r.path, []byte("a letter\n"), 0o600))
			return storage.AbandonUpload(t.Context(), r.bucket, r.path)
		}, storage.InvalidArgument, []string{"a/k"}},
		{"and no directory", func(t *testing.T, r *resumable) error {
			return storage.AbandonUpload(t.Context(), r.bucket, filepath.Dir(r.path))
		}, storage.InvalidArgument, []string{"a/k"}},
		{"while the store refuses", func(t *testing.T, r *resumable) error {
			r.faults.Set(faults.Fail(faults.AbortParts).WithError(storage.PermissionDenied))
			defer r.faults.Set()
			return storage.AbandonUpload(t.Context(), r.bucket, r.path)
		}, storage.PermissionDenied, []string{"a/k"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newResumable(t)
			r.interrupt(t, "a/k")
			require.Equal(t, row.want, storage.CodeOf(row.call(t, r)))
			require.Equal(t, row.open, r.open(t))
			if row.want == storage.PermissionDenied {
				require.FileExists(t, r.path, "the next call tries again")
			}
		})
	}
}

// If the completion of an earlier call was lost, the same call finds the object by its write id. If another object
// is there, it uploads again or fails.
func TestUploadWithResumeLostCompletion(t *testing.T) {
	blind := faults.Fail(faults.Reads).WithError(storage.PermissionDenied)
	nothing := func(*testing.T, *resumable) {}
	replace := func(t *testing.T, r *resumable) {
		_, err := r.bucket.Upload(t.Context(), "k", strings.NewReader("other"))
		require.NoError(t, err)
	}
	ifOld := func(t *testing.T, r *resumable) storage.UploadOption {
		old, err := r.bucket.Upload(t.Context(), "k", strings.NewReader("old"))
		require.NoError(t, err)
		return storage.IfRevision(old.Revision)
	}
	ifAbsent := func(*testing.T, *resumable) storage.UploadOption { return storage.IfAbsent() }
	always := func(*testing.T, *resumable) storage.UploadOption { return storage.WithPartSize(10) }
	inPlace := func(text string) io.Reader { return strings.NewReader(text) }
	stream := func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) }
	for _, row := range []struct {
		name      string
		condition func(*testing.T, *resumable) storage.UploadOption
		body      func(string) io.Reader
		between   func(*testing.T, *resumable) // between the two calls
		want      error
		holds     string
		begun     int // uploads, in both calls
	}{
		{"is found by its write id", always, inPlace, nothing, nil, "mine", 1},
		{"is found, if the condition forbids another object", ifAbsent, inPlace, nothing, nil, "mine", 1},
		{"is found, if it replaced an object", ifOld, stream, nothing, nil, "mine", 1},
		{"stays unknown if the object cannot be read", always, inPlace, func(_ *testing.T, r *resumable) { r.faults.Set(blind) }, storage.OutcomeUnknown, "mine", 1},
		{"begins again if another object is there", always, inPlace, replace, nil, "mine", 2},
		{"fails if a body that was read to its end has to be sent again", always, stream, replace, storage.Unavailable, "other", 1},
		{"fails if the condition forbids the object that is there", ifAbsent, inPlace, replace, storage.PreconditionFailed, "other", 2},
		{"stays unknown if the object that it replaced was replaced again", ifOld, inPlace, replace, storage.OutcomeUnknown, "other", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newResumable(t)
			r.body = "mine" + r.body
			condition := row.condition(t, r)
			upload := func() error {
				_, err := r.bucket.Upload(t.Context(), "k", row.body(r.body),
					storage.WithPartSize(10), storage.WithResume(r.path), condition)
				return err
			}
			r.faults.Set(faults.DropResponse(faults.CompleteParts).Nth(1), blind)
			require.ErrorIs(t, upload(), storage.OutcomeUnknown)
			require.FileExists(t, r.path)
			r.faults.Set()

			row.between(t, r)
			require.ErrorIs(t, upload(), row.want)
			require.Equal(t, row.begun, r.faults.Count(faults.BeginParts), "%v", r.faults)
			r.faults.Set()
			text, _, err := storage.ReadAll(t.Context(), r.bucket, "k")
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(text), row.holds), "%s", text)
		})
	}
}

// If the body changed since an earlier call with the same WithResume file, Upload sends the changed parts again.
// If the store takes parts in order, Upload sends all again.
func TestUploadWithResumeBodyChanged(t *testing.T) {
	const begun, changed = "aaaaaaaaaabbbbbbbbbbccccc", "aaaaaaaaaaBBBBBBBBBBccccc"
	inOrder := faults.Limits{Sequential: true}
	for _, row := range []struct {
		name   string
		limits faults.Limits
		body   io.Reader // of the second call
		want   error
		sent   int // parts, in the second call
		stored string
	}{
		{"the same", faults.Limits{}, strings.NewReader(begun), nil, 0, begun},
		{"another part", faults.Limits{}, strings.NewReader(changed), nil, 1, changed},
		{"another part of a stream", faults.Limits{}, io.MultiReader(strings.NewReader(changed)), nil, 1, changed},
		{"parts in order: all begin again", inOrder, strings.NewReader(changed), nil, 2, changed}, // the last is sent with the completion
		{"parts in order, of a stream that cannot be read again", inOrder, io.MultiReader(strings.NewReader(changed)), storage.Unavailable, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			injected := faults.New(faults.Fail(faults.CompleteParts).Nth(1))
			b := memstore.New(driver.WithLayer(faults.WithLimits(row.limits)), driver.WithLayer(injected.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			path := filepath.Join(t.TempDir(), "upload")
			upload := func(body io.Reader) error {
				_, err := b.Upload(t.Context(), "k", body, storage.WithPartSize(10), storage.WithSize(25), storage.WithResume(path))
				return err
			}
			require.ErrorIs(t, upload(strings.NewReader(begun)), storage.Unavailable)
			injected.Reset()
			require.ErrorIs(t, upload(row.body), row.want)
			require.Equal(t, row.sent, injected.Count(faults.PutPart), "%v", injected)
			if row.want == nil {
				text, _, err := storage.ReadAll(t.Context(), b, "k")
				require.NoError(t, err)
				require.Equal(t, row.stored, string(text))
			}
		})
	}
}

// WithResume refuses a file that it did not write.
func TestWithResumeRefusesOtherFile(t *testing.T) {
	for name, row := range map[string]struct {
		write func(path string) error
		want  storage.Code
	}{
		"a letter":    {func(path string) error { return os.WriteFile(path, []byte("a letter\n"), 0o600) }, storage.InvalidArgument},
		"a directory": {func(path string) error { return os.Mkdir(path, 0o700) }, storage.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResumable(t)
			require.NoError(t, row.write(r.path))
			_, err := r.upload(t, r.bucket, "k")
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			require.Zero(t, r.faults.Count(faults.BeginParts))
		})
	}
}

// An error of AbandonUpload with a view shows no key outside of its prefix.
func TestAbandonUploadHidesKeysOutsideOfPrefix(t *testing.T) {
	r := newResumable(t)
	r.interrupt(t, "a/k")
	err := storage.AbandonUpload(t.Context(), storage.Prefixed(r.bucket, "b/"), r.path)
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Empty(t, e.Key)
	require.NotContains(t, err.Error(), "a/k")
}
