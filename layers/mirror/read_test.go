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

// Reads use the second store while the primary is down.
func TestGetWhilePrimaryIsDown(t *testing.T) {
	for _, kind := range []func(faults.Calls) faults.Rule{faults.Fail, faults.Stall} {
		t.Run(kind(faults.Any).String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, mirror.Config{})
				ctx := t.Context()
				b := p.mirror
				attrs := put(t, b, "a", "0123456789",
					storage.WithMetadata(map[string]string{"is": "é"}),
					storage.WithTags(map[string]string{"t": "1"}))
				require.False(t, mirror.FailedOver(attrs))
				calls := p.inPrimary.Count(faults.Any)
				p.inPrimary.Set(kind(faults.Any))

				// Content, attributes and tags come from the second store.
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

				tags, err := storage.Tags(ctx, b, "a")
				require.NoError(t, err)
				require.Equal(t, map[string]string{"t": "1"}, tags)
				require.Equal(t, map[string]string{"a": "0123456789"}, contentsOf(t, b))
				require.Equal(t, calls+3, p.inPrimary.Count(faults.Any), "the circuit is open")
			})
		})
	}
}

// If the primary is down and the second store lacks an object, a read does not fail with ObjectNotFound.
func TestGetMissingInSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		ctx := t.Context()
		b := p.mirror

		// The second store has an older object, and lacks another one.
		first := put(t, b, "a", "first")
		p.inSecond.Set(faults.Fail(faults.Writes))
		second := put(t, b, "a", "second")
		put(t, b, "b", "only in the primary")
		p.inSecond.Set()
		time.Sleep(time.Minute) // until the circuit tries the second store again

		// While the primary is down, reads return what the second store has.
		p.inPrimary.Set(faults.Fail(faults.Any))
		_, err := b.Attrs(ctx, "b")
		require.ErrorIs(t, err, storage.Unavailable)
		require.NotErrorIs(t, err, storage.ObjectNotFound)

		_, _, err = storage.ReadAll(ctx, b, "a", storage.IfRevision(second.Revision))
		require.ErrorIs(t, err, storage.Unavailable, "the second store has an older one")
		data, older, err := storage.ReadAll(ctx, b, "a")
		require.NoError(t, err)
		require.Equal(t, "first", string(data))
		require.NotEqual(t, first.Revision, older.Revision)

		// When it is back, writes with a revision of the second store fail.
		p.inPrimary.Set()
		time.Sleep(time.Minute)
		_, err = b.Upload(ctx, "a", strings.NewReader("x"), storage.IfRevision(older.Revision))
		require.ErrorIs(t, err, storage.PreconditionFailed,
			"a revision of the second store is none of the primary")
		uploads := p.inPrimary.Count(faults.BeginParts)
		for _, key := range []string{"a", "missing"} {
			_, err = b.Upload(ctx, key, strings.NewReader("xy"), storage.WithPartSize(1),
				storage.IfRevision(older.Revision))
			require.ErrorIs(t, err, storage.PreconditionFailed, "an upload in parts to %s", key)
		}
		require.Equal(t, uploads, p.inPrimary.Count(faults.BeginParts), "no part is sent")
		require.ErrorIs(t, b.Remove(ctx, "a", storage.IfRevision(older.Revision)), storage.PreconditionFailed)
		require.NoError(t, b.Remove(ctx, "missing", storage.IfRevision(older.Revision)))

		data, _, err = storage.ReadAll(ctx, b, "a", storage.IfRevisionNot(older.Revision))
		require.NoError(t, err)
		require.Equal(t, "second", string(data))
	})
}

// If a read from the primary breaks off, it continues from the second store.
func TestGetContinuesInSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const half = 5000
		p := newPair(t, mirror.Config{})
		text := strings.Repeat("x", half) + strings.Repeat("y", half)
		put(t, p.mirror, "a", text)
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

