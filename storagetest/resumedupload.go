package storagetest

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A halted upload was cancelled when one of its three parts was in the store.
type halted struct {
	bucket storage.Bucket
	text   string
	path   string // of what WithResume keeps
}

// bodies are the ways of handing over the same bytes.
var bodies = map[string]func(text string) io.Reader{
	"in place": func(text string) io.Reader { return strings.NewReader(text) },
	"a stream": func(text string) io.Reader { return stream(text) },
}

// halt begins an upload to "a" and cancels it; what is counted later comes after.
func (t *T) halt(from func(text string) io.Reader, opts ...storage.OpenOption) *halted {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	t.faults.Reset()
	h := &halted{
		bucket: t.inParts(append(opts, meddle("PutPart", 2, cancel))...),
		text:   body(2*t.unit+1, 1),
		path:   filepath.Join(t.TempDir(), "upload"),
	}
	_, err := t.upload(ctx, h, from(h.text))
	t.fails(err, storage.Canceled)
	t.missing(h.bucket, "a")
	info, err := os.Stat(h.path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, fs.FileMode(0o600), info.Mode(), "it may hold a secret")
	}
	require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)
	t.faults.Reset()
	return h
}

// unheard makes an upload whose completion has its effect and no answer, and
// that cannot look.
func (t *T) unheard(blind faults.Rule, opts ...storage.UploadOption) *halted {
	t.Helper()
	h := &halted{
		bucket: t.inParts(storage.WithRetry(storage.RetryPolicy{Attempts: 1})),
		text:   body(t.unit+2, 1), path: filepath.Join(t.TempDir(), "upload"),
	}
	t.faults.Set(faults.LoseAnswer(faults.CompleteParts).Nth(1), blind)
	_, err := t.upload(t.Context(), h, strings.NewReader(h.text), opts...)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.FileExists(t, h.path)
	return h
}

// upload is the call that is repeated.
func (t *T) upload(ctx context.Context, h *halted, from io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	return h.bucket.Upload(ctx, "a", from, append([]storage.UploadOption{
		storage.WithResume(h.path), storage.WithPartSize(t.unit), storage.WithConcurrency(1),
		t.metadata(map[string]string{"k": "v"}),
	}, opts...)...)
}

// over requires that the upload has ended: the object is whole, and nothing else
// is left.
func (t *T) over(h *halted, attrs *storage.Attrs, text string) {
	t.Helper()
	require.Equal(t, int64(len(text)), attrs.Size)
	require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata)
	t.holds(h.bucket, "a", text)
	require.Equal(t, attrs.Revision, t.attrs(h.bucket, "a").Revision)
	require.NoFileExists(t, h.path)
	require.Zero(t, t.pendingUploads(), "%v", t.faults)
}

// unsent is how many PutParts three parts take of which the first n are there.
func (t *T) unsent(n int) int {
	if t.has(storage.SequentialParts) {
		return 2 - n // the last part goes with the completion
	}
	return 3 - n
}

