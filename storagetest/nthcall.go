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
	do    doFunc
	many  bool // true if it writes several objects; each must be complete afterwards
	once  bool // true if an attempt whose response was lost is not repeated
}

// A doFunc makes the calls of an operation. prepared is what setUp returned. The text that a doFunc
// returns is what the operation has read, or "".
type doFunc func(ctx context.Context, t *T, b storage.Bucket, prepared any) (string, error)

// nthCallCases returns a case for each operation without retries, and one with retries for each
// operation that may be repeated.
func nthCallCases() []Case {
	var cases []Case
	for _, op := range append(writeOperations(), readOperations()...) {
		cases = append(cases, Case{
			Name:        "a fault at every call of " + op.name,
			Rule:        "T2",
			Needs:       op.needs,
			Explanation: "with one attempt, the store is as before or as after, never in between, and success means the whole effect",
			run: func(t *T) {
				const retries = false
				op.withFaults(t, retries)
			},
		})

		// The operation is not repeated if its response was lost.
		if op.once {
			continue
		}
		cases = append(cases, Case{
			Name:        "a fault at every call of " + op.name + ", retried",
			Rule:        "T1",
			Needs:       op.needs | op.settledBy(),
			Explanation: "one fault, before the call or after its effect, is retried or reconciled, and the operation succeeds",
			run: func(t *T) {
				const retries = true
				op.withFaults(t, retries)
			},
		})
	}
	return cases
}

// settledBy returns the features by which the engine finds out whether op took effect when its
// response was lost. A conditional write or a multipart upload needs Metadata, which holds the id
// of the write.
func (op operation) settledBy() storage.Features {
	if op.needs&(storage.MultipartUploads|storage.ConditionalCreate|storage.ConditionalUpdate) == 0 {
		return 0
	}
	return storage.Metadata
}

// maxCalls is the number of driver calls after which a case fails, because the operation may never
// end.
const maxCalls = 60

// withFaults runs op with a fault at each of its driver calls, and compares each run with one
// without a fault. The bucket repeats failed requests only if retried is true.
func (op operation) withFaults(t *T, retried bool) {
	runs := newFaultRuns(t, op, retried)
	b, reliable, prepared := runs.prepare()
	before := t.snapshot(reliable)

	// The first run has no fault. If a real server fails by itself, op is run again with a new prefix.
	want, err := op.do(t.Context(), t, b, prepared)
	for failures := 0; failures < maxCalls && storage.IsTemporary(err); failures++ {
		b, reliable, prepared = runs.prepare()
		want, err = op.do(t.Context(), t, b, prepared)
	}
	require.NoError(t, err, "without a fault")

	// A run with a fault must have the same result and effect, or it must fail and change nothing.
	expected := faultResult{
		want:    want,
		before:  before,
		after:   t.snapshot(reliable),
		retried: retried,
	}
	runs.failEachCall(faults.Fail, expected)
	runs.failEachCall(faults.DropResponse, expected)
}

// A faultRuns runs an operation several times in one bucket. Each run has its own prefix.
type faultRuns struct {
	t        *T
	op       operation
	bucket   storage.Bucket // has the faults of the case
	reliable storage.Bucket // same store, with retries and without faults
	count    int            // runs that were prepared
}

// newFaultRuns opens a bucket with faults, which repeats failed requests only if retried is true, and
// beside it a reliable bucket on the same store, which shows the state of that store.
func newFaultRuns(t *T, op operation, retried bool) *faultRuns {
	var opts []storage.OpenOption
	if !retried {
		opts = append(opts, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	}

	// This layer gets the driver without the faults, for the reliable bucket.
	var inner driver.Driver
	opts = append(opts, driver.WithLayer(func(next driver.Driver) driver.Driver {
		inner = next
		return next
	}))

	var b storage.Bucket
	if op.open != nil {
		b = op.open(t, opts...)
	} else {
		b = t.open(opts...)
	}
	return &faultRuns{
		t:        t,
		op:       op,
		bucket:   b,
		reliable: engine.New(inner, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond})),
	}
}

// prepare sets up the next run in a folder of its own, and returns that folder of both buckets and
// the result of setUp. The set-up uses the reliable bucket, because a real server may drop
// connections.
func (r *faultRuns) prepare() (b, reliable storage.Bucket, prepared any) {
	r.count++
	prefix := fmt.Sprintf("run-%d/", r.count)
	b = storage.Prefixed(r.bucket, prefix)
	reliable = storage.Prefixed(r.reliable, prefix)
	return b, reliable, r.op.setUp(r.t, reliable)
}

