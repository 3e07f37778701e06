package commit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
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
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/internal/testing/history"
	"github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A store is a kind of store that the tests run on. Its function address makes an empty bucket, and returns its
// address.
type store struct {
	name    string
	address func(t *testing.T) string
}

var stores = []store{
	{
		name: "memory",
		address: func(t *testing.T) string {
			return "mem://" + strings.ReplaceAll(strings.ToLower(t.Name()), "/", "-")
		},
	},
	{
		name: "directory",
		address: func(t *testing.T) string {
			return "file://" + filepath.Join(t.TempDir(), "bucket") + "?create=true&sync=false"
		},
	},
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

// removeEntries removes the entries up to the given number: one call of Trim marks them, and the next one removes them.
func removeEntries(t *testing.T, log *commit.Log, number int64) {
	t.Helper()
	require.NoError(t, log.Trim(t.Context(), number))
	require.NoError(t, log.Trim(t.Context(), number+1))
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

// The entries of a log have the numbers from 1 on. From yields them in this order, and can begin at any number.
func TestLogReadsInOrder(t *testing.T) {
	const count = 37
	log, bucket := newMemoryLog(t)

	t.Run("new log", func(t *testing.T) {
		last, err := log.Last(t.Context())
		require.NoError(t, err)
		require.Zero(t, last)
	})

	var texts []string // the text of entry n is "entry n"
	for number := 1; number <= count; number++ {
		texts = append(texts, fmt.Sprintf("entry %d", number))
	}
	appendText(t, log, texts...)

	t.Run("From each number", func(t *testing.T) {
		for start := int64(1); start <= count; start++ {
			got, err := readTexts(t.Context(), log, start)
			require.NoError(t, err)
			require.Equal(t, texts[start-1:], got)
		}
		got, err := readTexts(t.Context(), log, count+1)
		require.NoError(t, err)
		require.Empty(t, got)
	})

	t.Run("Last and Read of another Log", func(t *testing.T) {
		other := newLog(t, bucket)
		last, err := other.Last(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, count, last)

		entry, err := other.Read(t.Context(), count)
		require.NoError(t, err)
		require.Equal(t, "entry 37", string(entry.Data))
		require.False(t, entry.Modified.IsZero())
		_, err = other.Read(t.Context(), count+1)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})

	t.Run("key", func(t *testing.T) {
		// The number has 20 digits, so that keys are in the order of numbers.
		exists, err := bucket.Exists(t.Context(), "log/00000000000000000037")
		require.NoError(t, err)
		require.True(t, exists)
	})
}

// Last finds the last of 1,000 entries with at most 21 requests, and without a listing.
func TestLastWithoutAListing(t *testing.T) {
	const (
		count             = 1000
		requestsOfAppend  = 3  // read the previous entry, write the new one, read the mark of Trim
		moreOfFirstAppend = 10 // at most, to find the end of the log
		requestsOfLast    = 21 // at most: 10 with doubled steps, then one for each halving, 1 for the mark of Trim
	)
	counter := faults.New()
	bucket := memstore.New(driver.WithLayer(counter.Layer()))
	log := newLog(t, bucket)
	for i := range count {
		appendText(t, log, strconv.Itoa(i))
	}

	require.LessOrEqual(t, counter.Count(faults.Any), requestsOfAppend*count+moreOfFirstAppend)

	// A new Log does not know the end of the log.
	counter.Reset()
	last, err := newLog(t, bucket).Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, count, last)
	require.LessOrEqual(t, counter.Count(faults.Any), requestsOfLast)
	require.Zero(t, counter.Count(faults.List))
}

// If another writer is faster, Append calls its function again with the number of the other writer's last entry, and
// appends after that one.
func TestAppendLoserSeesWhatWon(t *testing.T) {
	log, bucket := newMemoryLog(t)
	other := newLog(t, bucket)
	appendText(t, log, "a")

	// During the first call of the function, the other writer appends entries 2 and 3.
	var lasts []int64 // the arguments of the function
	number, err := log.Append(t.Context(), func(last int64) ([]byte, error) {
		lasts = append(lasts, last)
		isFirstCall := len(lasts) == 1
		if isFirstCall {
			appendText(t, other, "b", "c")
		}
		return fmt.Appendf(nil, "after %d", last), nil
	})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 3}, lasts)
	require.EqualValues(t, 4, number)

	got, err := readTexts(t.Context(), log, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "after 3"}, got)
}

