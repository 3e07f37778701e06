package mirror_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Reads use the second store while each call of the primary fails or stalls.
func TestGetWhilePrimaryIsDown(t *testing.T) {
	for _, newRule := range []func(faults.Calls) faults.Rule{faults.Fail, faults.Stall} {
		t.Run(newRule(faults.Any).String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, mirror.Config{})
				ctx := t.Context()
				b := p.mirror
				attrs := put(t, b, "a", "0123456789",
					storage.WithMetadata(map[string]string{"is": "é"}),
					storage.WithTags(map[string]string{"t": "1"}))
				require.False(t, mirror.FailedOver(attrs))

				// The primary goes down.
				callsBefore := p.inPrimary.Count(faults.Any)
				p.inPrimary.Set(newRule(faults.Any))

				// Content and attributes come from the second store.
				data, got, err := storage.ReadAll(ctx, b, "a")
				require.NoError(t, err)
				require.Equal(t, "0123456789", string(data))
				require.True(t, mirror.FailedOver(got))
				require.Equal(t, "é", got.Metadata["is"])

				// A condition may name a revision of either store.
				head, err := b.Attrs(ctx, "a", storage.IfRevision(got.Revision))
				require.NoError(t, err, "a revision of the second store")
				require.True(t, mirror.FailedOver(head))
				data, got, err = storage.ReadAll(ctx, b, "a", storage.IfRevision(attrs.Revision),
					storage.WithRange(2, 3))
				require.NoError(t, err, "a revision of the primary that the second store has")
				require.Equal(t, "234", string(data))
				require.Equal(t, attrs.Revision, got.Revision)
				_, err = b.Attrs(ctx, "a", storage.IfRevisionNot(attrs.Revision))
				require.ErrorIs(t, err, storage.NotModified)

				// While the primary is down, tags and listings work, too.
				tags, err := storage.Tags(ctx, b, "a")
				require.NoError(t, err)
				require.Equal(t, map[string]string{"t": "1"}, tags)
				require.Equal(t, map[string]string{"a": "0123456789"}, contentsOf(t, b))

				const triedCalls = 3 // until the layer sends no more calls to the primary
				require.Equal(t, callsBefore+triedCalls, p.inPrimary.Count(faults.Any))
			})
		})
	}
}

// newOutdatedPair returns a mirror whose second store has an older object "a" and lacks "b". older and newer are the
// attributes of the two writes of "a".
func newOutdatedPair(t *testing.T) (p *pair, older, newer *storage.Attrs) {
	t.Helper()
	p = newPair(t, mirror.Config{}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	older = put(t, p.mirror, "a", "first")
	p.inSecond.Set(faults.Fail(faults.Writes))
	newer = put(t, p.mirror, "a", "second")
	put(t, p.mirror, "b", "only in the primary")
	p.inSecond.Set()
	time.Sleep(time.Minute) // until the circuit tries the second store again
	return p, older, newer
}

// While the primary is down, a read of an object that the second store lacks fails with Unavailable. It does not fail
// with ObjectNotFound, because the primary may have the object.
func TestGetMissingInSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The second store has an older object "a", and no object "b".
		p, older, newer := newOutdatedPair(t)
		p.inPrimary.Set(faults.Fail(faults.Any))

		_, err := p.mirror.Attrs(t.Context(), "b")
		require.ErrorIs(t, err, storage.Unavailable)
		require.NotErrorIs(t, err, storage.ObjectNotFound)
		_, _, err = storage.ReadAll(t.Context(), p.mirror, "a", storage.IfRevision(newer.Revision))
		require.ErrorIs(t, err, storage.Unavailable, "the second store has an older revision")

		// A read without a condition gets the older object.
		data, attrs, err := storage.ReadAll(t.Context(), p.mirror, "a")
		require.NoError(t, err)
		require.Equal(t, "first", string(data))
		require.NotEqual(t, older.Revision, attrs.Revision, "the revision is one of the second store")
	})
}