// failEachCall runs the operation once for each of its driver calls, with a fault at that call.
func (r *faultRuns) failEachCall(fault func(faults.Calls) faults.Rule, expected faultResult) {
	t := r.t
	call := 1
	ownFailures := 0 // runs in which the server failed by itself
	for {
		runs := call + ownFailures
		require.LessOrEqual(t, runs, maxCalls, "too many calls")

		b, reliable, prepared := r.prepare()
		rule := fault(faults.Any).Nth(call)
		t.faults.Reset()
		t.faults.Set(rule)
		got, err := r.op.do(t.Context(), t, b, prepared)
		t.faults.Set() // ends the fault
		hadFault := len(t.faults.Hits()) > 0

		// Check the result of the run, and the state that it has left.
		result := expected
		result.err = err
		result.got = got
		result.now = t.snapshot(reliable)
		r.op.requirePermitted(t, fmt.Sprintf("%v: %v", rule, err), result)

		// Without a fault, either the operation makes fewer calls, or a real server failed before the call.
		// In the second case, the same call is tried again.
		switch {
		case hadFault:
			call++
		case storage.IsTemporary(err):
			ownFailures++
		default:
			return
		}
	}
}

// A faultResult is the result of one run with a fault, with the states of the bucket now, before the
// operation, and after a run without a fault.
type faultResult struct {
	err                error
	got, want          string
	now, before, after string
	retried            bool
}

// requirePermitted requires that rules T1 and T2 permit the result of a run: a success has the whole
// effect, and a failure has none or says that its effect is unknown. name describes the run in messages.
func (op operation) requirePermitted(t *T, name string, r faultResult) {
	t.Helper()
	if r.err == nil {
		require.Equal(t, r.want, r.got, name)
		require.Equal(t, r.after, r.now, "%s: success must mean the whole effect", name)
		return
	}

	if r.retried {
		require.FailNow(t, "a retry must make up for a single fault", "%s: %v", name, r.err)
	}
	if op.many {
		// Each object must be as before or as after. A line of a state is one object.
		for line := range strings.SplitSeq(r.now, "\n") {
			isKnown := strings.Contains(r.before, line) || strings.Contains(r.after, line)
			require.True(t, isKnown, "%s: between: %s", name, line)
		}
		return
	}
	if storage.CodeOf(r.err) == storage.BodyFailed {
		// A failure of the body must change nothing.
		require.Equal(t, r.before, r.now, name)
		return
	}

	// Any other failure leaves the old state, or reports that the outcome is unknown.
	t.requireCode(r.err, storage.CodeOf(r.err))
	if r.now != r.before {
		require.Equal(t, r.after, r.now, "%s: the store must not be between before and after", name)
		require.ErrorIs(t, r.err, storage.OutcomeUnknown, "%s: the effect must be reported as unknown", name)
	}
}

// putOld is a setUp that stores the object "a". It returns the attributes of the object.
func putOld(t *T, b storage.Bucket) any {
	return t.put(b, "a", "old", t.metadata(map[string]string{"is": "old"}))
}

// putNothing is a setUp for an empty bucket.
func putNothing(*T, storage.Bucket) any { return nil }

// doUpload returns a doFunc that uploads the object "a" with new content.
func doUpload(opts ...storage.UploadOption) doFunc {
	return func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := b.Upload(
			ctx, "a", strings.NewReader("new content"),
			append(opts, t.metadata(map[string]string{"is": "new"}))...)
		return "", err
	}
}

// doUploadParts returns a doFunc that uploads the object "a" in two parts. prepared has the attributes of
// an existing object, if there is one. Without opts, that is replaced only if it is unchanged.
func doUploadParts(newReader func(text string) io.Reader, opts ...storage.UploadOption) doFunc {
	return func(ctx context.Context, t *T, b storage.Bucket, prepared any) (string, error) {
		uploadOpts := []storage.UploadOption{storage.WithPartSize(t.unit), storage.WithConcurrency(1)}
		uploadOpts = append(uploadOpts, opts...)
		existing, exists := prepared.(*storage.Attrs)
		if exists && len(opts) == 0 {
			uploadOpts = append(uploadOpts, storage.IfRevision(existing.Revision))
		}
		_, err := b.Upload(ctx, "a", newReader(body(t.unit+1, 1)), uploadOpts...)
		return "", err
	}
}

