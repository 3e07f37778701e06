package keysort

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listRecords returns each record that s yields as key=value.
func listRecords(t *testing.T, s *Sorter) []string {
	t.Helper()
	var records []string
	for r, err := range s.Sorted(t.Context()) {
		require.NoError(t, err)
		records = append(records, string(r.Key)+"="+string(r.Value))
	}
	return records
}

// Sorted yields the records in the order of their keys, and those with equal keys in the order of
// their values.
func TestSortedByKeyThenValue(t *testing.T) {
	tests := []struct {
		name    string
		records [][2]string // each with its key and its value
		want    []string
	}{
		{name: "no records", records: nil, want: nil},
		{
			name:    "by bytes",
			records: [][2]string{{"b", ""}, {"\xff", ""}, {"a/b", ""}, {"a", ""}, {"ä", ""}, {"B", ""}},
			want:    []string{"B=", "a=", "a/b=", "b=", "ä=", "\xff="},
		},
		{
			name:    "equal keys by value",
			records: [][2]string{{"a", "2"}, {"b", "1"}, {"a", "10"}, {"a", "1"}},
			want:    []string{"a=1", "a=10", "a=2", "b=1"},
		},
		{
			name:    "equal records are kept",
			records: [][2]string{{"a", "1"}, {"a", "1"}},
			want:    []string{"a=1", "a=1"},
		},
		{
			name:    "empty keys and zero bytes",
			records: [][2]string{{"\x00", "x"}, {"", "\x00"}, {"\x00\x00", ""}},
			want:    []string{"=\x00", "\x00=x", "\x00\x00="},
		},
		{
			name:    "a key that begins with another",
			records: [][2]string{{"aa", "b"}, {"a", "ab"}},
			want:    []string{"a=ab", "aa=b"},
		},
	}
	for _, tt := range tests {
		// With little memory, the Sorter writes the records to files.
		for _, memory := range []int{1, 100, 1 << 20} {
			t.Run(fmt.Sprintf("%s in %d bytes", tt.name, memory), func(t *testing.T) {
				s := New(memory)
				defer func() {
					require.NoError(t, s.Close())
				}()
				for _, record := range tt.records {
					require.NoError(t, s.Add(t.Context(), []byte(record[0]), []byte(record[1])))
				}
				require.Equal(t, tt.want, listRecords(t, s))
			})
		}
	}
}

// If the records exceed the memory, Sorted merges the runs on disk, each time that it is called.
func TestSortedMergesManyRuns(t *testing.T) {
	const records = 20_000
	for _, memory := range []int{1 << 10, 100 << 10, 1 << 20} {
		t.Run(fmt.Sprintf("%d bytes of memory", memory), func(t *testing.T) {
			s := New(memory)
			defer func() {
				require.NoError(t, s.Close())
			}()

			random := rand.New(rand.NewPCG(1, 2))
			var added []Record
			for i := range records {
				key := fmt.Appendf(nil, "folder-%d/%d", random.IntN(100), random.IntN(10_000))
				value := bytes.Repeat([]byte("v"), i%30)
				added = append(added, Record{Key: key, Value: value})
				require.NoError(t, s.Add(t.Context(), key, value))
			}

			slices.SortFunc(added, compare)
			var want []string
			for _, r := range added {
				want = append(want, string(r.Key)+"="+string(r.Value))
			}
			require.Equal(t, want, listRecords(t, s))
			require.Equal(t, want, listRecords(t, s), "a second listing")
		})
	}
}

// Loops over Sorted do not share their position in the files of a Sorter. If a loop begins inside of another one, it
// gets the first record, and the outer loop continues with its own next one.
func TestSortedListingsOverlap(t *testing.T) {
	// Four values need more than the memory, so the Sorter writes records to files.
	const memory = 100
	const valueSize = 30
	s := New(memory)
	defer func() {
		require.NoError(t, s.Close())
	}()
	for _, key := range []string{"c", "a", "b", "d"} {
		require.NoError(t, s.Add(t.Context(), []byte(key), make([]byte, valueSize)))
	}

	// Each turn of the outer loop writes the first key of an inner loop, and then its own key.
	var output strings.Builder
	for r, err := range s.Sorted(t.Context()) {
		require.NoError(t, err)
		for inner, err := range s.Sorted(t.Context()) {
			require.NoError(t, err)
			output.Write(inner.Key)
			break
		}
		output.Write(r.Key)
	}

	require.Equal(t, "aa"+"ab"+"ac"+"ad", output.String())
}

// Sorted yields all records even if each is larger than the memory.
func TestSortedRecordsLargerThanMemory(t *testing.T) {
	s := New(10)
	defer func() {
		require.NoError(t, s.Close())
	}()
	large := strings.Repeat("x", 3*blockBytes)
	require.NoError(t, s.Add(t.Context(), []byte("b"), []byte(large)))
	require.NoError(t, s.Add(t.Context(), []byte("a"), []byte(large)))
	require.Equal(t, []string{"a=" + large, "b=" + large}, listRecords(t, s))
}

