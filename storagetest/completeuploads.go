package storagetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/history"
	"github.com/omnibucket/storage/storagetest/faults"
)

var completeUploadCases = []Case{
	{
		Name:        "Complete refuses parts that do not make the object",
		Rule:        "U3",
		Explanation: "missing parts, other ETags, a wrong order and too few bytes are InvalidArgument; the upload stays and completes with the right ones",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a", storage.WithSize(4))
			second := t.putPart(u, 2, "dropped")
			refuses := func(text string, opts ...storage.CompleteOption) {
				t.Helper()
				_, err := u.Complete(t.Context(), opts...)
				require.Contains(t, t.requireCode(err, storage.InvalidArgument).Error(), text)
			}
			refuses("part 1 must")
			short := t.putPart(u, 1, "x")
			refuses("parts must have the 4 bytes", storage.WithParts(*short))
			first := t.putPart(u, 1, "text")
			refuses("WithParts must", storage.WithParts())
			refuses("WithParts must", storage.WithParts(*second, *first))
			refuses("WithParts must", storage.WithParts(*first, *first))
			refuses("WithParts must", storage.WithParts(*second))
			refuses("part 3 must", storage.WithParts(*first, *second, storage.UploadedPart{Number: 3}))
			refuses("part 1 must", storage.WithParts(storage.UploadedPart{Number: 1, ETag: `"other"`}))
			refuses("parts must have the 5 bytes", storage.WithParts(*first), storage.WithSize(5))
			t.requireMissing(b, "a")
			_, err := u.Complete(t.Context(), storage.WithParts(*first))
			require.NoError(t, err)
			t.requireContent(b, "a", "text")
			require.Zero(t, t.countPendingUploads())
		},
	},
	{
		Name:        "parts of another size than the store takes are refused",
		Rule:        "U3",
		Explanation: "with a least size, a unit or equal parts, Complete names the part before the store is asked, and the upload stays",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			for name, limits := range map[string]faults.Limits{
				"least size": {MinPartSize: t.unit},
				"unit":       {PartUnit: 5},
				"equal":      {EqualParts: true},
			} {
				b := t.openLimited(limits)
				u := t.begin(b, "a")
				for number, text := range []string{"four", "three", "end"} {
					t.putPart(u, number+1, text)
				}
				_, err := u.Complete(t.Context())
				require.Regexp(t, "part [12] must have", t.requireCode(err, storage.InvalidArgument).Error(), name)
				parts, err := u.Parts(t.Context())
				require.NoError(t, err)
				require.Len(t, parts, 3)
				require.NoError(t, u.Abort(t.Context()))
			}
		},
	},
	{
		Name:        "more bytes than were declared abort an open upload",
		Rule:        "U3",
		Explanation: "with WithSize and with WithMaxSize, also if the parts came from elsewhere: InvalidArgument, and nothing is left",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			for _, o := range []storage.MultipartOption{storage.WithSize(3), storage.WithMaxSize(3)} {
				b := t.open()
				u := t.begin(b, "a", o)
				t.putPart(u, 1, "text")
				_, err := t.continueUpload(b, u).Complete(t.Context())
				require.Contains(t, t.requireCode(err, storage.InvalidArgument).Error(), "parts must have")
				t.requireMissing(b, "a")
				require.Zero(t, t.countPendingUploads())
				_, err = u.Complete(t.Context())
				t.requireGone(err)
			}
			b := t.open()
			_, err := storage.BeginUpload(t.Context(), b, "a", storage.WithMaxSize(0))
			t.requireCode(err, storage.InvalidArgument)
			require.NoError(
				t, t.begin(b, "a", storage.WithMaxSize(math.MaxInt64)).Abort(t.Context()),
				"a bound above that of the store",
			)
		},
	},
	{
		Name:        "Complete is idempotent",
		Rule:        "U3",
		Explanation: "a second Complete, in any process, returns the object while it is there; afterwards, and after Abort, every call is ObjectNotFound, and Abort succeeds",
		Needs:       storage.OpenUploads | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a", storage.WithMetadata(map[string]string{"k": "v"}))
			t.putPart(u, 1, "text")
			first, err := u.Complete(t.Context())
			require.NoError(t, err)
			for range 2 {
				second, err := t.continueUpload(b, u).Complete(t.Context())
				require.NoError(t, err)
				require.Equal(t, first.Revision, second.Revision)
				require.Equal(t, first.Size, second.Size)
				require.Equal(t, first.Metadata, second.Metadata)
			}
			require.NoError(t, u.Abort(t.Context()))
			t.requireContent(b, "a", "text")
			t.put(b, "a", "another")
			_, err = u.Complete(t.Context())
			t.requireGone(err)
			t.requireContent(b, "a", "another")

			u = t.begin(b, "b")
			t.putPart(u, 1, "text")
			require.NoError(t, u.Abort(t.Context()))
			require.NoError(t, u.Abort(t.Context()))
			_, err = u.Complete(t.Context())
			t.requireGone(err)
			_, err = u.Parts(t.Context())
			t.requireGone(err)
			_, err = u.PutPart(t.Context(), 1, strings.NewReader("late"))
			t.requireGone(err)
			t.requireMissing(b, "b")
		},
	},
	{
		Name:        "completions at once make one object",
		Rule:        "U3",
		Explanation: "of an upload without a condition, in one process and in others: all return the revision that the object has, also if it replaced another one",
		Needs:       storage.OpenUploads | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			for _, key := range []string{"new", "old", "new", "old"} {
				t.put(b, "old", "before")
				u := t.begin(b, key)
				t.putPart(u, 1, body(t.unit, 1))
				t.putPart(u, 2, "end")
				var group sync.WaitGroup
				callers := []storage.MultipartUpload{u, u, t.continueUpload(b, u), t.continueUpload(b, u)}
				results := make([]*storage.Attrs, len(callers))
				errs := make([]error, len(callers))
				for i, caller := range callers {
					group.Go(func() {
						results[i], errs[i] = caller.Complete(t.Context())
					})
				}
				group.Wait()
				require.NoError(t, errors.Join(errs...))
				existing, err := b.Attrs(t.Context(), key)
				require.NoError(t, err)
				for _, attrs := range results {
					require.Equal(t, existing.Revision, attrs.Revision, "the object was made again")
				}
				require.NoError(t, b.Remove(t.Context(), "new"))
			}
		},
	},
	{
		Name:        "a lost response of an open upload is reconciled",
		Rule:        "W7",
		Explanation: "of a part, which is sent again, and of Complete, which finds its object by the write id, with and without a condition",
		Needs:       storage.OpenUploads | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			var opts []storage.MultipartOption
			if t.has(storage.ConditionalCreate) {
				opts = append(opts, storage.IfAbsent())
			}
			for _, opts := range [][]storage.MultipartOption{nil, opts} {
				key := fmt.Sprint("key", len(opts))
				u := t.begin(b, key, opts...)
				t.faults.Set(
					faults.DropResponse(faults.PutPart).Nth(1), faults.Fail(faults.PutPart).Nth(2),
					faults.Fail(faults.ListParts).Nth(1), faults.DropResponse(faults.CompleteParts).Nth(1),
				)
				t.putPart(u, 1, "text")
				_, err := u.Complete(t.Context())
				t.faults.Set()
				require.NoError(t, err, "%v", t.faults)
				t.requireContent(b, key, "text")
			}
			u := t.begin(b, "lost")
			t.putPart(u, 1, "text")
			t.faults.Set(faults.DropResponse(faults.CompleteParts), faults.Fail(faults.Head))
			_, err := u.Complete(t.Context())
			t.faults.Set()
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			_, err = u.Complete(t.Context())
			require.NoError(t, err)
		},
	},
}