// While the primary is down, a reader gets a revision of the second store. A later write with this revision as its
// condition fails, because the primary may have a newer object.
func TestWriteIfRevisionOfSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The second store has an older object "a".
		p, _, _ := newOutdatedPair(t)
		b := p.mirror
		ctx := t.Context()

		// Read the older object while the primary is down.
		p.inPrimary.Set(faults.Fail(faults.Any))
		_, older, err := storage.ReadAll(ctx, b, "a")
		require.NoError(t, err)
		p.inPrimary.Set()
		time.Sleep(time.Minute) // until the circuit tries the primary again

		_, err = b.Upload(ctx, "a", strings.NewReader("x"), storage.IfRevision(older.Revision))
		require.ErrorIs(t, err, storage.PreconditionFailed)

		// An upload in parts fails before it begins.
		uploads := p.inPrimary.Count(faults.BeginParts)
		for _, key := range []string{"a", "missing"} {
			_, err = b.Upload(ctx, key, strings.NewReader("xy"), storage.WithPartSize(1),
				storage.IfRevision(older.Revision))
			require.ErrorIs(t, err, storage.PreconditionFailed, "an upload in parts to %s", key)
		}
		require.Equal(t, uploads, p.inPrimary.Count(faults.BeginParts), "no upload in parts begins")

		// A removal fails, unless there is no object.
		require.ErrorIs(t, b.Remove(ctx, "a", storage.IfRevision(older.Revision)), storage.PreconditionFailed)
		require.NoError(t, b.Remove(ctx, "missing", storage.IfRevision(older.Revision)))

		// The primary still has its newer object.
		data, _, err := storage.ReadAll(ctx, b, "a", storage.IfRevisionNot(older.Revision))
		require.NoError(t, err)
		require.Equal(t, "second", string(data))
	})
}

// A read that breaks off in the primary continues from the second store.
func TestGetContinuesInSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const half = 5000
		p := newPair(t, mirror.Config{})
		text := strings.Repeat("x", half) + strings.Repeat("y", half)
		put(t, p.mirror, "a", text)

		// The primary sends the first half of the object, and then fails.
		p.inPrimary.Set(faults.Cut(faults.Get, half))
		reader, err := p.mirror.Download(t.Context(), "a")
		require.NoError(t, err)
		firstHalf := make([]byte, half)
		_, err = io.ReadFull(reader, firstHalf)
		require.NoError(t, err)
		p.inPrimary.Set(faults.Fail(faults.Any))

		rest, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		require.Equal(t, text, string(firstHalf)+string(rest))
	})
}

// The pages of a mirror form one complete listing, even if each page comes from another store than the page before.
// If the primary fails, a page comes from the second store.
func TestListContinuesInOtherStore(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.ListOption
	}{
		{name: "all keys"},
		{name: "folders", opts: []storage.ListOption{storage.WithDelimiter("/")}},
		{name: "a folder", opts: []storage.ListOption{storage.WithPrefix("f/")}},
		{name: "a delimiter that keys of notes have", opts: []storage.ListOption{storage.WithDelimiter("-")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// With this short Probe, each request tries a failed store again.
				p := newPair(t, mirror.Config{Probe: time.Nanosecond})
				const objects = 30 // of each of two kinds
				for i := range objects {
					put(t, p.mirror, fmt.Sprintf("f/%02d/x", i), "x")
					put(t, p.mirror, fmt.Sprintf("g%02d", i), "x")
				}

				// If the second store misses a write, the mirror keeps an object in the primary as
				// a note of the write. Listings do not show notes.
				p.inSecond.Set(faults.Fail(faults.Writes))
				for i := range objects {
					put(t, p.mirror, fmt.Sprintf("g%02d", i), "y")
					time.Sleep(time.Second)
				}
				p.inSecond.Set()

				// listPages calls noFaults or failOddPages before each page.
				noFaults := func(int) {}
				failOddPages := func(page int) {
					p.inPrimary.Set()
					if page%2 == 1 {
						p.inPrimary.Set(faults.Fail(faults.Any))
					}
				}

				// Pages of the mirror have the same keys, wherever they come from.
				want := listPages(t, p.second, tt.opts, noFaults)
				require.Equal(t, want, listPages(t, p.mirror, tt.opts, noFaults))
				require.Equal(t, want, listPages(t, p.mirror, tt.opts, failOddPages))
			})
		})
	}
}

