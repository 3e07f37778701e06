package storagetest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// An interruptedUpload is an upload that was canceled when one of its three parts was stored.
type interruptedUpload struct {
	bucket storage.Bucket
	text   string
	path   string // path of the resume file
}

// bodies are ways to pass the same bytes to an upload.
var bodies = map[string]func(text string) io.Reader{
	"in place": func(text string) io.Reader { return strings.NewReader(text) },
	"a stream": func(text string) io.Reader { return stream(text) },
}

// interruptUpload begins an upload of three parts to "a", and cancels it before the second part.
// The counts of calls then start again at zero.
func (t *T) interruptUpload(newReader func(text string) io.Reader, opts ...storage.OpenOption) *interruptedUpload {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	t.faults.Reset()
	u := &interruptedUpload{
		bucket: t.openForParts(append(opts, observe.BeforeCall("PutPart", 2, cancel))...),
		text:   body(2*t.unit+1, 1),
		path:   filepath.Join(t.TempDir(), "upload"),
	}

	_, err := t.upload(ctx, u, newReader(u.text))
	t.requireCode(err, storage.Canceled)

	// The upload can be resumed, because it was not aborted and its file exists.
	t.requireMissing(u.bucket, "a")
	require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)
	info, err := os.Stat(u.path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, fs.FileMode(0o600), info.Mode(), "the file may hold a secret")
	}

	t.faults.Reset()
	return u
}

// loseCompletion makes an upload whose completion takes effect, but whose response is lost. The upload
// fails with OutcomeUnknown, because readFault makes the reads fail that could find the object.
func (t *T) loseCompletion(readFault faults.Rule, opts ...storage.UploadOption) *interruptedUpload {
	t.Helper()
	u := &interruptedUpload{
		bucket: t.openForParts(storage.WithRetry(storage.RetryPolicy{Attempts: 1})),
		text:   body(t.unit+2, 1),
		path:   filepath.Join(t.TempDir(), "upload"),
	}
	t.faults.Set(faults.DropResponse(faults.CompleteParts).Nth(1), readFault)
	_, err := t.upload(t.Context(), u, strings.NewReader(u.text), opts...)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.FileExists(t, u.path)
	return u
}

// upload uploads src to "a" with a resume file, one part after the other, so that the upload can be
// interrupted and repeated.
func (t *T) upload(
	ctx context.Context, u *interruptedUpload, src io.Reader, opts ...storage.UploadOption,
) (*storage.Attrs, error) {
	resumable := []storage.UploadOption{
		storage.WithResume(u.path),
		storage.WithPartSize(t.unit),
		storage.WithConcurrency(1),
		t.metadata(map[string]string{"k": "v"}),
	}
	return u.bucket.Upload(ctx, "a", src, append(resumable, opts...)...)
}

// requireCompleted requires that the upload is complete: the object has the content text and the
// attributes attrs, and neither parts nor the resume file remain.
func (t *T) requireCompleted(u *interruptedUpload, attrs *storage.Attrs, text string) {
	t.Helper()
	require.Equal(t, int64(len(text)), attrs.Size)
	require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata)
	t.requireContent(u.bucket, "a", text)
	require.Equal(t, attrs.Revision, t.attrs(u.bucket, "a").Revision)
	require.NoFileExists(t, u.path)
	require.Zero(t, t.countPendingUploads(), "%v", t.faults)
}

// partsLeft returns how many PutPart calls an upload of three parts still makes if the first stored
// parts were sent before.
func (t *T) partsLeft(stored int) int {
	const parts = 3
	if t.has(driver.SequentialParts) {
		// The last part is sent with CompleteParts.
		return parts - 1 - stored
	}
	return parts - stored
}

