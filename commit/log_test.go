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

// withoutRetries makes one attempt of each request, so that the log itself has to find out what was stored.
var withoutRetries = storage.WithRetry(storage.RetryPolicy{Attempts: 1})

// openLog opens the bucket at an address, and the log in it.
func openLog(t *testing.T, address string, opts ...storage.OpenOption) (*commit.Log, storage.Bucket) {
	t.Helper()
	bucket, err := storage.Open(t.Context(), address, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = storage.Close(bucket) })
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	return log, bucket
}

// newMemoryLog returns the log of a new bucket in memory, and the bucket.
func newMemoryLog(t *testing.T) (*commit.Log, storage.Bucket) {
	bucket := memstore.New()
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	return log, bucket
}

// appendText appends an entry for each text.
func appendText(t *testing.T, log *commit.Log, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
		require.NoError(t, err)
	}
}

// readTexts returns the entries from a number on, and the error that ends them.
func readTexts(ctx context.Context, log *commit.Log, start int64) (got []string, err error) {
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
	log, bucket := newMemoryLog(t)
	last, err := log.Last(t.Context())
	require.NoError(t, err)
	require.Zero(t, last)

	var want []string
	for n := range 37 {
		want = append(want, strconv.Itoa(n))
	}
	appendText(t, log, want...)
	for start := range int64(38) {
		got, err := readTexts(t.Context(), log, start+1)
		require.NoError(t, err)
		require.Equal(t, want[start:], append([]string{}, got...))
	}

	// A Log that knows no number finds the last one.
	other, err := commit.New(bucket, "log/")
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
	exists, err := bucket.Exists(t.Context(), "log/00000000000000000037")
	require.NoError(t, err)
	require.True(t, exists)
}

// Last finds the last of 1,000 entries with at most 21 requests, none of which is a listing.
func TestLastWithoutAListing(t *testing.T) {
	counting := faults.New()
	bucket := memstore.New(driver.WithLayer(counting.Layer()))
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	for n := range 1000 {
		appendText(t, log, strconv.Itoa(n))
	}

	// An append is a look at the entry before, a write and a look at the mark.
	require.LessOrEqual(t, counting.Count(faults.Any), 3*1000+10)

	counting.Reset()
	other, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	last, err := other.Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1000, last)
	require.LessOrEqual(t, counting.Count(faults.Any), 21)
	require.Zero(t, counting.Count(faults.List))
}

// If another writer appends first, Append calls next again with the winner's entry, and appends after it.
func TestAppendLoserSeesWhatWon(t *testing.T) {
	log, bucket := newMemoryLog(t)
	other, err := commit.New(bucket, "log/")
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

	got, err := readTexts(t.Context(), log, 1)
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
		"if next fails": {next: func(int64) ([]byte, error) { return nil, conflict }, want: conflict},
		"if the entry is too big": {
			next: func(int64) ([]byte, error) {
				return make([]byte, commit.MaxEntry+1), nil
			},
			want: storage.TooLarge,
		},
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

// newBucketWithout returns a bucket in memory that lacks features.
func newBucketWithout(features storage.Features) storage.Bucket {
	return memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: features})))
}

// New refuses a prefix that is no folder, and a bucket that cannot hold a log.
func TestNewRefuses(t *testing.T) {
	bucket := memstore.New()
	tests := []struct {
		name   string
		bucket storage.Bucket
		prefix string
		want   storage.Code
	}{
		{name: "a prefix that is no folder", bucket: bucket, prefix: "log", want: storage.InvalidArgument},
		{name: "no bucket", bucket: nil, prefix: "log/", want: storage.InvalidArgument},
		{
			name:   "a value of another type",
			bucket: struct{ storage.Bucket }{bucket},
			prefix: "log/",
			want:   storage.Unsupported,
		},
		{
			name:   "a store without IfAbsent",
			bucket: newBucketWithout(storage.ConditionalCreate),
			prefix: "log/",
			want:   storage.Unsupported,
		},
		{
			name:   "a store without metadata",
			bucket: newBucketWithout(storage.Metadata),
			prefix: "log/",
			want:   storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := commit.New(tt.bucket, tt.prefix)
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}

// Methods of a Log refuse numbers and intervals that make no sense with InvalidArgument.
func TestArgumentsAreChecked(t *testing.T) {
	log, _ := newMemoryLog(t)
	appendText(t, log, "a")

	_, err := log.Read(t.Context(), 0)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = readTexts(t.Context(), log, -1)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, log.Trim(t.Context(), 0), storage.InvalidArgument)
	require.ErrorIs(t, log.Trim(t.Context(), 2), storage.InvalidArgument, "nobody has appended entry 2")

	var followErr error
	for _, followErr = range log.Follow(t.Context(), 1, 0) {
	}
	require.ErrorIs(t, followErr, storage.InvalidArgument, "an interval of 0")
}

// Entries up to the number given to Trim stay until its next call. Then Read of them fails with ObjectNotFound,
// and their objects are removed.
func TestTrimmedEntriesAreGone(t *testing.T) {
	log, bucket := newMemoryLog(t)
	_, err := bucket.Upload(t.Context(), "log/00000000000000000002.txt",
		strings.NewReader("of somebody else"))
	require.NoError(t, err)
	appendText(t, log, "a", "b", "c")
	require.NoError(t, log.Trim(t.Context(), 2))

	got, err := readTexts(t.Context(), log, 1)
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

	_, err = readTexts(t.Context(), log, 1)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	got, err = readTexts(t.Context(), log, 3)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, got)

	appendText(t, log, "d")
	require.NoError(t, log.Trim(t.Context(), 4))
	other, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	last, err := other.Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, last)

	var leftovers []string
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		leftovers = append(leftovers, entry.Key)
	}
	require.Equal(t,
		[]string{"log/00000000000000000002.txt", "log/00000000000000000004", "log/trimmed"}, leftovers)
}