// listPages lists pages of seven entries. It calls beforePage before it reads each page.
func listPages(
	t *testing.T, b storage.Bucket, opts []storage.ListOption, beforePage func(number int),
) (entries []string) {
	t.Helper()
	opts = append(slices.Clone(opts), storage.WithPageSize(7))
	token := ""
	for number := 0; ; number++ {
		beforePage(number)
		page, err := storage.ListPage(t.Context(), b, token, opts...)
		require.NoError(t, err)
		for _, entry := range page.Entries {
			entries = append(entries, fmt.Sprint(entry.Key, entry.IsPrefix))
		}
		time.Sleep(time.Second)
		token = page.Token
		if token == "" {
			return entries
		}
	}
}

// If the second store does not respond, the first write waits for it. Later writes wait only when the layer tries the
// second store again.
func TestCircuitOfSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			stall  = 3 * time.Second // longest wait for a store
			probe  = time.Minute     // after which the layer tries a failed store again
			writes = 25
		)
		p := newPair(t, mirror.Config{Stall: stall, Probe: probe})
		p.inSecond.Set(faults.Stall(faults.Any))

		// requireFirstWaits makes writes, and requires that only the first one waits for the second store.
		requireFirstWaits := func(prefix string) {
			for i := range writes {
				wait := time.Duration(0)
				if i == 0 {
					wait = stall
				}
				start := time.Now()
				put(t, p.mirror, fmt.Sprint(prefix, i), "x")
				require.Equal(t, wait, time.Since(start), "write %d", i)
			}
		}
		requireFirstWaits("first")
		time.Sleep(probe)
		requireFirstWaits("later")

		// When the store is back, it gets the next write, and Repair copies the others.
		p.inSecond.Set()
		time.Sleep(probe)
		put(t, p.mirror, "a", "x")
		require.Len(t, contentsOf(t, p.second), 1)
		require.Len(t, p.repair(t), 2*writes+1)
	})
}

// Readers wait for a stalled primary at most three times before they use the second store at once.
func TestCircuitOfStalledPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall, probe, reads = 3 * time.Second, time.Minute, 50
		p := newPair(t, mirror.Config{Stall: stall, Probe: probe})
		put(t, p.mirror, "a", "x")
		p.inPrimary.Set(faults.Stall(faults.Any))

		start := time.Now()
		for range reads {
			_, _, err := storage.ReadAll(t.Context(), p.mirror, "a")
			require.NoError(t, err)
		}
		require.Equal(t, 3*stall, time.Since(start))

		// When the primary is back, reads use it again.
		p.inPrimary.Set()
		time.Sleep(probe)
		attrs, err := p.mirror.Attrs(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, mirror.FailedOver(attrs))
	})
}