var resumedUploadCases = []Case{
	{
		Name:        "an interrupted upload is resumed",
		Rule:        "W13",
		Explanation: "with WithResume the same call sends only the parts that are missing",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			for name, newReader := range bodies {
				h := t.interruptUpload(newReader)
				var told int64
				attrs, err := t.upload(t.Context(), h, newReader(h.text),
					storage.WithProgress(func(done, _ int64) {
						told = done
					}))
				require.NoError(t, err, name)
				require.Zero(t, t.faults.Count(faults.BeginParts), "%s: %v", name, t.faults)
				require.Equal(t, t.partsLeft(1), t.faults.Count(faults.PutPart), "%s: %v", name, t.faults)
				require.Equal(t, int64(len(h.text)), told)
				t.requireCompleted(h, attrs, h.text)
			}
		},
	},
	{
		Name:        "a part whose bytes have changed is sent again",
		Rule:        "W13",
		Explanation: "stored parts are compared with the body, so that an object never mixes two bodies",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := t.interruptUpload(bodies["in place"])
			text := changedAt(h.text, 0)
			attrs, err := t.upload(t.Context(), h, strings.NewReader(text))
			require.NoError(t, err)
			t.requireCompleted(h, attrs, text)
		},
	},
	{
		Name:        "a different call starts over",
		Rule:        "W13",
		Explanation: "with other attributes, another length or another part size, the earlier upload is abandoned",
		Needs:       storage.MultipartUploads | storage.ContentProperties,
		run: func(t *T) {
			for name, opt := range map[string]storage.UploadOption{
				"a content type": storage.WithContentType("text/x-other"),
				"a part size":    storage.WithPartSize(2 * t.unit),
				"a condition":    storage.IfAbsent(),
			} {
				if name == "a condition" && !t.has(storage.ConditionalCreate) {
					continue
				}
				h := t.interruptUpload(bodies["in place"])
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), opt)
				require.NoError(t, err, name)
				require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%s: %v", name, t.faults)
				require.Equal(t, 1, t.faults.Count(faults.AbortParts), "%s: %v", name, t.faults)
				t.requireCompleted(h, attrs, h.text)
			}
			h := t.interruptUpload(bodies["in place"])
			attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text+"x"))
			require.NoError(t, err)
			t.requireCompleted(h, attrs, h.text+"x")
		},
	},
	{
		Name:        "abandoning an earlier upload is interrupted",
		Rule:        "W13",
		Explanation: "if the call is cancelled while it removes the earlier parts, the next call still succeeds",
		Needs:       storage.MultipartUploads | storage.ContentProperties,
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h := t.interruptUpload(bodies["in place"], observe.BeforeCall("AbortParts", 1, cancel))
			_, err := t.upload(ctx, h, strings.NewReader(h.text), storage.WithContentType("text/x-other"))
			t.requireCode(err, storage.Canceled)
			attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.WithContentType("text/x-other"))
			require.NoError(t, err)
			t.requireCompleted(h, attrs, h.text)
		},
	},
	{
		Name:        "an update that another client overtook is abandoned",
		Rule:        "W13",
		Explanation: "if the response to the completion was lost and the key now holds another client's object, the parts are removed",
		Needs:       storage.MultipartUploads | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.openForParts(storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			h := &interruptedUpload{bucket: b, text: body(t.unit+1, 1), path: filepath.Join(t.TempDir(), "upload")}
			old := t.put(b, "a", "old")
			t.faults.Set(
				faults.Fail(faults.CompleteParts).WithError(&storage.Error{Code: storage.Unavailable, Unknown: true}),
				faults.Fail(faults.Reads),
			)
			_, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfRevision(old.Revision))
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			t.faults.Set()
			t.put(b, "a", "another's")
			_, err = t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfRevision(old.Revision))
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.NoFileExists(t, h.path)
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
			t.requireContent(b, "a", "another's")
		},
	},
	{
		Name:        "a body that now fits into one request",
		Rule:        "W13",
		Explanation: "the call abandons the parts that were sent earlier",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := t.interruptUpload(bodies["in place"])
			attrs, err := t.upload(t.Context(), h, strings.NewReader("short"))
			require.NoError(t, err)
			t.requireCompleted(h, attrs, "short")
		},
	},
	{
		Name:        "parts that the store has dropped are sent again",
		Rule:        "W13",
		Explanation: "a body that is read in place starts over; for a stream the next call does",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			for name, newReader := range bodies {
				h := t.interruptUpload(newReader)
				data, err := os.ReadFile(h.path)
				require.NoError(t, err)
				require.NoError(t, storage.AbandonUpload(t.Context(), h.bucket, h.path))
				require.NoFileExists(t, h.path)
				require.NoError(t, os.WriteFile(h.path, data, 0o600))

				attrs, err := t.upload(t.Context(), h, newReader(h.text))
				if name == "a stream" && err != nil { // Azure removes parts of an abandoned upload only after a delay
					require.True(t, t.requireNothingDone(err, storage.Unavailable).Retryable)
					t.requireMissing(h.bucket, "a")
					attrs, err = t.upload(t.Context(), h, newReader(h.text))
				}
				require.NoError(t, err, name)
				t.requireCompleted(h, attrs, h.text)
			}
		},
	},
	{
		Name:        "a completion whose response was lost is found",
		Rule:        "W13",
		Explanation: "if the earlier call stored the object, the same call finds it by its write id and sends nothing",
		Needs:       storage.MultipartUploads | storage.Metadata,
		run: func(t *T) {
			conditions := map[string][]storage.UploadOption{"no condition": nil}
			if t.has(storage.ConditionalCreate) {
				conditions["IfAbsent"] = []storage.UploadOption{storage.IfAbsent()}
			}
			for name, opts := range conditions {
				h := t.loseCompletion(faults.Fail(faults.Reads), opts...)
				t.faults.Reset()
				t.faults.Set()
				before := t.attrs(h.bucket, "a").Revision
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), opts...)
				require.NoError(t, err, "%s: %v", name, t.faults)
				require.Zero(t, t.faults.Count(faults.PutPart), "%s: %v", name, t.faults)
				require.Zero(t, t.faults.Count(faults.BeginParts), "%s: %v", name, t.faults)
				require.Equal(t, int64(len(h.text)), attrs.Size)
				if len(opts) > 0 {
					require.Equal(t, before, attrs.Revision, "the object must be stored once")
				}
				t.requireContent(h.bucket, "a", h.text)
				require.NoFileExists(t, h.path)
			}
		},
	},
	{
		Name:        "an upload that cannot be resumed is not kept",
		Rule:        "W13",
		Explanation: "a permanent failure aborts the upload and leaves no file, and so do success and a body of one request",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := &interruptedUpload{
				bucket: t.openForParts(),
				text:   body(2*t.unit+1, 1),
				path:   filepath.Join(t.TempDir(), "upload"),
			}
			_, err := t.upload(t.Context(), h, failing(h.text, errBoom))
			t.requireCode(err, storage.BodyFailed)
			require.NoFileExists(t, h.path)
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
			for _, text := range []string{"", "short", h.text} {
				attrs, err := t.upload(t.Context(), h, strings.NewReader(text))
				require.NoError(t, err)
				t.requireCompleted(h, attrs, text)
			}
		},
	},
	{
		Name:        "a body that changed after its completion was lost",
		Rule:        "W13",
		Explanation: "the object of the earlier body is not taken for the object of this one",
		Needs:       storage.MultipartUploads | storage.Metadata,
		run: func(t *T) {
			h := t.loseCompletion(faults.Fail(faults.Reads))
			t.faults.Set()
			text := changedAt(h.text, len(h.text)-1)
			attrs, err := t.upload(t.Context(), h, strings.NewReader(text))
			require.NoError(t, err)
			t.requireCompleted(h, attrs, text)
		},
	},
	{
		Name:        "an object that cannot be read stays unknown",
		Rule:        "W13",
		Explanation: "if the upload is gone and the object cannot be read, the call returns OutcomeUnknown, and a later call finds the object",
		Needs:       storage.MultipartUploads | storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			blind := faults.Fail(faults.Reads).WithError(storage.PermissionDenied)
			h := t.loseCompletion(blind, storage.IfAbsent())
			t.faults.Set(blind)
			_, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfAbsent())
			// On Google, the upload session returns the object. The call then succeeds without a
			// read of the object.
			if err != nil {
				require.ErrorIs(t, err, storage.OutcomeUnknown)
				require.NotErrorIs(t, err, fs.ErrExist)
				require.FileExists(t, h.path)
			}
			t.faults.Set()
			if err != nil {
				_, err = t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfAbsent())
				require.NoError(t, err)
			}
			t.requireContent(h.bucket, "a", h.text)
			require.NoFileExists(t, h.path)
		},
	},
	{
		Name:        "an interrupted upload with concurrent parts is resumed",
		Rule:        "W13",
		Explanation: "interrupted at any part, the same call stores the whole object, however many parts were in flight",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			const parts = 6
			for cut := 1; cut <= parts; cut++ {
				ctx, cancel := context.WithCancel(t.Context())
				h := &interruptedUpload{
					bucket: t.openForParts(observe.BeforeCall("PutPart", cut, cancel)),
					text:   body(parts*t.unit, byte(cut)),
					path:   filepath.Join(t.TempDir(), "upload"),
				}
				_, err := t.upload(ctx, h, strings.NewReader(h.text), storage.WithConcurrency(3))
				// If the last part is canceled, the upload may already be complete.
				if err != nil {
					t.requireCode(err, storage.Canceled)
				}
				cancel()
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.WithConcurrency(2))
				require.NoError(t, err)
				t.requireCompleted(h, attrs, h.text)
				if t.unit > 1<<20 && cut == 2 {
					return // more cuts would take too long with large parts
				}
			}
		},
	},
	{
		Name:        "an interrupted copy is resumed",
		Rule:        "W13",
		Explanation: "a copy between two stores reads the source and sends only the missing parts",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			source := memstore.New()
			text := body(2*t.unit+1, 1)
			t.put(source, "source", text)
			b := t.openLimited(
				faults.Limits{
					Disable:     driver.StreamingPut,
					MaxPutSize:  t.unit,
					MinPartSize: t.unit,
					MaxPartSize: t.unit,
				},
				observe.BeforeCall("PutPart", 2, cancel),
			)
			path := filepath.Join(t.TempDir(), "upload")
			copyObject := func(ctx context.Context) error {
				_, err := storage.Copy(ctx, b, "a", source, "source", storage.WithResume(path), storage.WithConcurrency(1))
				return err
			}
			t.requireCode(copyObject(ctx), storage.Canceled)
			require.FileExists(t, path)
			require.NoError(t, copyObject(t.Context()))
			require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%v", t.faults)
			t.requireContent(b, "a", text)
			require.NoFileExists(t, path)
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
		},
	},
}