var resumedUploadCases = []Case{
	{
		Name: "an upload that was cut short is gone on with", Rule: "W13",
		Explanation: "with WithResume the same call sends the parts that are not there, and no others",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			for name, from := range bodies {
				h := t.halt(from)
				var told int64
				attrs, err := t.upload(t.Context(), h, from(h.text), storage.WithProgress(func(done, _ int64) { told = done }))
				require.NoError(t, err, name)
				require.Zero(t, t.faults.Count(faults.BeginParts), "%s: %v", name, t.faults)
				require.Equal(t, t.unsent(1), t.faults.Count(faults.PutPart), "%s: %v", name, t.faults)
				require.Equal(t, int64(len(h.text)), told)
				t.over(h, attrs, h.text)
			}
		},
	},
	{
		Name: "a part whose bytes have changed is sent again", Rule: "W13",
		Explanation: "what the store has is compared with the body, so that an object is never of two bodies",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			h := t.halt(bodies["in place"])
			changed := changedAt(h.text, 0)
			attrs, err := t.upload(t.Context(), h, strings.NewReader(changed))
			require.NoError(t, err)
			t.over(h, attrs, changed)
		},
	},
	{
		Name: "another call begins anew", Rule: "W13",
		Explanation: "other attributes, another length or another part size: the earlier upload is given up",
		Needs:       storage.UploadParts | storage.ContentProperties,
		run: func(t *T) {
			for name, opt := range map[string]storage.UploadOption{
				"a content type": storage.WithContentType("text/x-other"),
				"a part size":    storage.WithPartSize(2 * t.unit),
				"a condition":    storage.IfAbsent(),
			} {
				if name == "a condition" && !t.has(storage.ConditionalCreate) {
					continue
				}
				h := t.halt(bodies["in place"])
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), opt)
				require.NoError(t, err, name)
				require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%s: %v", name, t.faults)
				require.Equal(t, 1, t.faults.Count(faults.AbortParts), "%s: %v", name, t.faults)
				t.over(h, attrs, h.text)
			}
			h := t.halt(bodies["in place"])
			attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text+"x"))
			require.NoError(t, err)
			t.over(h, attrs, h.text+"x")
		},
	},
	{
		Name: "giving up an earlier upload is cut short", Rule: "W13",
		Explanation: "another call that is cancelled while it removes the earlier parts holds nothing: the next one succeeds",
		Needs:       storage.UploadParts | storage.ContentProperties,
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h := t.halt(bodies["in place"], meddle("AbortParts", 1, cancel))
			_, err := t.upload(ctx, h, strings.NewReader(h.text), storage.WithContentType("text/x-other"))
			t.fails(err, storage.Canceled)
			attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.WithContentType("text/x-other"))
			require.NoError(t, err)
			t.over(h, attrs, h.text)
		},
	},
	{
		Name: "an update that another has overtaken is given up", Rule: "W13",
		Explanation: "where the completion was not heard of and the object is another's, the parts are removed",
		Needs:       storage.UploadParts | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.inParts(storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			h := &halted{bucket: b, text: body(t.unit+1, 1), path: filepath.Join(t.TempDir(), "upload")}
			old := t.put(b, "a", "old")
			t.faults.Set(faults.Fail(faults.CompleteParts).With(&storage.Error{Code: storage.Unavailable, Unknown: true}), faults.Fail(faults.Reads))
			_, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfRevision(old.Revision))
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			t.faults.Set()
			t.put(b, "a", "another's")
			_, err = t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfRevision(old.Revision))
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.NoFileExists(t, h.path)
			require.Zero(t, t.pendingUploads(), "%v", t.faults)
			t.holds(b, "a", "another's")
		},
	},
	{
		Name: "a body that now goes in one request", Rule: "W13",
		Explanation: "gives up the parts that were sent earlier",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			h := t.halt(bodies["in place"])
			attrs, err := t.upload(t.Context(), h, strings.NewReader("short"))
			require.NoError(t, err)
			t.over(h, attrs, "short")
		},
	},
	{
		Name: "parts that the store has dropped are sent again", Rule: "W13",
		Explanation: "a body that is read in place begins anew; of a stream the next call does",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			for name, from := range bodies {
				h := t.halt(from)
				kept, err := os.ReadFile(h.path)
				require.NoError(t, err)
				require.NoError(t, storage.AbandonUpload(t.Context(), h.bucket, h.path))
				require.NoFileExists(t, h.path)
				require.NoError(t, os.WriteFile(h.path, kept, 0o600))

				attrs, err := t.upload(t.Context(), h, from(h.text))
				if name == "a stream" && err != nil { // Azure drops nothing at once
					require.True(t, t.settled(err, storage.Unavailable).Retryable)
					t.missing(h.bucket, "a")
					attrs, err = t.upload(t.Context(), h, from(h.text))
				}
				require.NoError(t, err, name)
				t.over(h, attrs, h.text)
			}
		},
	},
	{
		Name: "a completion that nobody heard of is found", Rule: "W13",
		Explanation: "where the earlier call made the object, the same call finds it by its write id and sends nothing",
		Needs:       storage.UploadParts | storage.Metadata,
		run: func(t *T) {
			conditions := map[string][]storage.UploadOption{"no condition": nil}
			if t.has(storage.ConditionalCreate) {
				conditions["IfAbsent"] = []storage.UploadOption{storage.IfAbsent()}
			}
			for name, opts := range conditions {
				h := t.unheard(faults.Fail(faults.Reads), opts...)
				t.faults.Reset()
				t.faults.Set()
				before := t.attrs(h.bucket, "a").Revision
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), opts...)
				require.NoError(t, err, "%s: %v", name, t.faults)
				require.Zero(t, t.faults.Count(faults.PutPart), "%s: %v", name, t.faults)
				require.Zero(t, t.faults.Count(faults.BeginParts), "%s: %v", name, t.faults)
				require.Equal(t, int64(len(h.text)), attrs.Size)
				if len(opts) > 0 {
					require.Equal(t, before, attrs.Revision, "the object was made once")
				}
				t.holds(h.bucket, "a", h.text)
				require.NoFileExists(t, h.path)
			}
		},
	},
	{
		Name: "an upload that is of no use is not kept", Rule: "W13",
		Explanation: "a failure that does not pass aborts and leaves no file, as do success and a body of one request",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			h := &halted{bucket: t.inParts(), text: body(2*t.unit+1, 1), path: filepath.Join(t.TempDir(), "upload")}
			_, err := t.upload(t.Context(), h, failing(h.text, errBoom))
			t.fails(err, storage.BodyFailed)
			require.NoFileExists(t, h.path)
			require.Zero(t, t.pendingUploads(), "%v", t.faults)
			for _, text := range []string{"", "short", h.text} {
				attrs, err := t.upload(t.Context(), h, strings.NewReader(text))
				require.NoError(t, err)
				t.over(h, attrs, text)
			}
		},
	},
	{
		Name: "a body that changed when its completion was not heard of", Rule: "W13",
		Explanation: "the object of the earlier body is not taken for that of this one",
		Needs:       storage.UploadParts | storage.Metadata,
		run: func(t *T) {
			h := t.unheard(faults.Fail(faults.Reads))
			t.faults.Set()
			changed := changedAt(h.text, len(h.text)-1)
			attrs, err := t.upload(t.Context(), h, strings.NewReader(changed))
			require.NoError(t, err)
			t.over(h, attrs, changed)
		},
	},
	{
		Name: "what nobody can look at stays unknown", Rule: "W13",
		Explanation: "where the upload is gone and the object cannot be seen, the same call is OutcomeUnknown, and the next one finds it",
		Needs:       storage.UploadParts | storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			blind := faults.Fail(faults.Reads).With(storage.PermissionDenied)
			h := t.unheard(blind, storage.IfAbsent())
			t.faults.Set(blind)
			_, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfAbsent())
			if err != nil { // Google's sessions answer with the object again
				require.ErrorIs(t, err, storage.OutcomeUnknown)
				require.NotErrorIs(t, err, fs.ErrExist)
				require.FileExists(t, h.path)
			}
			t.faults.Set()
			if err != nil {
				_, err = t.upload(t.Context(), h, strings.NewReader(h.text), storage.IfAbsent())
				require.NoError(t, err)
			}
			t.holds(h.bucket, "a", h.text)
			require.NoFileExists(t, h.path)
		},
	},
	{
		Name: "parts that go side by side are gone on with", Rule: "W13",
		Explanation: "cut short at any part, the same call ends with the whole object, however many parts were on their way",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			const parts = 6
			for cut := 1; cut <= parts; cut++ {
				ctx, cancel := context.WithCancel(t.Context())
				h := &halted{
					bucket: t.inParts(meddle("PutPart", cut, cancel)),
					text:   body(parts*t.unit, byte(cut)), path: filepath.Join(t.TempDir(), "upload"),
				}
				_, err := t.upload(ctx, h, strings.NewReader(h.text), storage.WithConcurrency(3))
				if err != nil { // with the last, nothing may be left to cut
					t.fails(err, storage.Canceled)
				}
				cancel()
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text), storage.WithConcurrency(2))
				require.NoError(t, err)
				t.over(h, attrs, h.text)
				if t.unit > 1<<20 && cut == 2 {
					return // large parts: enough
				}
			}
		},
	},
	{
		Name: "a copy that was cut short is gone on with", Rule: "W13",
		Explanation: "between two stores: the source is read, and only the parts that are not there are sent",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			source := memstore.New()
			text := body(2*t.unit+1, 1)
			t.put(source, "source", text)
			b := t.limited(faults.Bounds{Without: storage.StreamPut, MaxPutSize: t.unit, MinPartSize: t.unit, MaxPartSize: t.unit}, meddle("PutPart", 2, cancel))
			path := filepath.Join(t.TempDir(), "upload")
			copied := func(ctx context.Context) error {
				_, err := storage.Copy(ctx, b, "a", source, "source", storage.WithResume(path), storage.WithConcurrency(1))
				return err
			}
			t.fails(copied(ctx), storage.Canceled)
			require.FileExists(t, path)
			require.NoError(t, copied(t.Context()))
			require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%v", t.faults)
			t.holds(b, "a", text)
			require.NoFileExists(t, path)
			require.Zero(t, t.pendingUploads(), "%v", t.faults)
		},
	},
}
