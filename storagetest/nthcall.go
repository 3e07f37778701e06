package storagetest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/storagetest/faults"
)

// An operation is run several times, with a fault at its first driver call, then at its second, and
// so on, until it makes no further call.
type operation struct {
	name  string
	needs storage.Features
	open  func(t *T, opts ...storage.OpenOption) storage.Bucket
	setUp func(t *T, b storage.Bucket) any // prepares the bucket, and returns the last argument of do
	do    func(ctx context.Context, t *T, b storage.Bucket, given any) (string, error)
	many  bool // true if it writes several objects; each must be complete afterwards
	once  bool // true if an attempt whose response was lost is not repeated
}

func nthCallCases() []Case {
	var cases []Case
	for _, op := range append(writeOperations(), readOperations()...) {
		cases = append(cases,
			Case{
				Name:        "a fault at every call of " + op.name,
				Rule:        "T2",
				Needs:       op.needs,
				Explanation: "with one attempt, the store is as before or as after, never in between, and success means the whole effect",
				run: func(t *T) {
					op.withFaults(t, false)
				},
			})
		if op.once {
			continue
		}
		cases = append(cases,
			Case{
				Name:        "a fault at every call of " + op.name + ", retried",
				Rule:        "T1",
				Needs:       op.needs | op.settledBy(),
				Explanation: "one fault, before the call or after its effect, is retried or reconciled, and the operation succeeds",
				run: func(t *T) {
					op.withFaults(t, true)
				},
			})
	}
	return cases
}

// settledBy returns the feature that the engine needs to find out whether op took effect, after the
// response was lost. For a conditional write or a multipart upload, the feature is Metadata. The
// engine stores a write id in the metadata, and recognizes its own write by that id.
func (op operation) settledBy() storage.Features {
	if op.needs&(storage.MultipartUploads|storage.ConditionalCreate|storage.ConditionalUpdate) == 0 {
		return 0
	}
	return storage.Metadata
}

// maxCalls is the number of driver calls after which a case fails, because the operation may never
// end.
const maxCalls = 60