// If others append and trim while a writer is paused in Append, Append calls next again with the new last entry.
func TestAppendOfAPausedWriter(t *testing.T) {
	paused, bucket := newMemoryLog(t)
	other, err := commit.New(bucket, "log/")
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

	got, err := readTexts(t.Context(), other, 4)
	require.NoError(t, err)
	require.Equal(t, []string{"d", "late"}, got)
}

// If others trim the log twice while Append is paused, it fails with OutcomeUnknown. No reader sees the entry that
// it wrote.
func TestAppendOutcomeUnknown(t *testing.T) {
	paused, bucket := newMemoryLog(t)
	other, err := commit.New(bucket, "log/")
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
	got, err := readTexts(t.Context(), other, 4)
	require.NoError(t, err)
	require.Equal(t, []string{"d", "e"}, got)

	require.NoError(t, other.Trim(t.Context(), 5))
	stray, err := bucket.Exists(t.Context(), "log/00000000000000000002")
	require.NoError(t, err)
	require.False(t, stray)
}

// The response to Append's write is lost, others trim the entry, and a paused writer stores an object under its
// number. Append then does not append the entry again.
func TestAppendDoesNotRepeatATrimmedEntry(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.OpenOption
	}{
		{name: "the log looks what is stored", opts: []storage.OpenOption{withoutRetries}},
		{name: "a retry of the bucket is refused first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.NewDriver(memstore.Config{})
				direct := engine.New(store)
				other, err := commit.New(direct, "log/")
				require.NoError(t, err)

				// After the first write, others append and trim, and then the response is lost.
				lost := false
				loseFirstWrite := func(ctx context.Context, call string, next func(context.Context) error) error {
					err := next(ctx)
					if call != "Put" || lost || err != nil {
						return err
					}
					lost = true
					appendText(t, other, "b", "c")
					require.NoError(t, other.Trim(ctx, 1))
					require.NoError(t, other.Trim(ctx, 2))
					_, err = direct.Upload(ctx, "log/00000000000000000001", strings.NewReader("late"),
						storage.IfAbsent())
					require.NoError(t, err)
					return errDead
				}
				bucket := engine.New(driver.Intercept(store, loseFirstWrite), tt.opts...)
				log, err := commit.New(bucket, "log/")
				require.NoError(t, err)

				_, err = log.Append(t.Context(), func(int64) ([]byte, error) { return []byte("a"), nil })
				require.ErrorIs(t, err, storage.OutcomeUnknown)
				got, err := readTexts(t.Context(), other, 2)
				require.NoError(t, err)
				require.Equal(t, []string{"b", "c"}, got)
			})
		})
	}
}

// If others append and trim while a Log is not used, its next Append comes after the last entry.
func TestAppendAfterIdling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, bucket := newMemoryLog(t)
		other, err := commit.New(bucket, "log/")
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
	bucket := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	appendText(t, log, "a", "b", "c", "d")
	require.NoError(t, log.Trim(t.Context(), 3))
	require.NoError(t, log.Trim(t.Context(), 4))
	var leftovers []string
	for entry, err := range bucket.List(t.Context(), storage.WithAnyOrder()) {
		require.NoError(t, err)
		leftovers = append(leftovers, entry.Key)
	}

	require.ElementsMatch(t, []string{"log/00000000000000000004", "log/trimmed"}, leftovers)
}

