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

// A resumeFixture makes uploads of three parts with WithResume.
type resumeFixture struct {
	faults *faults.Injector
	bucket storage.Bucket
	body   string
	path   string // of the resume file
}

// newResumeFixture returns a fixture for a body of 25 bytes, which is uploaded in parts of ten bytes.
func newResumeFixture(t *testing.T) *resumeFixture {
	t.Helper()
	fixture := &resumeFixture{
		faults: faults.New(),
		body:   strings.Repeat("x", 25),
		path:   filepath.Join(t.TempDir(), "upload"),
	}
	fixture.bucket = memstore.New(driver.WithLayer(fixture.faults.Layer()),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	return fixture
}

func (fixture *resumeFixture) upload(t *testing.T, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	t.Helper()
	return bucket.Upload(t.Context(), key, strings.NewReader(fixture.body), storage.WithResume(fixture.path),
		storage.WithPartSize(10))
}

// interrupt makes the upload of key fail when all of its parts are in the store.
func (fixture *resumeFixture) interrupt(t *testing.T, key string) {
	t.Helper()
	fixture.faults.Set(faults.Fail(faults.CompleteParts))
	_, err := fixture.upload(t, fixture.bucket, key)
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.FileExists(t, fixture.path)
	fixture.faults.Set()
	fixture.faults.Reset()
}

// open returns the keys of the uploads that are open.
func (fixture *resumeFixture) open(t *testing.T) (keys []string) {
	t.Helper()
	for entry, err := range storage.ListUploads(t.Context(), fixture.bucket) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// If a WithResume file belongs to the upload of another object, Upload begins a new upload. It aborts the old one only
// if the key of that other object is in the bucket or view of the call.
func TestUploadWithResumeOfOtherUpload(t *testing.T) {
	tests := []struct {
		name          string
		oldKey        string   // the object of the interrupted upload that the file describes
		prefix        string   // of the view that makes the new call; "" for the bucket
		key           string   // of the new call
		wantBegun     int      // uploads that the new call begins
		wantAborted   int      // uploads that the new call aborts
		wantStillOpen []string // keys of the uploads that are open after the new call
	}{
		{name: "same object", oldKey: "b/k", prefix: "b/", key: "k"},
		{
			name:        "another object of the view",
			oldKey:      "b/other",
			prefix:      "b/",
			key:         "k",
			wantBegun:   1,
			wantAborted: 1,
		},
		{
			name:          "object above the view",
			oldKey:        "k",
			prefix:        "b/",
			key:           "k",
			wantBegun:     1,
			wantStillOpen: []string{"k"},
		},
		{
			name:          "object with the name of the view",
			oldKey:        "b",
			prefix:        "b/",
			key:           "k",
			wantBegun:     1,
			wantStillOpen: []string{"b"},
		},
		{
			name:          "object of another prefix",
			oldKey:        "a/k",
			prefix:        "b/",
			key:           "k",
			wantBegun:     1,
			wantStillOpen: []string{"a/k"},
		},
		{name: "another object of the bucket", oldKey: "b/other", key: "k", wantBegun: 1, wantAborted: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The upload of the old key is interrupted after it has sent its parts.
			fixture := newResumeFixture(t)
			fixture.interrupt(t, tt.oldKey)
			resumeFile, err := os.ReadFile(fixture.path)
			require.NoError(t, err)

			// The new call finds the file, and removes it when it has stored its object.
			bucket := fixture.bucket
			if tt.prefix != "" {
				bucket = storage.Prefixed(bucket, tt.prefix)
			}
			attrs, err := fixture.upload(t, bucket, tt.key)
			require.NoError(t, err)
			require.Equal(t, tt.key, attrs.Key)
			require.NoFileExists(t, fixture.path)
			require.Equal(t, tt.wantBegun, fixture.faults.Count(faults.BeginParts), "%v", fixture.faults)
			require.Equal(t, tt.wantAborted, fixture.faults.Count(faults.AbortParts), "%v", fixture.faults)
			require.Equal(t, tt.wantStillOpen, fixture.open(t))
			if tt.wantStillOpen == nil {
				return
			}

			// An old upload that is still open can be resumed with all of its parts.
			fixture.faults.Reset()
			require.NoError(t, os.WriteFile(fixture.path, resumeFile, 0o600))
			_, err = fixture.upload(t, fixture.bucket, tt.oldKey)
			require.NoError(t, err)
			require.Zero(t, fixture.faults.Count(faults.PutPart), "%v", fixture.faults)
			require.Empty(t, fixture.open(t))
		})
	}
}

// AbandonUpload aborts the upload of a WithResume file of its bucket or view. It refuses any other file with
// InvalidArgument.
func TestAbandonUploadNeedsFileOfBucket(t *testing.T) {
	tests := []struct {
		name     string
		abandon  func(t *testing.T, fixture *resumeFixture) error // calls AbandonUpload
		wantCode storage.Code                                     // "" if AbandonUpload succeeds
		wantOpen []string                                         // keys of the uploads that stay open
	}{
		{
			name: "file of an upload",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				return storage.AbandonUpload(t.Context(), fixture.bucket, fixture.path)
			},
			wantCode: "",
		},
		{
			name: "file of an upload of the view",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				return storage.AbandonUpload(t.Context(),
					storage.Prefixed(fixture.bucket, "a/"), fixture.path)
			},
			wantCode: "",
		},
		{
			name: "file of an upload outside of the view",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				return storage.AbandonUpload(t.Context(),
					storage.Prefixed(fixture.bucket, "b/"), fixture.path)
			},
			wantCode: storage.InvalidArgument,
			wantOpen: []string{"a/k"},
		},
		{
			name: "file of another bucket",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				other, err := storage.Open(t.Context(), "mem://another")
				require.NoError(t, err)
				return storage.AbandonUpload(t.Context(), other, fixture.path)
			},
			wantCode: storage.InvalidArgument,
			wantOpen: []string{"a/k"},
		},
		{
			name: "missing file",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				return storage.AbandonUpload(t.Context(), fixture.bucket, fixture.path+".none")
			},
			wantCode: "",
			wantOpen: []string{"a/k"},
		},
		{
			name: "file of another program",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				require.NoError(t, os.WriteFile(fixture.path, []byte("a letter\n"), 0o600))
				return storage.AbandonUpload(t.Context(), fixture.bucket, fixture.path)
			},
			wantCode: storage.InvalidArgument,
			wantOpen: []string{"a/k"},
		},
		{
			name: "directory",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				return storage.AbandonUpload(t.Context(), fixture.bucket, filepath.Dir(fixture.path))
			},
			wantCode: storage.InvalidArgument,
			wantOpen: []string{"a/k"},
		},
		{
			name: "store refuses the abort",
			abandon: func(t *testing.T, fixture *resumeFixture) error {
				fixture.faults.Set(faults.Fail(faults.AbortParts).WithError(storage.PermissionDenied))
				defer fixture.faults.Set()
				return storage.AbandonUpload(t.Context(), fixture.bucket, fixture.path)
			},
			wantCode: storage.PermissionDenied,
			wantOpen: []string{"a/k"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The fixture has the file of the interrupted upload of "a/k".
			fixture := newResumeFixture(t)
			fixture.interrupt(t, "a/k")

			require.Equal(t, tt.wantCode, storage.CodeOf(tt.abandon(t, fixture)))
			require.Equal(t, tt.wantOpen, fixture.open(t))

			// After a refusal of the store, the file is kept for another call.
			if tt.wantCode == storage.PermissionDenied {
				require.FileExists(t, fixture.path)
			}
		})
	}
}