// If each page of a listing comes from another store than the page before, the pages form one complete listing.
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
				p := newPair(t, mirror.Config{Probe: time.Nanosecond})
				for n := range 30 {
					put(t, p.mirror, fmt.Sprintf("f/%02d/x", n), "x")
					put(t, p.mirror, fmt.Sprintf("g%02d", n), "x")
				}

				// Writes that the second store misses leave notes in the primary, which no page shows.
				p.inSecond.Set(faults.Fail(faults.Writes))
				for n := range 30 {
					put(t, p.mirror, fmt.Sprintf("g%02d", n), "y")
					time.Sleep(time.Second)
				}
				p.inSecond.Set()

				nothing := func(int) {}
				failOddPages := func(number int) {
					p.inPrimary.Set()
					if number%2 == 1 {
						p.inPrimary.Set(faults.Fail(faults.Any))
					}
				}
				want := listPages(t, p.second, tt.opts, nothing)
				require.Equal(t, want, listPages(t, p.mirror, tt.opts, nothing))
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

// If the second store does not respond, the first write waits once. Later writes do not wait, until the layer
// tries the store again.
func TestCircuitOfSecondStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall = 3 * time.Second
		p := newPair(t, mirror.Config{Stall: stall, Probe: time.Minute})
		p.inSecond.Set(faults.Stall(faults.Any))
		requireWrites := func(prefix string, firstWait time.Duration) {
			for n := range 25 {
				want := time.Duration(0)
				if n == 0 {
					want = firstWait
				}
				start := time.Now()
				put(t, p.mirror, fmt.Sprint(prefix, n), "x")
				require.Equal(t, want, time.Since(start), n)
			}
		}

		requireWrites("first", stall)
		time.Sleep(time.Minute)
		requireWrites("later", stall)

		// When the store is back, it gets the next write, and Repair copies the others.
		p.inSecond.Set()
		time.Sleep(time.Minute)
		put(t, p.mirror, "a", "x")
		require.Len(t, contentsOf(t, p.second), 1)
		require.Len(t, p.repair(t), 51)
	})
}

// If the primary stalls, readers wait at most three times before reads use the second store at once.
func TestCircuitOfStalledPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{Stall: 3 * time.Second, Probe: time.Minute})
		put(t, p.mirror, "a", "x")
		p.inPrimary.Set(faults.Stall(faults.Any))
		start := time.Now()
		for range 50 {
			_, _, err := storage.ReadAll(t.Context(), p.mirror, "a")
			require.NoError(t, err)
		}

		require.Equal(t, 9*time.Second, time.Since(start))
		p.inPrimary.Set()
		time.Sleep(time.Minute)
		attrs, err := p.mirror.Attrs(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, mirror.FailedOver(attrs))
	})
}

// If three reads reach their deadlines before Config.Stall, later reads use the second store.
func TestCircuitOpensByDeadlines(t *testing.T) {
	timeoutAfter := func(timeout time.Duration) func(ctx context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, timeout)
		}
	}
	cancelAfterSecond := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		return ctx, cancel
	}
	const reads = 20
	tests := []struct {
		name     string
		limit    func(ctx context.Context) (context.Context, context.CancelFunc)
		failures int // of the reads
	}{
		{name: "a deadline before Config.Stall", limit: timeoutAfter(time.Second), failures: 3},
		{name: "a deadline after it: the read fails over", limit: timeoutAfter(time.Minute), failures: 0},
		{name: "no time to respond", limit: timeoutAfter(time.Millisecond), failures: reads},
		{name: "callers that give up, which is no deadline", limit: cancelAfterSecond, failures: reads},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, mirror.Config{Stall: 5 * time.Second, Probe: time.Minute})
				put(t, p.mirror, "a", "text")
				p.inPrimary.Set(faults.Stall(faults.Any))

				failures := 0
				for range reads {
					ctx, cancel := tt.limit(t.Context())
					_, attrs, err := storage.ReadAll(ctx, p.mirror, "a")
					cancel()
					if err != nil {
						failures++
						continue
					}
					require.True(t, mirror.FailedOver(attrs))
				}
				require.Equal(t, tt.failures, failures)

				// When the primary is back, reads use it again.
				p.inPrimary.Set()
				time.Sleep(time.Minute)
				attrs, err := p.mirror.Attrs(t.Context(), "a")
				require.NoError(t, err)
				require.False(t, mirror.FailedOver(attrs), "it is tried again")
			})
		})
	}
}