// withFaults runs op with a fault at each of its driver calls. Each run has its own prefix in one
// bucket.
func (op operation) withFaults(t *T, retried bool) {
	open := op.open
	if open == nil {
		open = (*T).open
	}
	var opts []storage.OpenOption
	if !retried {
		opts = append(opts, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	}
	var drv driver.Driver
	parent := open(t, append(opts, driver.WithLayer(func(d driver.Driver) driver.Driver {
		drv = d
		return d
	}))...)
	// A real server may drop a connection, which must not fail the preparation.
	retrying := engine.New(drv, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	run := 0
	prepare := func() (b, checked storage.Bucket, given any) {
		run++
		prefix := fmt.Sprintf("run-%d/", run)
		checked = storage.Prefixed(retrying, prefix)
		return storage.Prefixed(parent, prefix), checked, op.setUp(t, checked)
	}
	b, checked, value := prepare()
	before := t.snapshot(checked)
	want, err := op.do(t.Context(), t, b, value)
	// A real server may fail by itself.
	for failures := 0; failures < maxCalls && storage.IsTemporary(err); failures++ {
		b, checked, value = prepare()
		want, err = op.do(t.Context(), t, b, value)
	}
	require.NoError(t, err, "without a fault")
	after := t.snapshot(checked)

	for _, kind := range []func(faults.Calls) faults.Rule{faults.Fail, faults.DropResponse} {
		for n, failures := 1, 0; ; {
			require.LessOrEqual(t, n+failures, maxCalls, "too many calls")
			b, checked, v := prepare()
			rule := kind(faults.Any).Nth(n)
			t.faults.Reset()
			t.faults.Set(rule)
			got, err := op.do(t.Context(), t, b, v)
			t.faults.Set()
			hit := len(t.faults.Hits()) > 0
			op.judge(t, fmt.Sprintf("%v: %v", rule, err), verdict{
				err:     err,
				got:     got,
				want:    want,
				now:     t.snapshot(checked),
				before:  before,
				after:   after,
				retried: retried,
			})
			if !hit && !storage.IsTemporary(err) {
				break
			}
			if hit {
				n++
			} else {
				// A real server may fail before the n-th call. The same n is then tried again.
				failures++
			}
		}
	}
}

// A verdict holds the result of one run with a fault. It also holds three states of the bucket:
// now, before the operation, and after a run without a fault.
type verdict struct {
	err                error
	got, want          string
	now, before, after string
	retried            bool
}

func (op operation) judge(t *T, name string, v verdict) {
	t.Helper()
	switch {
	case v.err == nil:
		require.Equal(t, v.want, v.got, name)
		require.Equal(t, v.after, v.now, "%s: success must mean the whole effect", name)
	case v.retried:
		require.NoError(t, v.err, name)
	case op.many:
		for line := range strings.SplitSeq(v.now, "\n") {
			require.True(t, strings.Contains(v.before, line) || strings.Contains(v.after, line), "%s: between: %s",
				name, line)
		}
	case storage.CodeOf(v.err) == storage.BodyFailed:
		require.Equal(t, v.before, v.now, name)
	default:
		t.requireCode(v.err, storage.CodeOf(v.err))
		if v.now != v.before {
			require.Equal(t, v.after, v.now, "%s: the store must not be between before and after", name)
			require.ErrorIs(t, v.err, storage.OutcomeUnknown, "%s: the effect must be reported as unknown", name)
		}
	}
}

func old(t *T, b storage.Bucket) any {
	return t.put(b, "a", "old", t.metadata(map[string]string{"is": "old"}))
}

func nothing(*T, storage.Bucket) any { return nil }

// uploading returns a function that uploads the object "a". The function is a value for
// operation.do.
func uploading(opts ...storage.UploadOption) func(context.Context, *T, storage.Bucket, any) (string, error) {
	return func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := b.Upload(
			ctx, "a", strings.NewReader("new content"),
			append(opts, t.metadata(map[string]string{"is": "new"}))...)
		return "", err
	}
}

// uploadingParts returns a function that uploads the object "a" in two parts. The function is a
// value for the field do.
func uploadingParts(
	source func(string) io.Reader, opts ...storage.UploadOption,
) func(context.Context, *T, storage.Bucket, any) (string, error) {
	return func(ctx context.Context, t *T, b storage.Bucket, value any) (string, error) {
		options := append([]storage.UploadOption{storage.WithPartSize(t.unit), storage.WithConcurrency(1)}, opts...)
		if attrs, ok := value.(*storage.Attrs); ok && len(opts) == 0 {
			options = append(options, storage.IfRevision(attrs.Revision))
		}
		_, err := b.Upload(ctx, "a", source(body(t.unit+1, 1)), options...)
		return "", err
	}
}

func inPlace(text string) io.Reader { return strings.NewReader(text) }

func streamedCopies(t *T, opts ...storage.OpenOption) storage.Bucket {
	return t.open(append(opts, limitedBy(storage.ServerCopy|storage.ServerCompose))...)
}

func writeOperations() []operation {
	copying := func(opts ...storage.CopyOption) func(context.Context, *T, storage.Bucket, any) (string, error) {
		return func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
			_, err := storage.Copy(ctx, b, "b", b, "a", opts...)
			return "", err
		}
	}

	composing := func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := storage.Compose(ctx, b, "b", []string{"a", "a"}, t.contentType("text/x-test"))
		return "", err
	}
	moving := func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := storage.Move(ctx, b, "a", "b")
		return "", err
	}
	appending := func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := storage.Append(ctx, b, "a", []byte("more"))
		return "", err
	}

	several := func(t *T, b storage.Bucket) any {
		t.puts(b, "a", "b", "c")
		return nil
	}

	return []operation{
		{name: "an upload", setUp: old, do: uploading()},
		{
			name:  "an upload that creates",
			needs: storage.ConditionalCreate,
			setUp: nothing,
			do:    uploading(storage.IfAbsent()),
		},
		{
			name:  "an upload that replaces a revision",
			needs: storage.ConditionalUpdate,
			setUp: old,
			do: func(ctx context.Context, t *T, b storage.Bucket, value any) (string, error) {
				return uploading(storage.IfRevision(value.(*storage.Attrs).Revision))(ctx, t, b, value)
			},
		},
		{
			name:  "an upload of a stream",
			setUp: old,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := b.Upload(ctx, "a", stream(body(5000, 1)))
				return "", err
			},
		},
		{
			name:  "an upload in parts",
			needs: storage.MultipartUploads,
			open:  (*T).openForParts,
			setUp: nothing,
			do:    uploadingParts(inPlace),
		},
		{
			name:  "an upload of a stream in parts",
			needs: storage.MultipartUploads,
			open:  (*T).openForParts,
			setUp: nothing,
			do:    uploadingParts(stream),
		},
		{
			name:  "an upload in parts that creates",
			needs: storage.MultipartUploads | storage.ConditionalCreate,
			open:  (*T).openForParts,
			setUp: nothing,
			do:    uploadingParts(stream, storage.IfAbsent()),
		},
		{
			name:  "an upload in parts that replaces a revision",
			needs: storage.MultipartUploads | storage.ConditionalUpdate,
			open:  (*T).openForParts,
			setUp: old,
			do:    uploadingParts(stream),
		},
		{
			name:  "a Writer",
			setUp: old,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				w := storage.NewWriter(ctx, b, "a")
				defer w.Close()
				_, _ = io.WriteString(w, "new")
				_, err := w.Commit()
				return "", err
			},
		},
		{name: "a copy", setUp: old, do: copying()},
		{name: "a streamed copy", open: streamedCopies, setUp: old, do: copying()},
		{name: "a copy that creates", needs: storage.ConditionalCreate, setUp: old, do: copying(storage.IfAbsent())},
		{
			name:  "a streamed copy that creates",
			needs: storage.ConditionalCreate,
			open:  streamedCopies,
			setUp: old,
			do:    copying(storage.IfAbsent()),
		},
		{name: "Compose", setUp: old, do: composing},
		{name: "a streamed Compose", open: streamedCopies, setUp: old, do: composing},
		{name: "Append", needs: appends, setUp: old, do: appending},
		{name: "a streamed Append", needs: appends, open: openStreamedAppends, setUp: old, do: appending},
		{name: "an Append that creates", needs: appends, setUp: nothing, do: appending},
		{name: "a move in one step", needs: storage.ServerMove, once: true, setUp: old, do: moving},
		{name: "a move by a copy", open: openCopiedMoves, many: true, setUp: old, do: moving},
		{
			name:  "Update",
			needs: storage.ConditionalCreate | storage.ConditionalUpdate,
			setUp: nothing,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := storage.Update(ctx, b, "counter", increment)
				return "", err
			},
		},
		{
			name:  "Remove",
			setUp: old,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				return "", b.Remove(ctx, "a")
			},
		},
		{
			name:  "Remove of a revision",
			needs: storage.ConditionalRemove,
			setUp: old,
			do: func(ctx context.Context, t *T, b storage.Bucket, value any) (string, error) {
				return "", b.Remove(ctx, "a", storage.IfRevision(value.(*storage.Attrs).Revision))
			},
		},
		{
			name:  "Restore of what was removed",
			needs: storage.SoftDelete,
			once:  true,
			open: func(t *T, opts ...storage.OpenOption) storage.Bucket {
				return t.open(append(opts, storage.WithSoftDelete(keptFor))...)
			},
			setUp: func(t *T, b storage.Bucket) any {
				old(t, b)
				t.removeForGood(b, "a")
				return nil
			},
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				return "", storage.Restore(ctx, b, "a", storage.WithSoftDeleted())
			},
		},
		{
			name:  "RemoveAll",
			setUp: several,
			many:  true,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b", "c"}))
				return "", err
			},
		},
		{
			name:  "RemoveMatching",
			setUp: several,
			many:  true,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := storage.RemoveMatching(ctx, b, func(e storage.ListEntry) bool { return e.Key != "b" },
					storage.WithPageSize(2))
				return "", err
			},
		},
	}
}