// Follow yields the entries that are there, and each interval those that were appended. If the next one was trimmed,
// it ends with ObjectNotFound.
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

// Follow ends with its ctx.
func TestFollowEndsWithItsContext(t *testing.T) {
	log, _ := newMemoryLog(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	for _, err = range log.Follow(ctx, 1, time.Second) {
	}
	require.Equal(t, storage.Canceled, storage.CodeOf(err))
}

// A dyingProcess dies at a call of its driver. Its later calls have no effect.
type dyingProcess struct {
	mu          sync.Mutex
	calls       int
	dieAt       int  // the number of the call
	afterEffect bool // it dies after that call has taken effect
	lost        bool // it does not die: only the response of that call is lost
}

var errDead = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("connection reset")}

// layer is a driver.Layer that ends the calls of a dead process.
func (p *dyingProcess) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		p.mu.Lock()
		p.calls++
		isLast := p.calls == p.dieAt
		isDead := p.calls > p.dieAt && !p.lost
		p.mu.Unlock()

		if isDead {
			return errDead
		}
		if !isLast {
			return next(ctx)
		}
		if !p.afterEffect {
			return errDead
		}
		if err := next(ctx); err != nil {
			return err
		}
		return errDead
	})
}

// If a process is killed at any of its calls, or a response is lost, each acknowledged entry is stored once. Other
// processes can continue.
func TestLogKilledAtEveryCall(t *testing.T) { testKillsAtEveryCall(t, stores, synctest.Test) }

// testKillsAtEveryCall runs each row by bubble, such as synctest.Test: a process that was killed waits between its
// attempts, which takes no time in a bubble.
func testKillsAtEveryCall(t *testing.T, stores []store, bubble func(*testing.T, func(*testing.T))) {
	deaths := []struct {
		name              string
		afterEffect, lost bool
	}{
		{name: "before"},
		{name: "after", afterEffect: true},
		{name: "response lost", afterEffect: true, lost: true},
	}
	for _, store := range stores {
		for _, death := range deaths {
			t.Run(store.name+"/"+death.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					for dieAt, reached := 1, true; reached; dieAt++ {
						require.Less(t, dieAt, 40)
						process := &dyingProcess{
							dieAt:       dieAt,
							afterEffect: death.afterEffect,
							lost:        death.lost,
						}
						reached = testKill(t, store, process)
					}
				})
			})
		}
	}
}

// testKill lets a process append three entries and trim, and checks the log afterwards. It reports whether the
// process has reached the call at which it dies.
func testKill(t *testing.T, store store, process *dyingProcess) (reached bool) {
	t.Helper()
	address := store.address(t)
	fullLog, _ := openLog(t, address)
	base, err := fullLog.Last(t.Context())
	require.NoError(t, err)

	log, _ := openLog(t, address, withoutRetries, driver.WithLayer(process.layer))
	var acknowledged []string // each with its number after base
	unknown := map[string]bool{}
	for _, text := range []string{"a", "b", "c"} {
		number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
		if err == nil {
			acknowledged = append(acknowledged, fmt.Sprint(number-base, text))
		} else if errors.Is(err, storage.OutcomeUnknown) {
			unknown[text] = true
		}
		if process.lost {
			require.NotErrorIs(t, err, storage.OutcomeUnknown, "call %d", process.dieAt)
		}
		if text == "b" {
			_ = log.Trim(t.Context(), base+1) // it may fail, too
		}
	}

	requireRest(t, fullLog, base, acknowledged, unknown)
	process.mu.Lock()
	defer process.mu.Unlock()
	return process.calls >= process.dieAt
}

// requireRest requires that the entries after base are those that were acknowledged, and some whose outcome is
// unknown.
func requireRest(t *testing.T, log *commit.Log, base int64, acknowledged []string, unknown map[string]bool) {
	t.Helper()
	appendText(t, log, "next")

	trimmed, err := log.Trimmed(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, trimmed, base)

	got, err := readTexts(t.Context(), log, base+1)
	require.NoError(t, err)
	require.Equal(t, "next", got[len(got)-1])

	stored := map[string]bool{} // each with its number after base
	for i, text := range got[:len(got)-1] {
		stored[fmt.Sprint(int64(i)+1, text)] = true
		require.True(t, unknown[text] || contains(acknowledged, text),
			"%q is stored, and nobody was told: %v", text, got)
	}

	for _, entry := range acknowledged {
		require.True(t, stored[entry], "%s is lost: %v", entry, got)
	}
	require.NoError(t, log.Trim(t.Context(), base+int64(len(got))))
}