// Append stores nothing if next fails or the entry is too large.
func TestAppendFails(t *testing.T) {
	conflict := errors.New("conflict")
	tests := map[string]struct {
		next func(int64) ([]byte, error)
		want error
	}{
		"next fails": {next: func(int64) ([]byte, error) { return nil, conflict }, want: conflict},
		"entry too large": {
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

// New refuses a prefix that is not a folder, and a bucket that cannot hold a log.
func TestNewRefuses(t *testing.T) {
	bucket := memstore.New()
	tests := []struct {
		name   string
		bucket storage.Bucket
		prefix string
		want   storage.Code
	}{
		{name: "a prefix that is no folder", bucket: bucket, prefix: "log", want: storage.InvalidArgument},
		{name: "no bucket", prefix: "log/", want: storage.InvalidArgument},
		{
			name:   "a value of another type",
			bucket: struct{ storage.Bucket }{Bucket: bucket},
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

// The methods of a Log refuse numbers and intervals that make no sense with InvalidArgument.
func TestArgumentsAreChecked(t *testing.T) {
	log, _ := newMemoryLog(t)
	appendText(t, log, "a")

	// Numbers begin at 1.
	_, err := log.Read(t.Context(), 0)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = readTexts(t.Context(), log, -1)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, log.Trim(t.Context(), 0), storage.InvalidArgument)

	// The log has only entry 1.
	require.ErrorIs(t, log.Trim(t.Context(), 2), storage.InvalidArgument, "a number without an entry must be refused")

	// An interval must be greater than 0.
	var followErr error
	for _, followErr = range log.Follow(t.Context(), 1, 0) {
	}
	require.ErrorIs(t, followErr, storage.InvalidArgument, "an interval of 0 must be refused")
}

// Trim marks the entries up to a number, and its next call removes them. Then Read of them fails with ObjectNotFound.
func TestTrimmedEntriesAreGone(t *testing.T) {
	log, bucket := newMemoryLog(t)
	appendText(t, log, "a", "b", "c")

	// An object of another program beside the entries must stay.
	foreignKey := entryKey(2) + ".txt"
	_, err := bucket.Upload(t.Context(), foreignKey, strings.NewReader("of somebody else"))
	require.NoError(t, err)

	// The first call marks entries 1 and 2, which stay.
	require.NoError(t, log.Trim(t.Context(), 2))
	got, err := readTexts(t.Context(), log, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, got)

	// The second call removes them, and marks entry 3. A call with a smaller number changes nothing.
	require.NoError(t, log.Trim(t.Context(), 3))
	require.NoError(t, log.Trim(t.Context(), 1))
	trimmed, err := log.Trimmed(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, trimmed)

	_, err = log.Read(t.Context(), 2)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.ErrorContains(t, err, "its first entry is 3")
	_, err = readTexts(t.Context(), log, 1)
	require.ErrorIs(t, err, storage.ObjectNotFound)

	// Entry 3 is left.
	got, err = readTexts(t.Context(), log, 3)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, got)

	// A further call removes entry 3. A new Log still finds the last entry.
	appendText(t, log, "d")
	require.NoError(t, log.Trim(t.Context(), 4))
	last, err := newLog(t, bucket).Last(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, last)
	require.Equal(t, []string{foreignKey, entryKey(4), markKey}, foldermarker.Keys(t, bucket))
}

// Append calls its function again, with the number of the new last entry, if another writer appends and trims while
// the function runs.
func TestAppendOfAPausedWriter(t *testing.T) {
	paused, bucket := newMemoryLog(t)
	active := newLog(t, bucket)
	appendText(t, paused, "a")

	// During the first call of the function, the active writer appends three entries and trims the log.
	var lasts []int64 // the arguments of the function
	number, err := paused.Append(t.Context(), func(last int64) ([]byte, error) {
		lasts = append(lasts, last)
		if len(lasts) == 1 {
			appendText(t, active, "b", "c", "d")
			require.NoError(t, active.Trim(t.Context(), 3))
		}
		return []byte("late"), nil
	})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 4}, lasts)
	require.EqualValues(t, 5, number)

	got, err := readTexts(t.Context(), active, 4)
	require.NoError(t, err)
	require.Equal(t, []string{"d", "late"}, got)
}

// Append fails with OutcomeUnknown if others append and remove entries while it is paused. No
// reader sees the entry that it wrote.
func TestAppendOutcomeUnknown(t *testing.T) {
	paused, bucket := newMemoryLog(t)
	other := newLog(t, bucket)
	appendText(t, paused, "a")

	// While this call is about to append entry 2, others append the entries 2 to 4 and remove 1 to 3.
	_, err := paused.Append(t.Context(), func(int64) ([]byte, error) {
		appendText(t, other, "b", "c", "d")
		removeEntries(t, other, 3)
		return []byte("late"), nil
	})

	require.ErrorIs(t, err, storage.OutcomeUnknown)

	// The late entry was stored as entry 2, before the entry 4 with which the log begins now. The next call appends
	// entry 5.
	_, err = other.Read(t.Context(), 2)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	appendText(t, paused, "e")
	got, err := readTexts(t.Context(), other, 4)
	require.NoError(t, err)
	require.Equal(t, []string{"d", "e"}, got)

	// The next call of Trim, here up to entry 5, removes the late entry, too.
	require.NoError(t, other.Trim(t.Context(), 5))
	exists, err := bucket.Exists(t.Context(), entryKey(2))
	require.NoError(t, err)
	require.False(t, exists)
}

// Append does not append its entry again if the response to its write is lost, and others have removed the entry. This
// holds even if a paused writer then stores an object under the same number.
func TestAppendDoesNotRepeatATrimmedEntry(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.OpenOption
	}{
		{name: "bucket without retries", opts: []storage.OpenOption{withoutRetries}},
		{name: "bucket that repeats the write"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The other writers reach the store without the hook.
				store := memstore.NewDriver(memstore.Config{})
				otherBucket := engine.New(store)
				other := newLog(t, otherBucket)

				// The hook runs at each call of the store, and loses the response to the first write.
				hasLost := false
				loseFirstWrite := func(ctx context.Context, call string, next func(context.Context) error) error {
					err := next(ctx)
					isFirstWrite := call == "Put" && !hasLost
					if !isFirstWrite || err != nil {
						return err
					}
					hasLost = true

					// Before the response is lost, others append, remove entry 1, and store another object as entry 1.
					appendText(t, other, "b", "c")
					removeEntries(t, other, 1)
					_, err = otherBucket.Upload(ctx, entryKey(1), strings.NewReader("late"), storage.IfAbsent())
					require.NoError(t, err)
					return errDead
				}
				log := newLog(t, engine.New(driver.Intercept(store, loseFirstWrite), tt.opts...))

				// Append cannot find out whether its entry was in the log.
				_, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte("a"), nil })
				require.ErrorIs(t, err, storage.OutcomeUnknown)

				// The log has only the entries of the other writers.
				got, err := readTexts(t.Context(), other, 2)
				require.NoError(t, err)
				require.Equal(t, []string{"b", "c"}, got)
			})
		})
	}
}