// concurrentRounds is how often a case repeats its concurrent calls.
const concurrentRounds = 12

const explainsCompletions = "an upload makes its object once, at one moment: an order of all calls explains what each returned and what each read saw, so that no newer object is replaced and no removed one is back"

var completeBesideCases = []Case{
	{
		Name:        "a completion beside writes and removals",
		Rule:        "U3",
		Explanation: explainsCompletions,
		Needs:       storage.OpenUploads | storage.Metadata,
		run: func(t *T) {
			t.runConcurrentCompletions(1)
		},
	},
	{
		Name:        "completions beside writes and removals",
		Rule:        "U3",
		Explanation: explainsCompletions,
		Needs:       storage.OpenUploads | storage.Metadata,
		run: func(t *T) {
			t.runConcurrentCompletions(2)
		},
	},
}

// runConcurrentCompletions completes an upload several times while other calls write, remove and read
// its key, and requires that some order of the calls explains all results.
func (t *T) runConcurrentCompletions(completions int) {
	b := t.open()
	for round := range concurrentRounds {
		key := fmt.Sprint("key", round)
		calls := &history.History{}
		initial := history.KeyState{}

		// In every second round, the upload replaces an object.
		objectExists := round%2 == 1
		if objectExists {
			initial.Content = "before"
			t.put(b, key, initial.Content)
		}
		upload := t.begin(b, key)
		t.putPart(upload, 1, "upload")

		t.runConcurrently(calls, b, upload, completions, round)

		// After the upload has ended, a further completion must not change the object.
		calls.Do(t.recordRead(b, key))
		calls.Do(t.recordComplete(t.continueUpload(b, upload)))
		calls.Do(t.recordRead(b, key))
		require.True(t, calls.Explained(initial), "no order explains this:\n%v", calls)
	}
}

