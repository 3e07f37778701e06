package commit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/history"
	"github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A store is a kind of store. Its function address makes an empty bucket, and returns its address.
type store struct {
	name    string
	address func(t *testing.T) string
}

var stores = []store{
	{"memory", func(t *testing.T) string {
		return "mem://" + strings.ReplaceAll(strings.ToLower(t.Name()), "/", "-")
	}},
	{"directory", func(t *testing.T) string {
		return "file://" + filepath.Join(t.TempDir(), "bucket") + "?create=true&sync=false"
	}},
}

// once makes one attempt of each request, so that the log itself has to find out what was stored.
var once = storage.WithRetry(storage.RetryPolicy{Attempts: 1})

func open(t *testing.T, address string, opts ...storage.OpenOption) (*commit.Log, storage.Bucket) {
	t.Helper()
	b, err := storage.Open(t.Context(), address, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = storage.Close(b) })
	log, err := commit.New(b, "log/")
	require.NoError(t, err)
	return log, b
}

func newMemoryLog(t *testing.T) (*commit.Log, storage.Bucket) {
	b := memstore.New()
	log, err := commit.New(b, "log/")
	require.NoError(t, err)
	return log, b
}

func appendText(t *testing.T, log *commit.Log, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
		require.NoError(t, err)
	}
}

// texts returns the entries from a number on, and the error that ends them.
func texts(ctx context.Context, log *commit.Log, start int64) (got []string, err error) {
	for entry, failure := range log.From(ctx, start) {
		if failure != nil {
			return got, failure
		}
		if want := start + int64(len(got)); entry.Number != want {
			return got, fmt.Errorf("number %d in place of %d", entry.Number, want)
		}
		got = append(got, string(entry.Data))
	}
	return got, nil
}

// From yields the entries in their order, from any number on.
func TestLogReadsInOrder(t *testing.T) {
	log, b := newMemoryLog(t)
	last, err := log.Last(t.Context())
	require.NoError(t, err)
	require.Zero(t, last)

	var want []string
	for n := range 37 {
		want = append(want, strconv.Itoa(n))
	}
	appendText(t, log, want...)
	for start := range int64(38) {
		got, err := texts(t.Context(), log, start+1)
		require.NoError(t, err)
		require.Equal(t, want[start:], append([]string{}, got...))
	}

	other, err := commit.New(b, "log/") // knows no number
	require.NoError(t, err)
	last, err = other.Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 37, last)

	entry, err := other.Read(t.Context(), 37)
	require.NoError(t, err)
	require.Equal(t, "36", string(entry.Data))
	require.False(t, entry.Modified.IsZero())

	_, err = other.Read(t.Context(), 38)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	exists, err := b.Exists(t.Context(), "log/00000000000000000037")
	require.NoError(t, err)
	require.True(t, exists)
}

// Last finds the last of 1,000 entries with at most 21 requests, none of which is a listing.
func TestLastWithoutAListing(t *testing.T) {
	counting := faults.New()
	b := memstore.New(driver.WithLayer(counting.Layer()))
	log, err := commit.New(b, "log/")
	require.NoError(t, err)
	for n := range 1000 {
		appendText(t, log, strconv.Itoa(n))
	}

	require.LessOrEqual(t, counting.Count(faults.Any), 3*1000+10,
		"an append is a look at the entry before, a write and a look at the mark")
	counting.Reset()
	other, err := commit.New(b, "log/")
	require.NoError(t, err)
	last, err := other.Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1000, last)
	require.LessOrEqual(t, counting.Count(faults.Any), 21)
	require.Zero(t, counting.Count(faults.List))
}

// If another writer appends first, Append calls next again with the winner's entry, and appends after it.
func TestAppendLoserSeesWhatWon(t *testing.T) {
	log, b := newMemoryLog(t)
	other, err := commit.New(b, "log/")
	require.NoError(t, err)
	appendText(t, log, "a")

	var offsets []int64
	number, err := log.Append(t.Context(), func(last int64) ([]byte, error) {
		offsets = append(offsets, last)
		if len(offsets) == 1 {
			appendText(t, other, "b", "c")
		}
		return fmt.Appendf(nil, "after %d", last), nil
	})
	require.NoError(t, err)
	require.EqualValues(t, 4, number)
	require.Equal(t, []int64{1, 3}, offsets)

	got, err := texts(t.Context(), log, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "after 3"}, got)
}