func inPlace(text string) io.Reader { return strings.NewReader(text) }

// openStreamedCopies opens an empty bucket that streams the bytes of a copy.
func openStreamedCopies(t *T, opts ...storage.OpenOption) storage.Bucket {
	return t.open(append(opts, withoutFeatures(storage.ServerCopy|storage.ServerCompose))...)
}

// writeOperations returns the operations that change the store.
func writeOperations() []operation {
	doCopy := func(opts ...storage.CopyOption) doFunc {
		return func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
			_, err := storage.Copy(ctx, b, "b", b, "a", opts...)
			return "", err
		}
	}

	doCompose := func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := storage.Compose(ctx, b, "b", []string{"a", "a"}, t.contentType("text/x-test"))
		return "", err
	}
	doMove := func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := storage.Move(ctx, b, "a", "b")
		return "", err
	}
	doAppend := func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
		_, err := storage.Append(ctx, b, "a", []byte("more"))
		return "", err
	}

	putSeveral := func(t *T, b storage.Bucket) any {
		t.puts(b, "a", "b", "c")
		return nil
	}

	return []operation{
		{name: "an upload", setUp: putOld, do: doUpload()},
		{
			name:  "an upload that creates",
			needs: storage.ConditionalCreate,
			setUp: putNothing,
			do:    doUpload(storage.IfAbsent()),
		},
		{
			name:  "an upload that replaces a revision",
			needs: storage.ConditionalUpdate,
			setUp: putOld,
			do: func(ctx context.Context, t *T, b storage.Bucket, value any) (string, error) {
				return doUpload(storage.IfRevision(value.(*storage.Attrs).Revision))(ctx, t, b, value)
			},
		},
		{
			name:  "an upload of a stream",
			setUp: putOld,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := b.Upload(ctx, "a", stream(body(5000, 1)))
				return "", err
			},
		},
		{
			name:  "an upload in parts",
			needs: storage.MultipartUploads,
			open:  (*T).openForParts,
			setUp: putNothing,
			do:    doUploadParts(inPlace),
		},
		{
			name:  "an upload of a stream in parts",
			needs: storage.MultipartUploads,
			open:  (*T).openForParts,
			setUp: putNothing,
			do:    doUploadParts(stream),
		},
		{
			name:  "an upload in parts that creates",
			needs: storage.MultipartUploads | storage.ConditionalCreate,
			open:  (*T).openForParts,
			setUp: putNothing,
			do:    doUploadParts(stream, storage.IfAbsent()),
		},
		{
			name:  "an upload in parts that replaces a revision",
			needs: storage.MultipartUploads | storage.ConditionalUpdate,
			open:  (*T).openForParts,
			setUp: putOld,
			do:    doUploadParts(stream),
		},
		{
			name:  "a Writer",
			setUp: putOld,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				w := storage.NewWriter(ctx, b, "a")
				defer w.Close()
				_, _ = io.WriteString(w, "new")
				_, err := w.Commit()
				return "", err
			},
		},
		{name: "a copy", setUp: putOld, do: doCopy()},
		{name: "a streamed copy", open: openStreamedCopies, setUp: putOld, do: doCopy()},
		{name: "a copy that creates", needs: storage.ConditionalCreate, setUp: putOld, do: doCopy(storage.IfAbsent())},
		{
			name:  "a streamed copy that creates",
			needs: storage.ConditionalCreate,
			open:  openStreamedCopies,
			setUp: putOld,
			do:    doCopy(storage.IfAbsent()),
		},
		{name: "Compose", setUp: putOld, do: doCompose},
		{name: "a streamed Compose", open: openStreamedCopies, setUp: putOld, do: doCompose},
		{name: "Append", needs: appends, setUp: putOld, do: doAppend},
		{name: "a streamed Append", needs: appends, open: openStreamedAppends, setUp: putOld, do: doAppend},
		{name: "an Append that creates", needs: appends, setUp: putNothing, do: doAppend},
		{name: "a move in one step", needs: storage.ServerMove, once: true, setUp: putOld, do: doMove},
		{name: "a move by a copy", open: openCopiedMoves, many: true, setUp: putOld, do: doMove},
		{
			name:  "Update",
			needs: storage.ConditionalCreate | storage.ConditionalUpdate,
			setUp: putNothing,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := storage.Update(ctx, b, "counter", increment)
				return "", err
			},
		},
		{
			name:  "Remove",
			setUp: putOld,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				return "", b.Remove(ctx, "a")
			},
		},
		{
			name:  "Remove of a revision",
			needs: storage.ConditionalRemove,
			setUp: putOld,
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
				putOld(t, b)
				t.removeForGood(b, "a")
				return nil
			},
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				return "", storage.Restore(ctx, b, "a", storage.WithSoftDeleted())
			},
		},
		{
			name:  "RemoveAll",
			setUp: putSeveral,
			many:  true,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b", "c"}))
				return "", err
			},
		},
		{
			name:  "RemoveMatching",
			setUp: putSeveral,
			many:  true,
			do: func(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
				_, err := storage.RemoveMatching(ctx, b, func(e storage.ListEntry) bool { return e.Key != "b" },
					storage.WithPageSize(2))
				return "", err
			},
		},
	}
}