// If the completion of an earlier call was lost, the same call finds the object by its write id. If another object
// is there, it uploads again or fails.
func TestUploadWithResumeLostCompletion(t *testing.T) {
	denyReads := faults.Fail(faults.Reads).WithError(storage.PermissionDenied)
	tests := []struct {
		name         string
		ifAbsent     bool   // whether both calls have the condition IfAbsent
		ifRevision   bool   // whether both calls have the condition IfRevision of an old object
		isStream     bool   // whether the body cannot be sent again
		isReplaced   bool   // whether another client replaces the object between the two calls
		isUnreadable bool   // whether the second call cannot read the object
		wantErr      error  // of the second call
		wantContent  string // the beginning of the object
		wantBegun    int    // uploads, in both calls
	}{
		{name: "object found, without a condition", wantErr: nil, wantContent: "mine", wantBegun: 1},
		{name: "object found, with IfAbsent", ifAbsent: true, wantErr: nil, wantContent: "mine", wantBegun: 1},
		{
			name:        "object found, with IfRevision",
			ifRevision:  true,
			isStream:    true,
			wantErr:     nil,
			wantContent: "mine",
			wantBegun:   1,
		},
		{
			name:         "object cannot be read",
			isUnreadable: true,
			wantErr:      storage.OutcomeUnknown,
			wantContent:  "mine",
			wantBegun:    1,
		},
		{
			name:        "another object, without a condition",
			isReplaced:  true,
			wantErr:     nil,
			wantContent: "mine",
			wantBegun:   2,
		},
		{
			name:        "another object, and a body that cannot be sent again",
			isStream:    true,
			isReplaced:  true,
			wantErr:     storage.Unavailable,
			wantContent: "other",
			wantBegun:   1,
		},
		{
			name:        "another object, with IfAbsent",
			ifAbsent:    true,
			isReplaced:  true,
			wantErr:     storage.PreconditionFailed,
			wantContent: "other",
			wantBegun:   2,
		},
		{
			name:        "another object, with IfRevision",
			ifRevision:  true,
			isReplaced:  true,
			wantErr:     storage.OutcomeUnknown,
			wantContent: "other",
			wantBegun:   1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Both calls have the same options and the same bytes.
			fixture := newResumeFixture(t)
			fixture.body = "mine" + fixture.body
			opts := []storage.UploadOption{storage.WithPartSize(10), storage.WithResume(fixture.path)}
			if tt.ifAbsent {
				opts = append(opts, storage.IfAbsent())
			}
			if tt.ifRevision {
				old, err := fixture.bucket.Upload(t.Context(), "k", strings.NewReader("old"))
				require.NoError(t, err)
				opts = append(opts, storage.IfRevision(old.Revision))
			}
			upload := func() error {
				var body io.Reader = strings.NewReader(fixture.body)
				if tt.isStream {
					body = io.MultiReader(body)
				}
				_, err := fixture.bucket.Upload(t.Context(), "k", body, opts...)
				return err
			}

			// The first call completes the upload, but loses the response and cannot read the object.
			fixture.faults.Set(faults.DropResponse(faults.CompleteParts).Nth(1), denyReads)
			require.ErrorIs(t, upload(), storage.OutcomeUnknown)
			require.FileExists(t, fixture.path)
			fixture.faults.Set()

			if tt.isReplaced {
				_, err := fixture.bucket.Upload(t.Context(), "k", strings.NewReader("other"))
				require.NoError(t, err)
			}
			if tt.isUnreadable {
				fixture.faults.Set(denyReads)
			}

			// The second call finds the file.
			require.ErrorIs(t, upload(), tt.wantErr)
			require.Equal(t, tt.wantBegun, fixture.faults.Count(faults.BeginParts), "%v", fixture.faults)

			fixture.faults.Set()
			text, _, err := storage.ReadAll(t.Context(), fixture.bucket, "k")
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(text), tt.wantContent), "%s", text)
		})
	}
}