// After three reads have failed because their deadlines were earlier than Config.Stall, reads use the second store.
func TestCircuitOpensByDeadlines(t *testing.T) {
	const stall = 5 * time.Second
	const reads = 20
	tests := []struct {
		name         string
		limit        time.Duration // after which the context of a read ends
		isCanceled   bool          // the context is canceled then, and has no deadline
		wantFailures int           // of the reads
	}{
		// After three deadlines, the primary counts as failed, and the second store is read.
		{name: "a deadline before Config.Stall", limit: time.Second, wantFailures: 3},
		// The mirror reads the second store within the deadline.
		{name: "a deadline after Config.Stall", limit: time.Minute, wantFailures: 0},
		// Deadlines that are so short do not make the primary count as failed.
		{name: "no time to respond", limit: time.Millisecond, wantFailures: reads},
		{
			name:         "callers that give up, which is no deadline",
			limit:        time.Second,
			isCanceled:   true,
			wantFailures: reads,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, mirror.Config{Stall: stall, Probe: time.Minute})
				put(t, p.mirror, "a", "text")
				p.inPrimary.Set(faults.Stall(faults.Any))

				// A read that succeeds comes from the second store.
				failures := 0
				for range reads {
					ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
					if tt.isCanceled {
						cancel()
						ctx, cancel = context.WithCancel(t.Context())
						time.AfterFunc(tt.limit, cancel)
					}
					_, attrs, err := storage.ReadAll(ctx, p.mirror, "a")
					cancel()
					if err != nil {
						failures++
						continue
					}
					require.True(t, mirror.FailedOver(attrs))
				}
				require.Equal(t, tt.wantFailures, failures)

				// When the primary is back, reads use it again.
				p.inPrimary.Set()
				time.Sleep(time.Minute)
				attrs, err := p.mirror.Attrs(t.Context(), "a")
				require.NoError(t, err)
				require.False(t, mirror.FailedOver(attrs))
			})
		})
	}
}

// If several calls in a row reach their deadlines, reads use the second store for a while. If the
// primary responds between any two of these calls, it is not down, and reads still use it.
func TestCircuitIgnoresRareDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{})
		put(t, p.mirror, "a", "text")
		for range 10 {
			// The primary does not respond before the deadline of one call.
			p.inPrimary.Set(faults.Stall(faults.Any))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := p.mirror.Attrs(ctx, "a")
			cancel()
			require.ErrorIs(t, err, storage.DeadlineExceeded)

			// The primary responds to the next call.
			p.inPrimary.Set()
			attrs, err := p.mirror.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.False(t, mirror.FailedOver(attrs))
		}
	})
}

// A second store that does not respond counts as failed when three calls in a row have reached their deadlines.
// Writes do not wait for it then.
func TestCircuitOfSecondStoreOpensByDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The deadlines are shorter than Stall. Probe is so long that no write tries the failed store again.
		const timeout = time.Second
		const writes = 20
		p := newPair(t, mirror.Config{Stall: 5 * time.Second, Probe: time.Minute})
		p.inSecond.Set(faults.Stall(faults.Any))

		// Each write succeeds, because the primary has the object. Only the first three wait for their deadlines.
		start := time.Now()
		for i := range writes {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			_, err := p.mirror.Upload(ctx, fmt.Sprint(i), strings.NewReader("x"))
			cancel()
			require.NoError(t, err)
		}
		require.Equal(t, 3*timeout, time.Since(start))
	})
}

// A write fails, and does not reach the second store, while the primary is down.
func TestPutWhilePrimaryIsDown(t *testing.T) {
	p := newPair(t, mirror.Config{}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	p.inPrimary.Set(faults.Fail(faults.Any))

	_, err := p.mirror.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unavailable)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	require.Empty(t, contentsOf(t, p.second))
}

// With Config.Sync, a write waits for both stores. If the second store fails, the write fails with OutcomeUnknown,
// the primary has the object, and Repair copies it.
func TestSyncWaitsForBothStores(t *testing.T) {
	for name, opts := range map[string][]storage.UploadOption{
		"a write":              nil,
		"a write that creates": {storage.IfAbsent()},
		"a write in parts":     {storage.WithPartSize(1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, mirror.Config{Sync: true})
				p.inSecond.Set(faults.Fail(faults.Any))

				_, err := p.mirror.Upload(t.Context(), "a", strings.NewReader("xy"), opts...)
				require.ErrorIs(t, err, storage.OutcomeUnknown)
				require.Equal(t, map[string]string{"a": "xy"}, contentsOf(t, p.primary))

				// p.repair ends all faults and calls Repair. Afterwards both stores have the
				// object.
				repaired := p.repair(t)
				require.Len(t, repaired, 1)

				// The next write succeeds in both stores.
				_, err = p.mirror.Upload(t.Context(), "b", strings.NewReader("xy"), opts...)
				require.NoError(t, err)
				objects := p.requireEqual(t)
				require.Len(t, objects, 2)
			})
		})
	}
}