// If next fails or the entry is too large, Append stores nothing.
func TestAppendFails(t *testing.T) {
	conflict := errors.New("conflict")
	tests := map[string]struct {
		next func(int64) ([]byte, error)
		want error
	}{
		"if next fails": {func(int64) ([]byte, error) { return nil, conflict }, conflict},
		"if the entry is too big": {func(int64) ([]byte, error) {
			return make([]byte, commit.MaxEntry+1), nil
		}, storage.TooLarge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log, _ := newMemoryLog(t)
			_, err := log.Append(t.Context(), tt.next)
			require.ErrorIs(t, err, tt.want)
			last, err := log.Last(t.Context())
			require.NoError(t, err)
			require.Zero(t, last)
		})
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	log, b := newMemoryLog(t)
	appendText(t, log, "a")
	newBucket := func(f storage.Features) storage.Bucket {
		return memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: f})))
	}
	_, noFolder := commit.New(b, "log")
	_, noBucket := commit.New(nil, "log/")
	_, other := commit.New(struct{ storage.Bucket }{b}, "log/")
	_, noConditions := commit.New(newBucket(storage.ConditionalCreate), "log/")
	_, noMetadata := commit.New(newBucket(storage.Metadata), "log/")
	_, zero := log.Read(t.Context(), 0)
	_, fromErr := texts(t.Context(), log, -1)
	var follow error
	for _, follow = range log.Follow(t.Context(), 1, 0) {
	}

	tests := map[string]struct {
		err  error
		want storage.Code
	}{
		"a prefix that is no folder":  {noFolder, storage.InvalidArgument},
		"no bucket":                   {noBucket, storage.InvalidArgument},
		"a value of another type":     {other, storage.Unsupported},
		"a store without IfAbsent":    {noConditions, storage.Unsupported},
		"a store without metadata":    {noMetadata, storage.Unsupported},
		"number 0":                    {zero, storage.InvalidArgument},
		"a number below 0":            {fromErr, storage.InvalidArgument},
		"no interval":                 {follow, storage.InvalidArgument},
		"what nobody appended, trims": {log.Trim(t.Context(), 2), storage.InvalidArgument},
		"nothing to trim":             {log.Trim(t.Context(), 0), storage.InvalidArgument},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, storage.CodeOf(tt.err), name)
	}
}

// Entries up to the number given to Trim stay until its next call. Then Read of them fails with ObjectNotFound,
// and their objects are removed.
func TestTrimmedEntriesAreGone(t *testing.T) {
	log, b := newMemoryLog(t)
	_, err := b.Upload(t.Context(), "log/00000000000000000002.txt", strings.NewReader("of somebody else"))
	require.NoError(t, err)
	appendText(t, log, "a", "b", "c")
	require.NoError(t, log.Trim(t.Context(), 2))

	got, err := texts(t.Context(), log, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, got, "they stay until the next call")

	require.NoError(t, log.Trim(t.Context(), 3))
	require.NoError(t, log.Trim(t.Context(), 1), "less than before changes nothing")
	trimmed, err := log.Trimmed(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, trimmed)

	_, err = log.Read(t.Context(), 2)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.ErrorContains(t, err, "its first entry is 3")

	_, err = texts(t.Context(), log, 1)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	got, err = texts(t.Context(), log, 3)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, got)

	appendText(t, log, "d")
	require.NoError(t, log.Trim(t.Context(), 4))
	other, err := commit.New(b, "log/")
	require.NoError(t, err)
	last, err := other.Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, last)

	var leftovers []string
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		leftovers = append(leftovers, entry.Key)
	}
	require.Equal(t,
		[]string{"log/00000000000000000002.txt", "log/00000000000000000004", "log/trimmed"}, leftovers)
}

// If others append and trim while a writer is paused in Append, Append calls next again with the new last entry.
func TestAppendOfAPausedWriter(t *testing.T) {
	paused, b := newMemoryLog(t)
	other, err := commit.New(b, "log/")
	require.NoError(t, err)
	appendText(t, paused, "a")

	var offsets []int64
	number, err := paused.Append(t.Context(), func(last int64) ([]byte, error) {
		offsets = append(offsets, last)
		if len(offsets) == 1 {
			appendText(t, other, "b", "c", "d")
			require.NoError(t, other.Trim(t.Context(), 3))
		}
		return []byte("late"), nil
	})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 4}, offsets)
	require.EqualValues(t, 5, number)

	got, err := texts(t.Context(), other, 4)
	require.NoError(t, err)
	require.Equal(t, []string{"d", "late"}, got)
}

