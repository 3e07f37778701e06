package commit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
)

// entryKey returns the key of the object of an entry.
func entryKey(number int) string { return fmt.Sprintf("log/%020d", number) }

// If entries that a Log has seen are gone, its Append, Trim and Last fail with Changed. This happens after a
// backup was restored, or by an expiry rule.
func TestAppendNoticesThatEntriesWereRemoved(t *testing.T) {
	const lastEntry = 10
	texts := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} // of entries 1 to 10

	tests := []struct {
		name         string
		firstRemoved int      // number of the first entry that is removed, with all after it
		appended     []string // texts that another Log then appends
		wantText     string   // part of the error
	}{
		{name: "last entries removed", firstRemoved: 6, wantText: "entry 10 was in the log, and is gone"},
		{name: "all entries removed", firstRemoved: 1, wantText: "entry 10 was in the log, and is gone"},
		{
			name:         "last entries removed, and others appended",
			firstRemoved: 6,
			appended:     []string{"F", "G", "H", "I", "J", "K"},
			wantText:     "entry 10 is another one than was in the log",
		},
	}
	for _, tt := range tests {
		for name, wait := range map[string]time.Duration{"at once": 0, "after an hour": time.Hour} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// The log has seen ten entries when some of them are removed.
					log, bucket := newMemoryLog(t)
					appendText(t, log, texts...)
					for number := tt.firstRemoved; number <= lastEntry; number++ {
						require.NoError(t, bucket.Remove(t.Context(), entryKey(number)))
					}
					other, err := commit.New(bucket, "log/")
					require.NoError(t, err)
					appendText(t, other, tt.appended...)
					time.Sleep(wait)

					// Append fails each time, without a call of its function.
					for range 2 {
						_, err := log.Append(t.Context(), func(int64) ([]byte, error) {
							require.Fail(t, "nothing may be decided on such a log")
							return nil, nil
						})
						require.ErrorIs(t, err, storage.Changed)
						require.ErrorContains(t, err, tt.wantText)
						require.ErrorContains(t, err, entryKey(lastEntry))
					}

					// Trim and Last fail, too.
					require.ErrorIs(t, log.Trim(t.Context(), lastEntry), storage.Changed)
					_, err = log.Last(t.Context())
					require.ErrorIs(t, err, storage.Changed)

					// A new Log has not seen the entries, and appends after those that are there.
					second, err := commit.New(bucket, "log/")
					require.NoError(t, err)
					appendText(t, second, "x")
					got, err := readTexts(t.Context(), second, 1)
					require.NoError(t, err)
					require.Equal(t, "x", got[len(got)-1])
				})
			})
		}
	}
}

// Append fails with Changed if an entry is replaced after its Log has read it.
func TestAppendNoticesThatAnEntryItHasReadWasReplaced(t *testing.T) {
	writer, bucket := newMemoryLog(t)
	appendText(t, writer, "a", "b")
	log := newLog(t, bucket)
	_, err := readTexts(t.Context(), log, 1)
	require.NoError(t, err)

	_, err = bucket.Upload(t.Context(), entryKey(2), strings.NewReader("another"))
	require.NoError(t, err)
	_, err = log.Append(t.Context(), func(int64) ([]byte, error) { return nil, nil })
	require.ErrorIs(t, err, storage.Changed)
}

// Append comes after the last entry, without an error, if others have removed the entry that its
// Log has seen last.
func TestAppendAfterOthersHaveTrimmedWhatItHasSeen(t *testing.T) {
	log, bucket := newMemoryLog(t)
	other := newLog(t, bucket)
	appendText(t, log, "a")
	appendText(t, other, "b", "c", "d")
	removeEntries(t, other, 3)

	number, err := log.Append(t.Context(), func(last int64) ([]byte, error) {
		require.EqualValues(t, 4, last)
		return []byte("e"), nil
	})
	require.NoError(t, err)
	require.EqualValues(t, 5, number)
}

// Append fails with Canceled and stores nothing if ctx is canceled.
func TestAppendCanceled(t *testing.T) {
	log, bucket := newMemoryLog(t)
	appendText(t, log, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := log.Append(ctx, func(int64) ([]byte, error) { return []byte("b"), nil })
	require.ErrorIs(t, err, storage.Canceled)
	exists, err := bucket.Exists(t.Context(), entryKey(2))
	require.NoError(t, err)
	require.False(t, exists)
}