// If a writer was idle while another one appended and removed entries, its next entry still comes after the last one.
func TestAppendAfterIdling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, bucket := newMemoryLog(t)
		active := newLog(t, bucket)
		appendText(t, idle, "a")
		appendText(t, active, "b", "c", "d")
		removeEntries(t, active, 3) // "a", "b" and "c"
		time.Sleep(time.Hour)

		// The last entry is "d", with the number 4.
		number, err := idle.Append(t.Context(), func(last int64) ([]byte, error) {
			require.EqualValues(t, 4, last)
			return []byte("e"), nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 5, number)
	})
}

// Trim removes entries from a bucket that lists keys in any order, too.
func TestTrimListsInAnyOrder(t *testing.T) {
	bucket := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	log := newLog(t, bucket)
	appendText(t, log, "a", "b", "c", "d")

	removeEntries(t, log, 3)
	got := foldermarker.Keys(t, bucket, storage.WithAnyOrder())
	require.ElementsMatch(t, []string{entryKey(4), markKey}, got)
}

// Follow yields the present entries, and after each interval those that were appended since. It ends with ObjectNotFound
// if the next entry was trimmed.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = time.Second
		log, _ := newMemoryLog(t)
		appendText(t, log, "a", "b")

		// A goroutine follows the log, and passes on each entry.
		entries := make(chan string, 8)
		errc := make(chan error, 1)
		go func() {
			for entry, err := range log.Follow(t.Context(), 1, interval) {
				if err != nil {
					errc <- err
					return
				}
				entries <- string(entry.Data)
			}
		}()

		// The first two entries are there.
		synctest.Wait()
		require.Equal(t, "a", <-entries)
		require.Equal(t, "b", <-entries)

		// The third one comes after the interval.
		appendText(t, log, "c")
		synctest.Wait()
		require.Empty(t, entries, "Follow must wait for the interval")

		time.Sleep(interval)
		synctest.Wait()
		require.Equal(t, "c", <-entries)

		// The fourth entry is removed before the interval has passed.
		appendText(t, log, "d", "e")
		removeEntries(t, log, 4)
		require.ErrorIs(t, <-errc, storage.ObjectNotFound, "Follow must report the missed entry")
		require.Empty(t, entries)
	})
}