// Add and Sorted need little memory, however many records there are.
func TestMemoryStaysBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("sorts many records")
	}
	const (
		records   = 100_000
		interval  = 10_000 // records between two measurements of the heap
		keySize   = 20
		valueSize = 20
		memory    = 256 << 10
		maxGrowth = uint64(1 << 20) // of the heap
	)
	t.Setenv("TMPDIR", t.TempDir())
	s := New(memory)
	defer func() {
		require.NoError(t, s.Close())
	}()

	heapBefore := heapBytes()
	peak := heapBefore

	// Add all records.
	key := make([]byte, keySize)
	value := make([]byte, valueSize)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range records {
		binary.BigEndian.PutUint64(key, random.Uint64())
		require.NoError(t, s.Add(t.Context(), key, value))
		if i%interval == 0 {
			peak = max(peak, heapBytes())
		}
	}

	// Read them all.
	count := 0
	for r, err := range s.Sorted(t.Context()) {
		require.NoError(t, err)
		require.Len(t, r.Key, keySize)
		count++
		if count%interval == 0 {
			peak = max(peak, heapBytes())
		}
	}

	require.Equal(t, records, count)
	require.Less(t, peak-heapBefore, maxGrowth)
}

// heapBytes returns how many bytes of the heap are in use.
func heapBytes() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Close removes the files of the runs (sorted records that did not fit in memory), whatever was done before.
func TestCloseLeavesNoFile(t *testing.T) {
	listAll := func(t *testing.T, s *Sorter) { listRecords(t, s) }
	listFirst := func(t *testing.T, s *Sorter) {
		for _, err := range s.Sorted(t.Context()) {
			require.NoError(t, err)
			return
		}
	}
	listCanceled := func(t *testing.T, s *Sorter) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range s.Sorted(ctx) {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Error(t, s.Add(ctx, nil, nil))
	}

	tests := []struct {
		name string
		use  func(t *testing.T, s *Sorter)
	}{
		{name: "after runs", use: func(*testing.T, *Sorter) {}},
		{name: "after a whole listing", use: listAll},
		{name: "after a part of a listing", use: listFirst},
		{name: "after cancellation", use: listCanceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			t.Setenv("TMP", dir) // Windows
			// Add more records than fit in the memory.
			const memory = 1 << 10
			s := New(memory)
			for i := range 1000 {
				require.NoError(t, s.Add(t.Context(), fmt.Append(nil, i), make([]byte, 20)))
			}
			tt.use(t, s)

			require.NoError(t, s.Close())
			require.NoError(t, s.Close(), "Close may be called twice")

			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// Add fails with the error of ctx if ctx has ended when the memory is full.
func TestAddFailsWhenContextIsDone(t *testing.T) {
	s := New(1)
	defer func() {
		require.NoError(t, s.Close())
	}()
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Add(ctx, []byte("a"), nil))
	cancel()
	require.ErrorIs(t, s.Add(ctx, []byte("b"), nil), context.Canceled)
}

// If ctx ends during Add or Sorted, no record is lost or damaged when the call is repeated.
func TestSortedAfterAnInterruption(t *testing.T) {
	const (
		records = 5000
		prime   = 7919 // i*prime%records is each number below records once, in a scattered order
	)
	for _, memory := range []int{1, 300, 100 << 10, 200 << 10} {
		t.Run(fmt.Sprintf("%d bytes of memory", memory), func(t *testing.T) {
			s := New(memory)
			defer func() {
				require.NoError(t, s.Close())
			}()

			// Each record has its key as its value. About one call of Add in a hundred may be interrupted: its
			// context ends when it was checked some times. The call is then repeated.
			var want []string
			for i := range records {
				key := fmt.Sprintf("%05d", i*prime%records)
				want = append(want, key+"="+key)
				if i%97 == 0 {
					checks := i % 300
					addAfterInterruption(t, s, key, checks)
				} else {
					require.NoError(t, s.Add(t.Context(), []byte(key), []byte(key)))
				}
			}

			// The first call of Sorted ends with its context. The second one yields all records.
			for _, err := range s.Sorted(&interrupted{Context: t.Context()}) {
				require.ErrorIs(t, err, context.Canceled)
			}
			slices.Sort(want)
			require.Equal(t, want, listRecords(t, s))
		})
	}
}

// addAfterInterruption adds a record with a context that ends after this number of checks. If Add fails with it, the
// call is repeated.
func addAfterInterruption(t *testing.T, s *Sorter, key string, checks int) {
	t.Helper()
	ctx := &interrupted{Context: t.Context(), after: checks}
	err := s.Add(ctx, []byte(key), []byte(key))
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, s.Add(t.Context(), []byte(key), []byte(key)))
	}
}

// An interrupted context ends after a given number of calls of Err.
type interrupted struct {
	context.Context
	after int
}

// Err returns nil the first times, and then context.Canceled.
func (c *interrupted) Err() error {
	c.after--
	if c.after < 0 {
		return context.Canceled
	}
	return nil
}

// Add fails with os.ErrNotExist if the directory for temporary files is missing.
func TestSortedReportsFailuresOfTheDisk(t *testing.T) {
	t.Setenv("TMPDIR", "/does-not-exist")
	t.Setenv("TMP", "/does-not-exist") // Windows
	s := New(1)
	require.NoError(t, s.Add(t.Context(), []byte("a"), nil))
	require.ErrorIs(t, s.Add(t.Context(), []byte("b"), nil), os.ErrNotExist)
	require.NoError(t, s.Close())
}

// No record can be added after Sorted.
func TestAddAfterSortedFails(t *testing.T) {
	s := New(1)
	require.Empty(t, listRecords(t, s))
	require.Error(t, s.Add(t.Context(), []byte("a"), nil))
	require.NoError(t, s.Close())
}

// BenchmarkSort adds records and reads them all, sorted.
func BenchmarkSort(b *testing.B) {
	s := New(64 << 20)
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		key := fmt.Appendf(nil, "folder/%016x", random.Uint64())
		if err := s.Add(b.Context(), key, key[:16]); err != nil {
			b.Fatal(err)
		}
	}
	for _, err := range s.Sorted(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
	}
}