// If others trim the log twice while Append is paused, it fails with OutcomeUnknown. No reader sees the entry that
// it wrote.
func TestAppendOutcomeUnknown(t *testing.T) {
	paused, b := newMemoryLog(t)
	other, err := commit.New(b, "log/")
	require.NoError(t, err)
	appendText(t, paused, "a")

	_, err = paused.Append(t.Context(), func(int64) ([]byte, error) {
		appendText(t, other, "b", "c", "d")
		require.NoError(t, other.Trim(t.Context(), 3))
		require.NoError(t, other.Trim(t.Context(), 4))
		return []byte("late"), nil
	})
	require.ErrorIs(t, err, storage.OutcomeUnknown)

	_, err = other.Read(t.Context(), 2)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	appendText(t, paused, "e") // what it knew is not relied on again
	got, err := texts(t.Context(), other, 4)
	require.NoError(t, err)
	require.Equal(t, []string{"d", "e"}, got)

	require.NoError(t, other.Trim(t.Context(), 5))
	stray, err := b.Exists(t.Context(), "log/00000000000000000002")
	require.NoError(t, err)
	require.False(t, stray)
}

// The response to Append's write is lost, others trim the entry, and a paused writer stores an object under its
// number. Append then does not append the entry again.
func TestAppendDoesNotRepeatATrimmedEntry(t *testing.T) {
	for name, opts := range map[string][]storage.OpenOption{
		"the log looks what is stored":           {once},
		"a retry of the bucket is refused first": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				testTrimBeforeLook(t, opts)
			})
		})
	}
}

func testTrimBeforeLook(t *testing.T, opts []storage.OpenOption) {
	d := memstore.NewDriver(memstore.Config{})
	b := engine.New(d)
	other, err := commit.New(b, "log/")
	require.NoError(t, err)
	lost := false
	bucket := engine.New(driver.Intercept(d, func(ctx context.Context, op string, next func(context.Context) error) error {
		err := next(ctx)
		if op != "Put" || lost || err != nil {
			return err
		}
		lost = true
		appendText(t, other, "b", "c")
		require.NoError(t, other.Trim(ctx, 1))
		require.NoError(t, other.Trim(ctx, 2))
		_, err = b.Upload(ctx, "log/00000000000000000001", strings.NewReader("late"), storage.IfAbsent())
		require.NoError(t, err)
		return errDead
	}), opts...)
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)

	_, err = log.Append(t.Context(), func(int64) ([]byte, error) { return []byte("a"), nil })
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	got, err := texts(t.Context(), other, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "c"}, got)
}

// If others append and trim while a Log is not used, its next Append comes after the last entry.
func TestAppendAfterIdling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, b := newMemoryLog(t)
		other, err := commit.New(b, "log/")
		require.NoError(t, err)
		appendText(t, idle, "a")
		appendText(t, other, "b", "c", "d")
		require.NoError(t, other.Trim(t.Context(), 3))
		require.NoError(t, other.Trim(t.Context(), 4))
		time.Sleep(time.Hour)

		number, err := idle.Append(t.Context(), func(last int64) ([]byte, error) {
			require.EqualValues(t, 4, last)
			return []byte("e"), nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 5, number)
	})
}

// Trim also removes entries from a bucket that lists keys in any order.
func TestTrimListsInAnyOrder(t *testing.T) {
	b := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	log, err := commit.New(b, "log/")
	require.NoError(t, err)
	appendText(t, log, "a", "b", "c", "d")
	require.NoError(t, log.Trim(t.Context(), 3))
	require.NoError(t, log.Trim(t.Context(), 4))
	var leftovers []string
	for entry, err := range b.List(t.Context(), storage.WithAnyOrder()) {
		require.NoError(t, err)
		leftovers = append(leftovers, entry.Key)
	}

	require.ElementsMatch(t, []string{"log/00000000000000000004", "log/trimmed"}, leftovers)
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _ := newMemoryLog(t)
		appendText(t, log, "a", "b")
		entries := make(chan string, 8)
		errc := make(chan error, 1)
		go func() {
			for entry, err := range log.Follow(t.Context(), 1, time.Second) {
				if err != nil {
					errc <- err
					return
				}
				entries <- string(entry.Data)
			}
		}()
		synctest.Wait()
		require.Equal(t, "a", <-entries)
		require.Equal(t, "b", <-entries)

		appendText(t, log, "c")
		synctest.Wait()
		require.Empty(t, entries, "the interval has not passed")

		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, "c", <-entries)

		appendText(t, log, "d", "e")
		require.NoError(t, log.Trim(t.Context(), 4))
		require.NoError(t, log.Trim(t.Context(), 5))
		require.ErrorIs(t, <-errc, storage.ObjectNotFound, "it has missed an entry")
		require.Empty(t, entries)
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	log, _ := newMemoryLog(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	for _, err = range log.Follow(ctx, 1, time.Second) {
	}
	require.Equal(t, storage.Canceled, storage.CodeOf(err))
}