// Notes are small objects in which the layer remembers its writes. Callers cannot write them, and
// listings neither show them nor read thousands of them.
func TestNotesAreHidden(t *testing.T) {
	p := newPair(t, mirror.Config{})
	_, err := p.mirror.Upload(t.Context(), mirror.NotesPrefix+"x", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.InvalidArgument)

	// The primary has many notes, which would fill several pages of a listing, and two objects.
	for i := range 3000 {
		put(t, p.primary, mirror.NotesPrefix+fmt.Sprintf("%06d", i), "x")
	}
	put(t, p.mirror, "a", "x")
	put(t, p.mirror, ".a", "x")

	p.inPrimary.Reset()
	require.Equal(t, map[string]string{"a": "x", ".a": "x"}, contentsOf(t, p.mirror))
	require.LessOrEqual(t, p.inPrimary.Count(faults.List), 3, "a listing skips the notes")

	// With this delimiter, the notes would have a common prefix.
	listWithDelimiter := func() (keys []string) {
		p.inPrimary.Reset()
		for entry, err := range p.mirror.List(t.Context(), storage.WithDelimiter("-")) {
			require.NoError(t, err)
			keys = append(keys, entry.Key)
		}
		return keys
	}
	require.Equal(t, []string{".a", "a"}, listWithDelimiter())
	require.LessOrEqual(t, p.inPrimary.Count(faults.List), 4, "a listing skips the notes")

	// An object of the caller with the same common prefix is shown.
	put(t, p.mirror, ".omnibucket-x", "x")
	require.Equal(t, []string{".a", ".omnibucket-", "a"}, listWithDelimiter())
}

// New refuses an invalid configuration, and a second store of a type from outside this library.
func TestNewRefuses(t *testing.T) {
	type foreign struct{ storage.Bucket } // may drop the name of a copy
	tests := []struct {
		name   string
		second storage.Bucket
		config mirror.Config
	}{
		{name: "no second store", second: nil},
		{name: "a negative stall", second: memstore.New(), config: mirror.Config{Stall: -1}},
		{name: "a foreign type", second: foreign{memstore.New()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mirror.New(tt.second, tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// A write fails with Unsupported if the second store has no conditional writes.
func TestNewNeedsConditionsOfSecondStore(t *testing.T) {
	second := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return lacking{d, storage.ConditionalUpdate}
	}))
	b := memstore.New(driver.WithLayer(newLayer(t, second, mirror.Config{})))

	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unsupported)
}

// A lacking driver lacks some features.
type lacking struct {
	driver.Driver
	features storage.Features // that it lacks
}

func (l lacking) Describe() driver.Description {
	desc := l.Driver.Describe()
	desc.Features &^= l.features
	return desc
}

// The second store may still have an object that was removed. So a copy within the bucket does not read the second
// store, even if the primary fails once.
func TestCopyReadsPrimary(t *testing.T) {
	copyObject := func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Copy(ctx, b, "to", b, "a")
		return err
	}
	moveObject := func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Move(ctx, b, "a", "to")
		return err
	}
	composeObject := func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Compose(ctx, b, "to", []string{"a", "a"})
		return err
	}

	tests := map[string]func(ctx context.Context, b storage.Bucket) error{
		"Copy":    copyObject,
		"Move":    moveObject,
		"Compose": composeObject,
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			p := newPair(t, mirror.Config{Probe: time.Nanosecond}, noRetry)

			// The second store still has an object that the primary has removed.
			put(t, p.mirror, "a", "removed")
			p.inSecond.Set(faults.Fail(faults.Writes))
			require.NoError(t, p.mirror.Remove(t.Context(), "a"))
			p.inSecond.Set()

			// The read of the primary fails, and so does the call.
			p.inPrimary.Set(faults.Fail(faults.Reads).First(1))
			require.Error(t, call(t.Context(), p.mirror))
			p.inPrimary.Set()
			require.Empty(t, contentsOf(t, p.mirror))
		})
	}
}