// contains reports whether text was acknowledged, under any number.
func contains(acknowledged []string, text string) bool {
	for _, entry := range acknowledged {
		if strings.HasSuffix(entry, text) {
			return true
		}
	}
	return false
}

// If several processes append, read and trim at the same time and lose responses, some order of their calls
// explains all results.
func TestLogIsLinearizable(t *testing.T) { testLinearizable(t, stores, 6) }

// testLinearizable lets four processes call a log of each store at random, so many times.
func testLinearizable(t *testing.T, stores []store, rounds uint64) {
	for _, store := range stores {
		for seed := range rounds {
			t.Run(fmt.Sprint(store.name, seed), func(t *testing.T) {
				address := store.address(t)
				past := &history.History{}
				var processes sync.WaitGroup
				for n := range uint64(4) {
					injector := faults.New(
						faults.DropResponse(faults.Writes).Chance(0.3, 10*seed+n),
						faults.Fail(faults.Any).Chance(0.1, 10*seed+n),
					)
					log, _ := openLog(t, address, withoutRetries, driver.WithLayer(injector.Layer()))
					random := rand.New(rand.NewPCG(seed, n))
					processes.Go(func() {
						for i := range 5 {
							past.Do(randomCall(t, log, random, fmt.Sprintf("%d.%d", n, i)))
						}
					})
				}
				processes.Wait()
				require.True(t, past.Explained(logState{}.state()), past)
			})
		}
	}
}

// A logState is a state of the log, which history.KeyState holds as JSON.
type logState struct {
	Removed, Next int64
	Entries       []string
}

func decodeState(s history.KeyState) (state logState) {
	if err := json.Unmarshal([]byte(s.Content), &state); err != nil {
		panic(err)
	}
	return state
}

func (state logState) state() history.KeyState {
	text, err := json.Marshal(state)
	if err != nil {
		panic(err)
	}
	return history.KeyState{Content: string(text)}
}

// unchangedIf is the step of a call that changes nothing and that fits a state of the log.
func unchangedIf(fits func(logState) bool) history.Step {
	return func(s history.KeyState) []history.KeyState {
		if fits(decodeState(s)) {
			return []history.KeyState{s}
		}
		return nil
	}
}

func anyState(logState) bool { return true }

// randomCall chooses a call of the log at random. The returned function makes the call, and returns its result in
// the form that history.Explained checks.
func randomCall(t *testing.T, log *commit.Log, random *rand.Rand, id string) history.Recorded {
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

// recordAppend appends an entry.
func recordAppend(t *testing.T, log *commit.Log, id string) (string, history.Step) {
	number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(id), nil })
	name := fmt.Sprintf("append %s: %d %v", id, number, err)
	appended := func(s history.KeyState) history.KeyState {
		state := decodeState(s)
		state.Entries = append(state.Entries, id)
		return state.state()
	}
	if err == nil {
		return name, func(s history.KeyState) []history.KeyState {
			if int64(len(decodeState(s).Entries)) != number-1 {
				return nil
			}
			return []history.KeyState{appended(s)}
		}
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		return name, func(s history.KeyState) []history.KeyState { return []history.KeyState{s, appended(s)} }
	}
	return name, unchangedIf(anyState)
}

// recordLast asks for the last number.
func recordLast(t *testing.T, log *commit.Log) (string, history.Step) {
	last, err := log.Last(t.Context())
	return fmt.Sprintf("last: %d %v", last, err), unchangedIf(func(state logState) bool {
		return err != nil || last == int64(len(state.Entries))
	})
}

// recordRead reads an entry.
func recordRead(t *testing.T, log *commit.Log, number int64) (string, history.Step) {
	entry, err := log.Read(t.Context(), number)
	return fmt.Sprintf("read %d: %s %v", number, entry.Data, err), unchangedIf(func(state logState) bool {
		last := int64(len(state.Entries))
		if err == nil {
			return number > state.Removed && number <= last && state.Entries[number-1] == string(entry.Data)
		}
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return number <= state.Removed || number > last
		}
		return true
	})
}

// recordTrim trims what this process believes to be the entries before the last one.
func recordTrim(t *testing.T, log *commit.Log) (string, history.Step) {
	last, err := log.Last(t.Context())
	if err != nil || last < 2 {
		return "no trim", unchangedIf(anyState)
	}
	err = log.Trim(t.Context(), last-1)
	return fmt.Sprintf("trim %d: %v", last-1, err), func(s history.KeyState) []history.KeyState {
		state := decodeState(s)
		if last-1 > state.Next {
			state.Removed = state.Next
			state.Next = last - 1
		}
		states := []history.KeyState{state.state()}
		if err != nil {
			states = append(states, s)
		}
		return states
	}
}