// A process dies at a call of the driver: from then on none has an effect.
type process struct {
	mu    sync.Mutex
	calls int
	dieAt int
	after bool // the call in which it dies has its effect
	lost  bool // it does not die: only the response of that call is lost
}

var errDead = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("connection reset")}

func (p *process) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		p.mu.Lock()
		p.calls++
		current := p.calls == p.dieAt
		dead := p.calls > p.dieAt && !p.lost
		p.mu.Unlock()
		if dead || current && !p.after {
			return errDead
		}
		if err := next(ctx); err != nil || !current {
			return err
		}
		return errDead
	})
}

// If a process is killed at any of its calls, or a response is lost, each acknowledged entry is stored once. Other
// processes can continue.
func TestLogKilledAtEveryCall(t *testing.T) { testKillsAtEveryCall(t, stores, synctest.Test) }

// testKillsAtEveryCall calls bubble for each row: a process that was killed waits between its attempts, which takes
// no time in a bubble.
func testKillsAtEveryCall(t *testing.T, stores []store, bubble func(*testing.T, func(*testing.T))) {
	for _, store := range stores {
		for _, row := range []struct {
			name        string
			after, lost bool
		}{{"before", false, false}, {"after", true, false}, {"response lost", true, true}} {
			t.Run(store.name+"/"+row.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					testKill(t, store, row.after, row.lost)
				})
			})
		}
	}
}

// testKill ends a process at each of its calls, one after the other.
func testKill(t *testing.T, store store, afterCall, lost bool) {
	finished := false
	for dieAt := 1; !finished; dieAt++ {
		require.Less(t, dieAt, 40)
		address := store.address(t)
		fullLog, _ := open(t, address)
		base, err := fullLog.Last(t.Context())
		require.NoError(t, err)
		p := &process{dieAt: dieAt, after: afterCall, lost: lost}
		log, _ := open(t, address, once, driver.WithLayer(p.layer))
		var told []string
		unknown := map[string]bool{}
		for _, text := range []string{"a", "b", "c"} {
			number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
			if err == nil {
				told = append(told, fmt.Sprint(number-base, text))
			} else if errors.Is(err, storage.OutcomeUnknown) {
				unknown[text] = true
			}
			if lost {
				require.NotErrorIs(t, err, storage.OutcomeUnknown, "call %d", dieAt)
			}
			if text == "b" {
				_ = log.Trim(t.Context(), base+1)
			}
		}

		p.mu.Lock()
		finished = p.calls < dieAt
		p.mu.Unlock()
		requireRest(t, fullLog, base, told, unknown)
	}
}

// requireRest requires that the entries after base are those that were told, beside some that are unknown.
func requireRest(t *testing.T, log *commit.Log, base int64, told []string, unknown map[string]bool) {
	t.Helper()
	appendText(t, log, "next")

	trimmed, err := log.Trimmed(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, trimmed, base)

	got, err := texts(t.Context(), log, base+1)
	require.NoError(t, err)
	require.Equal(t, "next", got[len(got)-1])

	counts := map[string]bool{}
	for i, text := range got[:len(got)-1] {
		counts[fmt.Sprint(int64(i)+1, text)] = true
		require.True(t, unknown[text] || contains(told, text),
			"%q is stored, and nobody was told: %v", text, got)
	}

	for _, entry := range told {
		require.True(t, counts[entry], "%s is lost: %v", entry, got)
	}
	require.NoError(t, log.Trim(t.Context(), base+int64(len(got))))
}

func contains(told []string, text string) bool {
	for _, entry := range told {
		if strings.HasSuffix(entry, text) {
			return true
		}
	}
	return false
}