// If the body changed since an earlier call with the same WithResume file, Upload sends the changed parts again.
// If the store takes parts in order, Upload sends all again.
func TestUploadWithResumeBodyChanged(t *testing.T) {
	const partSize = 10
	const begun = "aaaaaaaaaa" + "bbbbbbbbbb" + "ccccc"
	const changed = "aaaaaaaaaa" + "BBBBBBBBBB" + "ccccc"
	inOrder := faults.Limits{Sequential: true}
	tests := []struct {
		name       string
		limits     faults.Limits
		body       io.Reader // of the second call
		wantErr    error
		wantSent   int    // parts that the second call sends with PutPart
		wantStored string // the content of the object, if the second call succeeds
	}{
		{name: "the same", body: strings.NewReader(begun), wantStored: begun},
		{
			name:       "another part",
			body:       strings.NewReader(changed),
			wantSent:   1,
			wantStored: changed,
		},
		{
			name:       "another part of a stream",
			body:       io.MultiReader(strings.NewReader(changed)),
			wantSent:   1,
			wantStored: changed,
		},
		{
			name:       "parts in order: all begin again",
			limits:     inOrder,
			body:       strings.NewReader(changed),
			wantSent:   2, // the last part is sent with the completion
			wantStored: changed,
		},
		{
			name:    "parts in order, of a stream, which cannot be read again",
			limits:  inOrder,
			body:    io.MultiReader(strings.NewReader(changed)),
			wantErr: storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injector := faults.New(faults.Fail(faults.CompleteParts).Nth(1))
			bucket := memstore.New(
				driver.WithLayer(faults.WithLimits(tt.limits)),
				driver.WithLayer(injector.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
			)
			opts := []storage.UploadOption{
				storage.WithPartSize(partSize),
				storage.WithSize(int64(len(begun))),
				storage.WithResume(filepath.Join(t.TempDir(), "upload")),
			}

			// The first call sends its parts, and fails to complete.
			_, err := bucket.Upload(t.Context(), "k", strings.NewReader(begun), opts...)
			require.ErrorIs(t, err, storage.Unavailable)

			// The second call has the body of the test.
			injector.Reset()
			_, err = bucket.Upload(t.Context(), "k", tt.body, opts...)
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.wantSent, injector.Count(faults.PutPart), "%v", injector)

			if tt.wantErr == nil {
				text, _, err := storage.ReadAll(t.Context(), bucket, "k")
				require.NoError(t, err)
				require.Equal(t, tt.wantStored, string(text))
			}
		})
	}
}

// WithResume fails with InvalidArgument for a file that it did not write, and sends no request.
func TestWithResumeRefusesOtherFile(t *testing.T) {
	t.Run("a text file", func(t *testing.T) {
		fixture := newResumeFixture(t)
		require.NoError(t, os.WriteFile(fixture.path, []byte("a letter\n"), 0o600))
		_, err := fixture.upload(t, fixture.bucket, "k")
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
		require.Zero(t, fixture.faults.Count(faults.BeginParts))
	})

	t.Run("a directory", func(t *testing.T) {
		fixture := newResumeFixture(t)
		require.NoError(t, os.Mkdir(fixture.path, 0o700))
		_, err := fixture.upload(t, fixture.bucket, "k")
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
		require.Zero(t, fixture.faults.Count(faults.BeginParts))
	})
}

// The error of AbandonUpload with a view shows no key outside of the view's prefix.
func TestAbandonUploadHidesKeysOutsideOfPrefix(t *testing.T) {
	fixture := newResumeFixture(t)
	fixture.interrupt(t, "a/k")
	view := storage.Prefixed(fixture.bucket, "b/")

	err := storage.AbandonUpload(t.Context(), view, fixture.path)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Empty(t, storageErr.Key)
	require.NotContains(t, err.Error(), "a/k")
}
