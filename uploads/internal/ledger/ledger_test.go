package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/ledger"
)

// states keeps texts in memory. If beforeWrite is set, the next write calls it once before it
// begins.
type states struct {
	mu     sync.Mutex
	texts  map[string][]byte
	writes int
	reads  int

	beforeWrite func() error // called once before the next write, or nil
}

// State returns a state and its revision. The revision is the text of the state.
func (s *states) State(_ context.Context, key string) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	text, exists := s.texts[key]
	if !exists {
		return nil, "", storage.ObjectNotFound
	}
	return text, string(text), nil
}

// SetState stores a state if the current state has this revision. If s.beforeWrite is set, SetState
// first calls it once, and does not write if it fails.
func (s *states) SetState(_ context.Context, key string, state []byte, revision string) (string, error) {
	if next := s.beforeWrite; next != nil {
		s.beforeWrite = nil
		if err := next(); err != nil {
			return "", err
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if string(s.texts[key]) != revision {
		return "", storage.PreconditionFailed
	}
	s.texts[key] = state
	return string(state), nil
}

// RemoveState removes a state if the state has this revision. Otherwise it does nothing.
func (s *states) RemoveState(_ context.Context, key, revision string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(s.texts[key]) == revision {
		delete(s.texts, key)
	}
	return nil
}

func noUpload(*ledger.Text) (string, error) { return "", nil }

func newStates() *states { return &states{texts: map[string][]byte{}} }

// newBook returns a Book of the ledgers in s that does not wait between attempts.
func newBook(s *states) *ledger.Book {
	return &ledger.Book{
		Prefix: "usage/",
		States: s,
		Now:    time.Now,
		Wait:   func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// user is the user of all ledgers.
const user = "a"

// reservationOf returns a reservation for one file of this size.
func reservationOf(name string, bytes int64) ledger.Reservation {
	return ledger.Reservation{User: user, Name: name, Least: bytes, Most: bytes, Entry: ledger.Entry{Files: 1}}
}

// After a first file of 40 bytes, Reserve grants a second file only what the limit leaves.
func TestReserveWithinLimit(t *testing.T) {
	tests := []struct {
		name    string
		least   int64 // bytes that the second file has at least
		most    int64
		limit   ledger.Limit
		want    int64 // bytes that are reserved
		wantErr error
	}{
		{name: "no limit", least: 10, most: 10, limit: ledger.Limit{}, want: 10},
		{name: "as many bytes as are left", least: 60, most: 60, limit: ledger.Limit{Bytes: 100}, want: 60},
		{
			name:    "a byte too many",
			least:   61,
			most:    61,
			limit:   ledger.Limit{Bytes: 100},
			want:    0,
			wantErr: ledger.ErrOver,
		},
		{name: "an unknown size", least: 1, most: math.MaxInt64, limit: ledger.Limit{Bytes: 100}, want: 60},
		{name: "an unknown size that the rules bound", least: 1, most: 50, limit: ledger.Limit{Bytes: 100}, want: 50},
		{name: "an unknown size without a limit", least: 1, most: math.MaxInt64, limit: ledger.Limit{}, want: math.MaxInt64},
		{
			name:    "no bytes left",
			least:   1,
			most:    math.MaxInt64,
			limit:   ledger.Limit{Bytes: 40},
			want:    0,
			wantErr: ledger.ErrOver,
		},
		{name: "an empty file", limit: ledger.Limit{Bytes: 40}, want: 0},
		{
			name:    "nothing is allowed",
			least:   1,
			most:    1,
			limit:   ledger.Limit{Bytes: -1},
			want:    0,
			wantErr: ledger.ErrOver,
		},
		{name: "as many files as are allowed", least: 1, most: 1, limit: ledger.Limit{Files: 2}, want: 1},
		{name: "a file too many", least: 1, most: 1, limit: ledger.Limit{Files: 1}, want: 0, wantErr: ledger.ErrOver},
		{
			name:    "no file is allowed",
			least:   1,
			most:    1,
			limit:   ledger.Limit{Files: -1},
			want:    0,
			wantErr: ledger.ErrOver,
		},
		{
			name:    "less is allowed than is stored",
			least:   1,
			most:    1,
			limit:   ledger.Limit{Bytes: 10},
			want:    0,
			wantErr: ledger.ErrOver,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The first file has 40 bytes.
			book := newBook(newStates())
			_, err := book.Reserve(t.Context(), reservationOf("first", 40), ledger.Limit{})
			require.NoError(t, err)

			// Reserve room for the second file: at least tt.least and at most tt.most bytes.
			reservation := reservationOf("second", 0)
			reservation.Least = tt.least
			reservation.Most = tt.most
			got, err := book.Reserve(t.Context(), reservation, tt.limit)
			require.ErrorIs(t, err, tt.wantErr)
			if tt.wantErr == nil {
				require.Equal(t, tt.want, got)
			}
		})
	}
}

// Reserve fails with ErrBusy as long as the user has 1000 open uploads.
func TestReserveLimitsOpenUploads(t *testing.T) {
	// The ledger of the user has as many open uploads as a user may have.
	const maxOpen = 1000
	store := newStates()
	entries := map[string]ledger.Entry{}
	for i := range maxOpen {
		entries[fmt.Sprint(i)] = ledger.Entry{Bytes: 1, Files: 1}
	}
	text, err := json.Marshal(ledger.Text{User: user, Entries: entries})
	require.NoError(t, err)
	book := newBook(store)
	store.texts[book.Key(user)] = text

	// One more upload cannot reserve anything.
	_, err = book.Reserve(t.Context(), reservationOf("one more", 1), ledger.Limit{})
	require.ErrorIs(t, err, ledger.ErrBusy)

	// The end of one upload makes room for another one.
	require.NoError(t, book.Drop(t.Context(), user, "1"))
	_, err = book.Reserve(t.Context(), reservationOf("one more", 1), ledger.Limit{})
	require.NoError(t, err)
}

// If another process has written a ledger since a Book read it, the Book reads it again.
func TestBookRereadsLedger(t *testing.T) {
	// Two processes have a book of the same ledger. A file takes up the whole limit.
	store := newStates()
	book := newBook(store)
	otherBook := newBook(store)
	_, err := book.Reserve(t.Context(), reservationOf("x", 100), ledger.Limit{Bytes: 100})
	require.NoError(t, err)

	// The other process makes room for another file.
	require.NoError(t, otherBook.Drop(t.Context(), user, "x"))
	_, err = book.Reserve(t.Context(), reservationOf("y", 100), ledger.Limit{Bytes: 100})
	require.NoError(t, err)

	// The other process settles the second file at 90 bytes. The first process cannot settle that
	// file again.
	settlement, err := otherBook.Settle(t.Context(), user, "y", 90)
	require.NoError(t, err)
	require.True(t, settlement.Counted)
	settlement, err = book.Settle(t.Context(), user, "y", 90)
	require.NoError(t, err)
	require.False(t, settlement.Counted, "the other book has settled it")

	current, err := book.Read(t.Context(), user)
	require.NoError(t, err)
	require.EqualValues(t, 90, current.Bytes)
}

// A Book reads the ledger of a user for the user's first upload. It does not read it for later
// uploads.
func TestBookReadsNothingForSecondUpload(t *testing.T) {
	store := newStates()
	book := newBook(store)

	const uploadCount = 3
	for i := range uploadCount {
		_, err := book.Reserve(t.Context(), reservationOf(fmt.Sprint(i), 1), ledger.Limit{Bytes: 100})
		require.NoError(t, err)
		_, err = book.Settle(t.Context(), user, fmt.Sprint(i), 1)
		require.NoError(t, err)
	}

	// The first upload reads three times: the ledger, the ledger of an older version, and the
	// ledger again.
	const readsOfFirstUpload = 3
	require.Equal(t, readsOfFirstUpload, store.reads)

	// Reserve and Settle each write once.
	require.Equal(t, 2*uploadCount, store.writes)
}

// Settle counts a file once, even if the response to its write is lost.
func TestBookCountsLostResponseOnce(t *testing.T) {
	const fileSize = 7
	tests := []struct {
		name      string
		applied   bool // whether the write whose response is lost took effect
		overtaken bool // whether another process writes before the call reads the ledger again
	}{
		{name: "write took effect", applied: true},
		{name: "write had no effect", applied: false},
		{name: "write took effect, and another process wrote", applied: true, overtaken: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Two processes have a book of the same ledger. A file has reserved room.
			store := newStates()
			book := newBook(store)
			other := newBook(store)
			_, err := book.Reserve(t.Context(), reservationOf("x", fileSize), ledger.Limit{})
			require.NoError(t, err)

			// The next write fails as if its response was lost. In the cases in which the write
			// takes effect nevertheless, the other book makes it.
			store.beforeWrite = func() error {
				if tt.applied {
					_, err := other.Settle(t.Context(), user, "x", fileSize)
					require.NoError(t, err)
				}
				if tt.overtaken {
					_, err := other.Reserve(t.Context(), reservationOf("y", 1), ledger.Limit{})
					require.NoError(t, err)
				}
				return &storage.Error{Code: storage.Unavailable, Unknown: true}
			}

			// Settle reports that the file is counted. The ledger counts it once.
			settlement, err := book.Settle(t.Context(), user, "x", fileSize)
			require.NoError(t, err)
			require.True(t, settlement.Counted)

			current, err := book.Read(t.Context(), user)
			require.NoError(t, err)
			require.EqualValues(t, fileSize, current.Bytes)
		})
	}
}

// If two processes remove a file, the ledger subtracts the file once, whichever process ends the
// removal.
func TestBookCountsRemovalOnce(t *testing.T) {
	const fileSize = 7
	file := ledger.Entry{Bytes: fileSize, Files: 1}

	// beginRemoval stores a file, and returns the books of two processes. The first process has begun to
	// remove the file.
	beginRemoval := func(t *testing.T) (bookA, bookB *ledger.Book, removalA ledger.Removal) {
		store := newStates()
		bookA = newBook(store)
		bookB = newBook(store)
		_, err := bookA.Reserve(t.Context(), reservationOf("x", fileSize), ledger.Limit{})
		require.NoError(t, err)
		_, err = bookA.Settle(t.Context(), user, "x", fileSize)
		require.NoError(t, err)

		removalA, err = bookA.BeginRemoval(t.Context(), user, "key", file, noUpload)
		require.NoError(t, err)
		require.False(t, removalA.Joined)
		return bookA, bookB, removalA
	}

	// requireReserved requires that the ledger counts no file, and has these bytes as reserved.
	requireReserved := func(t *testing.T, book *ledger.Book, reservedBytes int64) {
		t.Helper()
		current, err := book.Read(t.Context(), user)
		require.NoError(t, err)
		pending, _ := current.Pending()
		require.Equal(t, reservedBytes, pending)
		require.Zero(t, current.Bytes, "the file still counts as stored")
	}

	t.Run("the bytes stay reserved until the end", func(t *testing.T) {
		bookA, _, removalA := beginRemoval(t)
		requireReserved(t, bookA, fileSize)
		require.NoError(t, bookA.EndRemoval(t.Context(), removalA))
		requireReserved(t, bookA, 0)
	})

	t.Run("another call joins and ends it", func(t *testing.T) {
		bookA, bookB, removalA := beginRemoval(t)
		removalB, err := bookB.BeginRemoval(t.Context(), user, "key", file, noUpload)
		require.NoError(t, err)
		require.True(t, removalB.Joined)
		require.NoError(t, bookB.EndRemoval(t.Context(), removalB))
		require.NoError(t, bookA.EndRemoval(t.Context(), removalA))
		requireReserved(t, bookA, 0)
	})

	t.Run("the removal of a file that is gone is undone", func(t *testing.T) {
		bookA, bookB, removalA := beginRemoval(t)
		require.NoError(t, bookA.EndRemoval(t.Context(), removalA))
		removalB, err := bookB.BeginRemoval(t.Context(), user, "key", file, noUpload)
		require.NoError(t, err)
		requireReserved(t, bookA, 0)

		// The end of the first removal does not end the second one.
		require.NoError(t, bookA.EndRemoval(t.Context(), removalA))
		require.NoError(t, bookB.UndoRemoval(t.Context(), removalB))
		requireReserved(t, bookA, 0)
	})
}

// No count is lost if several Books write the ledger of one user at the same time.
func TestBooksOfOneUser(t *testing.T) {
	const (
		books         = 20
		uploadsOfBook = 5
		reservedSize  = 3
		size          = 2 // bytes that a file has in the end
	)
	store := newStates()

	// The book of each process counts some files. If a call fails, the count below is too low.
	var group sync.WaitGroup
	for bookNumber := range books {
		group.Go(func() {
			book := newBook(store)
			for uploadNumber := range uploadsOfBook {
				name := fmt.Sprint(bookNumber, "-", uploadNumber)
				_, err := book.Reserve(t.Context(), reservationOf(name, reservedSize), ledger.Limit{})
				if err != nil {
					continue
				}
				_, _ = book.Settle(t.Context(), user, name, size)
			}
		})
	}
	group.Wait()

	// Every file is counted, and no reservation is left.
	current, err := newBook(store).Read(t.Context(), user)
	require.NoError(t, err)
	require.EqualValues(t, books*uploadsOfBook*size, current.Bytes)
	require.Empty(t, current.Entries)
}

// The key of a ledger does not reveal the ID of the user.
func TestLedgerKeyHidesUser(t *testing.T) {
	book := newBook(newStates())
	key := book.Key("alice@example.com/../x")
	require.True(t, ledger.IsKey(book.Prefix, key))
	require.True(t, strings.HasPrefix(key, book.Prefix))
	require.NotContains(t, key, "alice")
	require.NotEqual(t, key, book.Key("Alice"))
	require.False(t, ledger.IsKey(book.Prefix, book.Prefix+"x/state.json"))
}

// Reserve does not try again after its context has ended.
func TestBookCallEndsWithContext(t *testing.T) {
	store := newStates()
	book := newBook(store)
	ctx, cancel := context.WithCancel(t.Context())
	store.beforeWrite = func() error {
		cancel()
		return storage.PreconditionFailed
	}
	_, err := book.Reserve(ctx, reservationOf("x", 1), ledger.Limit{})
	require.ErrorIs(t, err, context.Canceled)
}

// Add counts a file without a reservation. It also marks the count as doubtful. Because of the
// mark, a Sweep counts again.
func TestAddCountsFileWithoutReservation(t *testing.T) {
	book := newBook(newStates())
	require.NoError(t, book.Add(t.Context(), user, 30))

	text, err := book.Read(t.Context(), user)
	require.NoError(t, err)
	require.EqualValues(t, 30, text.Bytes)
	require.EqualValues(t, 1, text.Files)
	require.Len(t, text.Entries, 1, "the mark that the count is doubtful")

	bytes, files := text.Pending()
	require.Zero(t, bytes)
	require.Zero(t, files)
}

// Reserve reduces earlier reservations to the actual sizes of their files, which makes room for the new one.
func TestReservationShrinksStoredFiles(t *testing.T) {
	// The reservation of the first file takes all room.
	limit := ledger.Limit{Bytes: 100}
	book := newBook(newStates())
	_, err := book.Reserve(t.Context(), reservationOf("first", 100), limit)
	require.NoError(t, err)

	// The first file has only 30 bytes, so 70 bytes are left for the second.
	reservation := reservationOf("second", 70)
	reservation.Sizes = map[string]int64{"first": 30, "unknown": 5}
	_, err = book.Reserve(t.Context(), reservation, limit)
	require.NoError(t, err)

	// Both files are pending.
	current, err := book.Read(t.Context(), user)
	require.NoError(t, err)
	bytes, files := current.Pending()
	require.EqualValues(t, 30+70, bytes)
	require.EqualValues(t, 2, files)
}

// A ledger exists twice if an older version of the program writes the ledger after it was moved.
// Migrate then keeps the new ledger, and marks its count as doubtful. Because of the mark, a Sweep
// counts again.
func TestMigrateLedgerThatExistsTwice(t *testing.T) {
	// The new ledger has a file of 30 bytes.
	store := newStates()
	book := newBook(store)
	require.NoError(t, book.Recount(t.Context(), user, func(text *ledger.Text) error {
		text.Bytes = 30
		text.Files = 1
		return nil
	}))

	// The older version has since written a ledger with a file of 20 bytes.
	oldKey := ledger.OldPrefix + strings.TrimPrefix(book.Key(user), book.Prefix)
	store.texts[oldKey] = []byte(`{"user":"a","bytes":20,"files":1,"nonce":"n"}`)
	require.NoError(t, book.Migrate(t.Context(), oldKey))

	// The new ledger stays, with an entry that marks its count as doubtful.
	text, err := book.Read(t.Context(), user)
	require.NoError(t, err)
	require.EqualValues(t, 30, text.Bytes)
	require.Len(t, text.Entries, 1, "the mark that the count is doubtful")
	require.NotContains(t, store.texts, oldKey)
}

// The response to the write of Settle is lost, and another call writes before the bucket repeats
// that write. Settle still reports the file as counted. Its write also moves the ledger of an older
// version.
func TestSettleCountsOnceWhileAnOldLedgerMoves(t *testing.T) {
	// An upload of 60 bytes is open in the ledger of an older version.
	const fileSize = 60
	store := newStates()
	book := newBook(store)
	old := ledger.OldPrefix + strings.TrimPrefix(book.Key(user), book.Prefix)
	store.texts[old] = []byte(`{"user":"a","entries":{"upload":{"bytes":60,"files":1}},"nonce":"n"}`)

	// The write of Settle takes effect, but its response is lost. Here, another book makes the
	// write in its place, and then begins another upload. When the bucket repeats the write, the
	// ledger has changed.
	store.beforeWrite = func() error {
		other := newBook(store)
		_, err := other.Settle(t.Context(), user, "upload", fileSize)
		require.NoError(t, err)

		_, err = other.Reserve(t.Context(), reservationOf("other", 1), ledger.Limit{})
		require.NoError(t, err)
		return storage.PreconditionFailed
	}

	// Settle finds that the file is counted already.
	settlement, err := book.Settle(t.Context(), user, "upload", fileSize)
	require.NoError(t, err)
	require.True(t, settlement.Counted)
}