func readOperations() []operation {
	content := func(t *T, b storage.Bucket) any {
		t.put(b, "a", body(5000, 1))
		t.puts(b, "b", "c/d", "c/e")
		return nil
	}

	reading := func(do func(ctx context.Context, t *T, b storage.Bucket) (any, error)) func(context.Context, *T, storage.Bucket, any) (string, error) {
		return func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
			got, err := do(ctx, t, b)
			if err != nil {
				return "", err
			}
			return fmt.Sprint(got), nil
		}
	}
	readAll := func(opts ...storage.DownloadOption) func(context.Context, *T, storage.Bucket) (any, error) {
		return func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
			data, _, err := storage.ReadAll(ctx, b, "a", opts...)
			return string(data), err
		}
	}

	return []operation{
		{name: "a download", setUp: content, do: reading(readAll())},
		{name: "a download of a range", setUp: content, do: reading(readAll(storage.WithRange(100, 1000)))},
		{name: "a download in parallel", setUp: content, do: reading(readAll(storage.WithConcurrency(3)))},
		{
			name:  "a download to a file",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				path := filepath.Join(t.TempDir(), "to")
				if _, err := storage.DownloadFile(ctx, b, "a", path); err != nil {
					require.NoFileExists(t, path)
					return nil, err
				}
				return readFile(t, path), nil
			}),
		},
		{
			name:  "Attrs",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				attrs, err := b.Attrs(ctx, "a")
				if err != nil {
					return nil, err
				}
				return attrs.Size, nil
			}),
		},
		{
			name:  "Exists",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				exists, err := b.Exists(ctx, "a")
				if err != nil {
					return nil, err
				}
				missingExists, err := b.Exists(ctx, "missing")
				return []bool{exists, missingExists}, err
			}),
		},
		{
			name:  "a listing",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				var keys []string
				for entry, err := range b.List(ctx, t.anyOrder(storage.WithPageSize(1), storage.WithDelimiter("/"))...) {
					if err != nil {
						return nil, err
					}
					keys = append(keys, mark(entry))
				}
				return t.sorted(keys), nil
			}),
		},
		{
			name:  "a page",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				page, err := storage.ListPage(ctx, b, "", t.anyOrder(storage.WithPageSize(2))...)
				if err != nil {
					return nil, err
				}
				return len(page.Entries), nil
			}),
		},
		{
			name:  "a ReaderAt",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				r, err := storage.NewReaderAt(ctx, b, "a")
				if err != nil {
					return nil, err
				}
				defer r.Close()
				p := make([]byte, 100)
				_, err = r.ReadAt(p, 4000)
				return string(p), err
			}),
		},
		{
			name:  "ReadRanges",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				got, _, err := storage.ReadRanges(
					ctx, b, "a",
					[]storage.Range{{Offset: -10, Length: -1}, {Offset: 0, Length: 10}, {Offset: 2000, Length: 10}},
					storage.WithMaxGap(0),
				)
				return texts(got), err
			}),
		},
		{
			name:  "a file system",
			setUp: content,
			do: reading(func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				data, err := fs.ReadFile(storage.FS(ctx, b), "c/d")
				return string(data), err
			}),
		},
	}
}