// uploadJournalCases are cases about the file that WithResume writes.
var uploadJournalCases = []Case{
	{
		Name:        "an upload is abandoned",
		Rule:        "W13",
		Explanation: "AbandonUpload removes the parts and the file, and returns nil if they are gone. If another bucket or prefix began the upload, it returns InvalidArgument",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := t.interruptUpload(bodies["in place"])
			same, err := storage.Open(t.Context(), "mem://"+t.desc.Bucket)
			require.NoError(t, err)
			for name, b := range map[string]storage.Bucket{"another bucket with the same name": same, "another prefix": storage.Prefixed(h.bucket, "b/")} {
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(storage.AbandonUpload(t.Context(), b, h.path)),
					name)
				require.FileExists(t, h.path)
			}
			require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)
			for range 2 {
				require.NoError(t, storage.AbandonUpload(t.Context(), h.bucket, h.path))
				require.NoFileExists(t, h.path)
				require.Zero(t, t.countPendingUploads(), "%v", t.faults)
			}
			t.requireMissing(h.bucket, "a")
		},
	},
	{
		Name:        "a torn resume file is not trusted",
		Rule:        "W13",
		Explanation: "a line or file that a killed process left incomplete is ignored",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			for name, tear := range map[string]func(kept string) string{
				"the last line torn":   func(text string) string { return text[:len(text)-7] },
				"the first line torn":  func(text string) string { return text[:len(text)/4] },
				"half a line too many": func(text string) string { return text + `{"Part":{"Num` },
				"empty":                func(string) string { return "" },
			} {
				h := t.interruptUpload(bodies["in place"])
				data, err := os.ReadFile(h.path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(h.path, []byte(tear(string(data))), 0o600))
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text))
				require.NoError(t, err, name)
				require.Equal(t, int64(len(h.text)), attrs.Size)
				t.requireContent(h.bucket, "a", h.text)
				require.NoFileExists(t, h.path)
			}
		},
	},
	{
		Name:        "a file that is not a resume file is never touched",
		Rule:        "W13",
		Explanation: "WithResume and AbandonUpload with a file that they did not write are InvalidArgument, without a request. A file that cannot be written is Internal, and the error names it",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := &interruptedUpload{bucket: t.openForParts(), text: body(2*t.unit+1, 1)}
			dir := t.TempDir()
			own := filepath.Join(dir, "thesis.txt")
			require.NoError(t, os.WriteFile(own, []byte("hello\nworld\n"), 0o644))
			for _, path := range []string{own, dir} {
				h.path = path
				t.requireNoRequests(func() {
					_, err := t.upload(t.Context(), h, strings.NewReader(h.text))
					t.requireCode(err, storage.InvalidArgument)
					t.requireCode(storage.AbandonUpload(t.Context(), h.bucket, path), storage.InvalidArgument)
				})
			}
			data, err := os.ReadFile(own)
			require.NoError(t, err)
			require.Equal(t, "hello\nworld\n", string(data))

			h.path = filepath.Join(dir, "missing", "upload")
			_, err = t.upload(t.Context(), h, strings.NewReader(h.text))
			t.requireCode(err, storage.Internal)
			var path *fs.PathError
			require.True(t, errors.As(err, &path))
			require.Equal(t, h.path, path.Path)
			t.requireMissing(h.bucket, "a")
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
		},
	},
	{
		Name:        "only one call at a time resumes an upload",
		Rule:        "W13",
		Explanation: "a second call with the same file is Locked and disturbs nothing",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			var h *interruptedUpload
			var others []error
			h = &interruptedUpload{text: body(2*t.unit+1, 1), path: filepath.Join(t.TempDir(), "upload")}
			h.bucket = t.openForParts(observe.BeforeCall("PutPart", 2, func() {
				_, err := t.upload(t.Context(), h, strings.NewReader(h.text))
				others = append(others, err, storage.AbandonUpload(t.Context(), h.bucket, h.path))
			}))
			attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text))
			require.NoError(t, err)
			require.Len(t, others, 2)
			for _, other := range others {
				require.Equal(t, storage.Locked, storage.CodeOf(other), "%v", other)
			}
			t.requireCompleted(h, attrs, h.text)
		},
	},
}