// If several processes append, read and trim at the same time and lose responses, some order of their calls
// explains all results.
func TestLogIsLinearizable(t *testing.T) { testLinearizable(t, stores, 6) }

func testLinearizable(t *testing.T, stores []store, rounds uint64) {
	for _, store := range stores {
		for seed := range rounds {
			t.Run(fmt.Sprint(store.name, seed), func(t *testing.T) {
				address := store.address(t)
				past := &history.History{}
				var all sync.WaitGroup
				for n := range uint64(4) {
					injector := faults.New(
						faults.DropResponse(faults.Writes).Chance(0.3, 10*seed+n),
						faults.Fail(faults.Any).Chance(0.1, 10*seed+n),
					)
					log, _ := open(t, address, once, driver.WithLayer(injector.Layer()))
					random := rand.New(rand.NewPCG(seed, n))
					all.Go(func() {
						for i := range 5 {
							past.Do(callAtRandom(t, log, random, fmt.Sprintf("%d.%d", n, i)))
						}
					})
				}
				all.Wait()
				require.True(t, past.Explained(tale{}.state()), past)
			})
		}
	}
}

// A tale is a state of the log.
type tale struct {
	Removed, Next int64
	Entries       []string
}

func read(s history.KeyState) (told tale) {
	if err := json.Unmarshal([]byte(s.Content), &told); err != nil {
		panic(err)
	}
	return told
}

func (told tale) state() history.KeyState {
	text, err := json.Marshal(told)
	if err != nil {
		panic(err)
	}
	return history.KeyState{Content: string(text)}
}

// only is the step of a call that changes nothing and that fits a state of the log.
func only(fits func(tale) bool) history.Step {
	return func(s history.KeyState) []history.KeyState {
		if fits(read(s)) {
			return []history.KeyState{s}
		}
		return nil
	}
}

func anything(tale) bool { return true }

func callAtRandom(t *testing.T, log *commit.Log, random *rand.Rand, id string) history.Recorded {
	switch random.IntN(6) {
	case 0:
		return func() (string, history.Step) { return recordLast(t, log) }
	case 1:
		return func() (string, history.Step) { return recordTrim(t, log) }
	case 2:
		return func() (string, history.Step) { return recordRead(t, log, 1+random.Int64N(8)) }
	}
	return func() (string, history.Step) { return recordAppend(t, log, id) }
}

func recordAppend(t *testing.T, log *commit.Log, id string) (string, history.Step) {
	number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(id), nil })
	name := fmt.Sprintf("append %s: %d %v", id, number, err)
	appended := func(s history.KeyState) history.KeyState {
		told := read(s)
		told.Entries = append(told.Entries, id)
		return told.state()
	}
	if err == nil {
		return name, func(s history.KeyState) []history.KeyState {
			if int64(len(read(s).Entries)) != number-1 {
				return nil
			}
			return []history.KeyState{appended(s)}
		}
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		return name, func(s history.KeyState) []history.KeyState { return []history.KeyState{s, appended(s)} }
	}
	return name, only(anything)
}

func recordLast(t *testing.T, log *commit.Log) (string, history.Step) {
	last, err := log.Last(t.Context())
	return fmt.Sprintf("last: %d %v", last, err), only(func(told tale) bool {
		return err != nil || last == int64(len(told.Entries))
	})
}

func recordRead(t *testing.T, log *commit.Log, number int64) (string, history.Step) {
	entry, err := log.Read(t.Context(), number)
	return fmt.Sprintf("read %d: %s %v", number, entry.Data, err), only(func(told tale) bool {
		last := int64(len(told.Entries))
		if err == nil {
			return number > told.Removed && number <= last && told.Entries[number-1] == string(entry.Data)
		}
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return number <= told.Removed || number > last
		}
		return true
	})
}

// recordTrim trims what this process believes to be the entries before the last one.
func recordTrim(t *testing.T, log *commit.Log) (string, history.Step) {
	last, err := log.Last(t.Context())
	if err != nil || last < 2 {
		return "no trim", only(anything)
	}
	err = log.Trim(t.Context(), last-1)
	return fmt.Sprintf("trim %d: %v", last-1, err), func(s history.KeyState) []history.KeyState {
		told := read(s)
		if last-1 > told.Next {
			told.Removed = told.Next
			told.Next = last - 1
		}
		states := []history.KeyState{told.state()}
		if err != nil {
			states = append(states, s)
		}
		return states
	}
}