// Follow ends with Canceled if its ctx is canceled.
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

// layer is a driver.Layer, which lets the calls of the process through until it dies.
func (p *dyingProcess) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
		p.mu.Lock()
		p.calls++
		isFatal := p.calls == p.dieAt
		isDead := p.calls > p.dieAt && !p.lost
		p.mu.Unlock()

		if isDead {
			return errDead
		}
		if isFatal && !p.afterEffect {
			return errDead
		}
		err := next(ctx)
		if isFatal && err == nil {
			return errDead // the response is lost
		}
		return err
	})
}

// If a process is killed at any of its calls, or a response is lost, each acknowledged entry is stored once. Other
// processes can continue.
func TestLogKilledAtEveryCall(t *testing.T) { testKillsAtEveryCall(t, stores, synctest.Test) }

// testKillsAtEveryCall runs testKill for a process that dies at its first call of the store, at its second call, and so
// on, until the process ends before it dies. Each case runs in a bubble, such as synctest.Test, in which the pauses
// between attempts take no time.
func testKillsAtEveryCall(t *testing.T, stores []store, bubble func(*testing.T, func(*testing.T))) {
	const maxCalls = 40 // the process makes fewer
	deaths := []struct {
		name        string
		afterEffect bool // the call takes effect first
		lost        bool // only the response of the call is lost, and the process lives
	}{
		{name: "before"},
		{name: "after", afterEffect: true},
		{name: "response lost", afterEffect: true, lost: true},
	}
	for _, store := range stores {
		for _, death := range deaths {
			t.Run(store.name+"/"+death.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					reached := true
					for dieAt := 1; reached; dieAt++ {
						require.Less(t, dieAt, maxCalls)
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
	survivor, _ := openLog(t, address)
	base, err := survivor.Last(t.Context())
	require.NoError(t, err)

	log, _ := openLog(t, address, withoutRetries, driver.WithLayer(process.layer))
	var acknowledged []textEntry
	// A text may be stored if its Append failed with OutcomeUnknown.
	unknown := map[string]bool{}
	for _, text := range []string{"a", "b", "c"} {
		number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
		if err == nil {
			acknowledged = append(acknowledged, textEntry{number: number, text: text})
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

	requireRest(t, survivor, base, acknowledged, unknown)
	process.mu.Lock()
	defer process.mu.Unlock()
	return process.calls >= process.dieAt
}

// A textEntry is an entry of a log, with its content as text.
type textEntry struct {
	number int64
	text   string
}

// requireRest requires that each acknowledged entry is stored under its number, and that any other entry after base
// has a text of unknown. It also requires that the log can be appended to and trimmed.
func requireRest(t *testing.T, log *commit.Log, base int64, acknowledged []textEntry, unknown map[string]bool) {
	t.Helper()
	appendText(t, log, "next")
	trimmed, err := log.Trimmed(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, trimmed, base)

	got, err := readTexts(t.Context(), log, base+1)
	require.NoError(t, err)
	last := len(got) - 1
	require.Equal(t, "next", got[last])

	var stored []textEntry
	for i, text := range got[:last] {
		stored = append(stored, textEntry{number: base + 1 + int64(i), text: text})
		isAcknowledged := slices.ContainsFunc(acknowledged, func(e textEntry) bool { return e.text == text })
		require.True(t, isAcknowledged || unknown[text], "%q is stored, and nobody was told: %v", text, got)
	}
	for _, entry := range acknowledged {
		require.Contains(t, stored, entry, "an acknowledged entry is lost")
	}
	require.NoError(t, log.Trim(t.Context(), base+int64(len(got))))
}

// If several processes append, read and trim at the same time and lose responses, some order of their calls
// explains all results.
func TestLogIsLinearizable(t *testing.T) { testLinearizable(t, stores, 6) }

// testLinearizable lets four processes make random calls of one log. Some calls fail or lose their response. It
// requires that some order of the calls explains all results. Each store is tested once for each seed.
func testLinearizable(t *testing.T, stores []store, seeds uint64) {
	const processes, calls = 4, 5
	for _, store := range stores {
		for seed := range seeds {
			t.Run(fmt.Sprint(store.name, seed), func(t *testing.T) {
				address := store.address(t)
				past := &history.History{}

				// Each process has a bucket with its own faults.
				var group sync.WaitGroup
				for process := range uint64(processes) {
					faultSeed := 10*seed + process
					injector := faults.New(
						faults.DropResponse(faults.Writes).Chance(0.3, faultSeed),
						faults.Fail(faults.Any).Chance(0.1, faultSeed),
					)
					log, _ := openLog(t, address, withoutRetries, driver.WithLayer(injector.Layer()))

					random := rand.New(rand.NewPCG(seed, process))
					group.Go(func() {
						for call := range calls {
							past.Do(randomCall(t, log, random, fmt.Sprintf("%d.%d", process, call)))
						}
					})
				}
				group.Wait()

				require.True(t, past.Explained(logState{}.encode()), past)
			})
		}
	}
}

// A logState is a state of the log, which history.KeyState holds as JSON.
type logState struct {
	Removed int64    // entries up to this number may be gone
	Next    int64    // the number that the last call of Trim got
	Entries []string // the texts of all entries, including those that are gone
}

// decodeState returns the logState that is the content of a history.KeyState.
func decodeState(s history.KeyState) (state logState) {
	if err := json.Unmarshal([]byte(s.Content), &state); err != nil {
		panic(err)
	}
	return state
}

// encode returns the state as the content of a history.KeyState, which decodeState reads.
func (state logState) encode() history.KeyState {
	text, err := json.Marshal(state)
	if err != nil {
		panic(err)
	}
	return history.KeyState{Content: string(text)}
}

// unchangedIf returns the step of a call that changes nothing. Its result is possible in the states for which
// isPossible returns true.
func unchangedIf(isPossible func(logState) bool) history.Step {
	return func(before history.KeyState) []history.KeyState {
		if !isPossible(decodeState(before)) {
			return nil
		}
		return []history.KeyState{before}
	}
}

func anyState(logState) bool { return true }

// randomCall returns a random call of the log. Half of the calls append the entry text. Each call returns a
// description, and its history.Step: the states of the log that its result permits.
func randomCall(t *testing.T, log *commit.Log, random *rand.Rand, text string) history.Recorded {
	switch random.IntN(6) {
	case 0:
		return func() (string, history.Step) { return recordLast(t, log) }
	case 1:
		return func() (string, history.Step) { return recordTrim(t, log) }
	case 2:
		number := 1 + random.Int64N(8)
		return func() (string, history.Step) { return recordRead(t, log, number) }
	default:
		return func() (string, history.Step) { return recordAppend(t, log, text) }
	}
}

// recordAppend appends an entry, and returns which states of the log the result permits.
func recordAppend(t *testing.T, log *commit.Log, text string) (description string, step history.Step) {
	number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
	description = fmt.Sprintf("append %s: %d %v", text, number, err)

	isUnknown := errors.Is(err, storage.OutcomeUnknown)
	if err != nil && !isUnknown {
		return description, unchangedIf(anyState)
	}
	return description, func(before history.KeyState) []history.KeyState {
		state := decodeState(before)
		state.Entries = append(state.Entries, text)
		appended := state.encode()
		if isUnknown {
			return []history.KeyState{before, appended}
		}
		if int64(len(state.Entries)) != number {
			return nil
		}
		return []history.KeyState{appended}
	}
}

// recordLast calls Last, and returns in which states of the log the result is possible.
func recordLast(t *testing.T, log *commit.Log) (description string, step history.Step) {
	last, err := log.Last(t.Context())
	description = fmt.Sprintf("last: %d %v", last, err)

	return description, unchangedIf(func(state logState) bool {
		return err != nil || last == int64(len(state.Entries))
	})
}

// recordRead reads an entry, and returns in which states of the log the result is possible.
func recordRead(t *testing.T, log *commit.Log, number int64) (description string, step history.Step) {
	entry, err := log.Read(t.Context(), number)
	description = fmt.Sprintf("read %d: %s %v", number, entry.Data, err)

	return description, unchangedIf(func(state logState) bool {
		exists := number > state.Removed && number <= int64(len(state.Entries))
		switch {
		case err == nil:
			return exists && state.Entries[number-1] == string(entry.Data)
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return !exists
		default:
			return true // another error says nothing about the state
		}
	})
}

// recordTrim trims the entries before the last one, and returns which states of the log the result permits.
func recordTrim(t *testing.T, log *commit.Log) (description string, step history.Step) {
	last, err := log.Last(t.Context())
	if err != nil || last < 2 {
		return "no trim", unchangedIf(anyState)
	}
	number := last - 1
	err = log.Trim(t.Context(), number)
	description = fmt.Sprintf("trim %d: %v", number, err)

	return description, func(before history.KeyState) []history.KeyState {
		// Trim marks the entries up to number, and removes those that the call before has marked.
		state := decodeState(before)
		if number > state.Next {
			state.Removed = state.Next
			state.Next = number
		}
		if err != nil {
			return []history.KeyState{state.encode(), before}
		}
		return []history.KeyState{state.encode()}
	}
}