// A doReadFunc makes the calls of an operation that only reads, and returns what it has read.
type doReadFunc func(ctx context.Context, t *T, b storage.Bucket) (any, error)

// do is the doFunc of a doReadFunc.
func (read doReadFunc) do(ctx context.Context, t *T, b storage.Bucket, _ any) (string, error) {
	got, err := read(ctx, t, b)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(got), nil
}

// readAll returns a doReadFunc that downloads an object with the given options.
func readAll(opts ...storage.DownloadOption) doReadFunc {
	return func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
		data, _, err := storage.ReadAll(ctx, b, "a", opts...)
		return string(data), err
	}
}

// readOperations returns the operations that only read. A fault must not change the data that they read.
func readOperations() []operation {
	rows := []struct {
		name string
		read doReadFunc
	}{
		{name: "a download", read: readAll()},
		{name: "a download of a range", read: readAll(storage.WithRange(100, 1000))},
		{name: "a download in parallel", read: readAll(storage.WithConcurrency(3))},
		{
			name: "a download to a file",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				path := filepath.Join(t.TempDir(), "to")
				if _, err := storage.DownloadFile(ctx, b, "a", path); err != nil {
					require.NoFileExists(t, path)
					return nil, err
				}
				return readFile(t, path), nil
			},
		},
		{
			name: "Attrs",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				attrs, err := b.Attrs(ctx, "a")
				if err != nil {
					return nil, err
				}
				return attrs.Size, nil
			},
		},
		{
			name: "Exists",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				exists, err := b.Exists(ctx, "a")
				if err != nil {
					return nil, err
				}
				missingExists, err := b.Exists(ctx, "missing")
				return []bool{exists, missingExists}, err
			},
		},
		{
			name: "a listing",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				var keys []string
				for entry, err := range b.List(ctx, t.anyOrder(storage.WithPageSize(1), storage.WithDelimiter("/"))...) {
					if err != nil {
						return nil, err
					}
					keys = append(keys, markedKey(entry))
				}
				return t.sorted(keys), nil
			},
		},
		{
			name: "a page",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				page, err := storage.ListPage(ctx, b, "", t.anyOrder(storage.WithPageSize(2))...)
				if err != nil {
					return nil, err
				}
				return len(page.Entries), nil
			},
		},
		{
			name: "a ReaderAt",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				r, err := storage.NewReaderAt(ctx, b, "a")
				if err != nil {
					return nil, err
				}
				defer r.Close()
				p := make([]byte, 100)
				_, err = r.ReadAt(p, 4000)
				return string(p), err
			},
		},
		{
			name: "ReadRanges",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				got, _, err := storage.ReadRanges(
					ctx, b, "a",
					[]storage.Range{{Offset: -10, Length: -1}, {Offset: 0, Length: 10}, {Offset: 2000, Length: 10}},
					storage.WithMaxGap(0),
				)
				return stringsOf(got), err
			},
		},
		{
			name: "a file system",
			read: func(ctx context.Context, t *T, b storage.Bucket) (any, error) {
				data, err := fs.ReadFile(storage.FS(ctx, b), "c/d")
				return string(data), err
			},
		},
	}

	putObjects := func(t *T, b storage.Bucket) any {
		t.put(b, "a", body(5000, 1))
		t.puts(b, "b", "c/d", "c/e")
		return nil
	}
	var operations []operation
	for _, row := range rows {
		operations = append(operations, operation{name: row.name, setUp: putObjects, do: row.read.do})
	}
	return operations
}