// If the primary responds between two calls that reach their deadlines, reads do not use the second store.
func TestCircuitIgnoresRareDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{})
		put(t, p.mirror, "a", "text")
		for range 10 {
			p.inPrimary.Set(faults.Stall(faults.Any))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := p.mirror.Attrs(ctx, "a")

			cancel()
			require.ErrorIs(t, err, storage.DeadlineExceeded)
			p.inPrimary.Set()
			attrs, err := p.mirror.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.False(t, mirror.FailedOver(attrs))
		}
	})
}

// If the second store does not respond, writes with a deadline wait for it at most three times.
func TestCircuitOfSecondStoreOpensByDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{Stall: 5 * time.Second, Probe: time.Minute})
		p.inSecond.Set(faults.Stall(faults.Any))
		start := time.Now()
		for n := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := p.mirror.Upload(ctx, fmt.Sprint(n), strings.NewReader("x"))
			cancel()
			require.NoError(t, err)
		}
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

// A write fails while the primary is down.
func TestPutWhilePrimaryIsDown(t *testing.T) {
	p := newPair(t, mirror.Config{}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	p.inPrimary.Set(faults.Fail(faults.Any))
	_, err := p.mirror.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unavailable)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	require.Empty(t, contentsOf(t, p.second))
}

// With Config.Sync, a write fails with OutcomeUnknown if the second store fails. The primary has the object, and
// Repair copies it.
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
				require.Len(t, p.repair(t), 1)

				_, err = p.mirror.Upload(t.Context(), "b", strings.NewReader("xy"), opts...)
				require.NoError(t, err)
				require.Len(t, p.requireEqual(t), 2)
			})
		})
	}
}

// Notes of the layer are not objects: they cannot be written, listings do not show them, and listings do not
// read thousands of them.
func TestNotesAreHidden(t *testing.T) {
	p := newPair(t, mirror.Config{})
	_, err := p.mirror.Upload(t.Context(), mirror.NotesPrefix+"x", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.InvalidArgument)

	for n := range 3000 {
		put(t, p.primary, mirror.NotesPrefix+fmt.Sprintf("%06d", n), "x")
	}
	put(t, p.mirror, "a", "x")
	put(t, p.mirror, ".a", "x")
	p.inPrimary.Reset()
	require.Equal(t, map[string]string{"a": "x", ".a": "x"}, contentsOf(t, p.mirror))
	require.LessOrEqual(t, p.inPrimary.Count(faults.List), 3, "a listing passes over them")

	folders := func() (keys []string) {
		p.inPrimary.Reset()
		for e, err := range p.mirror.List(t.Context(), storage.WithDelimiter("-")) {
			require.NoError(t, err)
			keys = append(keys, e.Key)
		}
		return keys
	}
	require.Equal(t, []string{".a", "a"}, folders())
	require.LessOrEqual(t, p.inPrimary.Count(faults.List), 4, "nor does it read them for their common prefix")

	put(t, p.mirror, ".omnibucket-x", "x")
	require.Equal(t, []string{".a", ".omnibucket-", "a"}, folders())
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

// A copy within the bucket does not read the second store, which may still have a removed object, even
// if the primary fails once.
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

			p.inPrimary.Set(faults.Fail(faults.Reads).First(1))
			require.Error(t, call(t.Context(), p.mirror))
			p.inPrimary.Set()
			require.Empty(t, contentsOf(t, p.mirror))
		})
	}
}