// runConcurrently completes an upload while other goroutines write, remove and read its object. Which of
// these they do depends on the round.
func (t *T) runConcurrently(h *history.History, b storage.Bucket, u storage.MultipartUpload, completions, round int) {
	write := t.recordWrite(b, u.Key(), fmt.Sprint("write", round))
	remove := t.recordRemove(b, u.Key())
	read := t.recordRead(b, u.Key())

	// Each client is a list of calls. It makes them one after the other, while the other clients make theirs.
	var clients [][]history.Recorded
	for range completions {
		clients = append(clients, []history.Recorded{t.recordComplete(t.continueUpload(b, u))})
	}
	switch round % 3 {
	case 0:
		clients = append(clients, []history.Recorded{read, remove, read})
	case 1:
		clients = append(clients, []history.Recorded{read, write, read})
	default:
		clients = append(clients, []history.Recorded{write, read}, []history.Recorded{remove, read})
	}

	var wg sync.WaitGroup
	for _, calls := range clients {
		wg.Go(func() {
			for _, call := range calls {
				h.Do(call)
			}
		})
	}
	wg.Wait()
}

// recordComplete returns a function that completes u, and returns the name and the result of this step
// for a history. Another call may have ended the upload before.
func (t *T) recordComplete(u storage.MultipartUpload) history.Recorded {
	return func() (string, history.Step) {
		_, err := u.Complete(t.Context())
		if err == nil {
			return "Complete", history.CompletedWith("upload")
		}
		if storage.CodeOf(err) != storage.ObjectNotFound {
			t.Errorf("Complete: %v", err)
			return "Complete", history.CompletedWith("upload")
		}
		if errors.Is(err, storage.OutcomeUnknown) {
			return "Complete: it has ended, outcome unknown", history.EndedUnknown("upload")
		}
		return "Complete: it has ended", history.FoundEnded("upload")
	}
}

// recordWrite returns a call that uploads content, to be recorded in a history.
func (t *T) recordWrite(b storage.Bucket, key, content string) history.Recorded {
	return func() (string, history.Step) {
		if _, err := b.Upload(t.Context(), key, strings.NewReader(content)); err != nil {
			t.Errorf("Upload: %v", err)
		}
		return "Upload of " + content, history.Wrote(content)
	}
}

// recordRemove returns a call that removes the object, to be recorded in a history.
func (t *T) recordRemove(b storage.Bucket, key string) history.Recorded {
	return func() (string, history.Step) {
		if err := b.Remove(t.Context(), key); err != nil {
			t.Errorf("Remove: %v", err)
		}
		return "Remove", history.Wrote("")
	}
}

// recordRead returns a call that reads the object, to be recorded in a history. A missing object is
// recorded as "".
func (t *T) recordRead(b storage.Bucket, key string) history.Recorded {
	return func() (string, history.Step) {
		content := t.readUnchanged(b, key)
		return "read " + content, history.Saw(content)
	}
}

// readUnchanged returns the content of an object, or "" if it is missing. It reads again if the
// object changes during the read.
func (t *T) readUnchanged(b storage.Bucket, key string) string {
	for {
		data, _, err := storage.ReadAll(t.Context(), b, key)
		if storage.CodeOf(err) == storage.Changed {
			continue
		}
		if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
			t.Errorf("ReadAll: %v", err)
		}
		return string(data)
	}
}
