package uploadstest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// RunService tests an [uploads.Service] with records, on any bucket. For each test case, it calls
// open, which must return an empty bucket and empty records. Test cases run in parallel.
func RunService(t *testing.T, open func(t *testing.T) (storage.Bucket, uploads.Records)) {
	t.Helper()
	t.Run("service", func(t *testing.T) {
		for _, c := range serviceCases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				bucket, records := open(t)
				s, err := uploads.New(bucket, uploads.Config{
					Rules:     rules.Any(0),
					Records:   records,
					Unguarded: true,
				})
				require.NoError(t, err)
				c.run(t, s)
			})
		}

		t.Run("what a user has is counted, with files that expire", func(t *testing.T) {
			t.Parallel()
			bucket, records := open(t)
			testUsage(t, bucket, records)
		})
	})
}

// testUsage tests that a service counts what each user stores, and refuses more than the allowance
// of 10 bytes. Where neither the bucket nor the records can keep the counts, New must fail.
func testUsage(t *testing.T, bucket storage.Bucket, records uploads.Records) {
	s, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(0),
		Records:   records,
		Unguarded: true,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 10}, nil
		},
	})
	_, hasStates := records.(uploads.States)
	if !hasStates && !storage.Supports(bucket, storage.ConditionalCreate|storage.ConditionalUpdate) {
		require.ErrorIs(t, err, storage.Unsupported)
		return
	}
	require.NoError(t, err)

	// Alice and Bob have an allowance of 10 bytes each.
	alice := uploads.User{ID: "alice"}
	bob := uploads.User{ID: "bob"}
	store := func(user uploads.User, content string, target *uploads.Target) (*uploads.File, error) {
		return s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(content), User: user, Target: target})
	}

	// Alice stores 9 bytes in two files. The second file expires.
	first, err := store(alice, "123456", nil)
	require.NoError(t, err)
	_, err = store(alice, "123", &uploads.Target{Lifetime: time.Millisecond})
	require.NoError(t, err)

	_, err = store(bob, "of another user", nil)
	require.Equal(t, uploads.OverAllowance, uploads.CodeOf(err), "more than is allowed")
	requireUsage(t, s, alice, 9, 2)

	_, err = store(alice, "12", nil)
	require.Equal(t, uploads.OverAllowance, uploads.CodeOf(err), "one byte is left")

	// The file that expires no longer counts after it was removed.
	sweepExpired(t, s)
	requireUsage(t, s, alice, 6, 1)

	// A file that is removed twice is subtracted once.
	for range 2 {
		require.NoError(t, s.Remove(t.Context(), first))
	}
	requireUsage(t, s, alice, 0, 0)
}

// requireUsage requires that the user has stored these bytes and files and has reserved nothing, both by the
// counts that the service keeps and by a recount.
func requireUsage(t *testing.T, s *uploads.Service, user uploads.User, bytes, files int64) {
	t.Helper()
	usage, err := s.Usage(t.Context(), user.ID)
	require.NoError(t, err)
	require.Zero(t, usage.ReservedBytes)
	require.Equal(t, bytes, usage.Bytes)
	require.Equal(t, files, usage.Files)

	recounted, err := s.Recount(t.Context(), user.ID)
	require.NoError(t, err)
	require.Equal(t, usage, recounted)
}

// sweepExpired calls Sweep until it has removed the one file that expires. The store's own clock
// decides when this is.
func sweepExpired(t *testing.T, s *uploads.Service) {
	t.Helper()
	require.Eventually(t, func() bool {
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		return report.Expired == 1
	}, time.Minute, time.Millisecond)
}

// serviceCases has the test cases that must pass with any bucket and any records.
var serviceCases = []struct {
	name string
	run  func(t *testing.T, s *uploads.Service)
}{
	{"a file is stored, described and read", testStore},
	{"a range is read", testDownloadRange},
	{"an empty file is a file", testStoreEmpty},
	{"a stream is a file", testStoreStream},
	{"a file is removed, and removed again", testRemoveFile},
	{"files are listed in pages, and filtered", testListFiles},
	{"a file that expires is read, is not listed, and goes", testExpiringFile},
	{"pieces in any order make a file", testPieceOrder},
	{"an upload leaves nothing that Sweep would remove", testSweepNothing},
	{"many race the last piece", testConcurrentLastPiece},
}

// testDownloadRange tests that Download reads a range, and refuses one that begins after the end of the file.
func testDownloadRange(t *testing.T, s *uploads.Service) {
	f := storeText(t, s, "0123456789", nil)

	r, got, err := s.Download(t.Context(), f.ID, storage.WithRange(3, 4)) // 4 bytes from offset 3
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "3456", string(b))
	require.EqualValues(t, 10, got.Size, "the size of the whole file")

	_, _, err = s.Download(t.Context(), f.ID, storage.WithRange(11, 1))
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
}

// testStoreEmpty tests that a file without content is stored and read.
func testStoreEmpty(t *testing.T, s *uploads.Service) {
	require.Empty(t, download(t, s, storeText(t, s, "", nil).ID))
}

// testStoreStream tests that Store accepts a stream of unknown size, and detects the content type
// from its first bytes.
func testStoreStream(t *testing.T, s *uploads.Service) {
	want := strings.Repeat("text ", 60_000)
	f, err := s.Store(t.Context(), uploads.Upload{
		Body:   io.MultiReader(strings.NewReader(want)), // hides the size
		Name:   "stream",
		Target: &uploads.Target{},
	})
	require.NoError(t, err)
	require.Equal(t, "text/plain; charset=utf-8", f.ContentType)
	require.Equal(t, want, download(t, s, f.ID))
}

// testRemoveFile tests that Remove deletes the record and the content of a file, and can be repeated.
func testRemoveFile(t *testing.T, s *uploads.Service) {
	f := storeText(t, s, "x", nil)
	for range 2 {
		require.NoError(t, s.Remove(t.Context(), f))
		_, err := s.Records().Record(t.Context(), f.ID)
		requireNotFound(t, err)
		_, _, err = s.Download(t.Context(), f.ID)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	}

	// Remove finds the file by its ID.
	onlyID := &uploads.File{ID: f.ID}
	require.NoError(t, s.Remove(t.Context(), onlyID))
}

// testListFiles tests that the records list all stored files, or only those that a filter selects.
func testListFiles(t *testing.T, s *uploads.Service) {
	// Store files of two purposes and three users, and note which of them each filter selects.
	everything := uploads.Filter{}
	oddOfB := uploads.Filter{Purpose: "odd", User: "b"}
	want := map[uploads.Filter][]string{}

	for i := range 9 {
		purpose := []string{"", "odd"}[i%2]
		user := []string{"a", "b", "c"}[i%3]
		f, err := s.Store(t.Context(), uploads.Upload{
			Body:     strings.NewReader("x"),
			Name:     "a.txt",
			User:     uploads.User{ID: user},
			Metadata: map[string]string{"purpose": purpose},
		})
		require.NoError(t, err)
		for _, filter := range []uploads.Filter{everything, {Purpose: purpose, User: user}} {
			want[filter] = append(want[filter], f.ID)
		}
	}

	// Read the list in pages that are shorter than it.
	require.ElementsMatch(t, want[everything], listIDs(t, s.Records(), everything, 4))
	require.ElementsMatch(t, want[oddOfB], listIDs(t, s.Records(), oddOfB, 1))
	anHourAgo := uploads.Filter{To: time.Now().Add(-time.Hour)}
	require.Empty(t, listIDs(t, s.Records(), anHourAgo, 10))
}

// testExpiringFile tests that a file with a lifetime can be read, but is not listed, and that Sweep
// removes it after its lifetime.
func testExpiringFile(t *testing.T, s *uploads.Service) {
	permanent := storeText(t, s, "permanent", nil)
	expired := storeText(t, s, "expired", &uploads.Target{Lifetime: time.Millisecond})
	temporary := storeText(t, s, "temporary", &uploads.Target{Lifetime: time.Hour})
	require.Equal(t, "expired", download(t, s, expired.ID), "before the sweep")
	require.Equal(t, []string{permanent.ID}, listIDs(t, s.Records(), uploads.Filter{}, 10))

	sweepExpired(t, s)
	_, _, err := s.Download(t.Context(), expired.ID)
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	require.Equal(t, "permanent", download(t, s, permanent.ID))
	require.Equal(t, "temporary", download(t, s, temporary.ID))
}

// testPieceOrder tests that the pieces of a file may arrive in any order, and that the last one to
// arrive completes the file.
func testPieceOrder(t *testing.T, s *uploads.Service) {
	for _, number := range []int{3, 1, 4, 5} {
		f, err := putPiece(t, s, number)
		require.NoError(t, err)
		require.Nil(t, f, "piece 2 is missing")
	}

	f, err := putPiece(t, s, 2)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(f.Key, ".txt"))
	require.Equal(t, joinedPieces(), download(t, s, f.ID))

	got, err := s.Records().Record(t.Context(), f.ID)
	require.NoError(t, err)
	require.Equal(t, f, got)
}

// testSweepNothing tests that Sweep finds nothing to remove after a complete upload.
func testSweepNothing(t *testing.T, s *uploads.Service) {
	f := storeText(t, s, "x", nil)
	report, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{}, report)
	require.Equal(t, "x", download(t, s, f.ID))
}

// testConcurrentLastPiece tests that concurrent calls with the last piece all return the same file,
// and create one record.
func testConcurrentLastPiece(t *testing.T, s *uploads.Service) {
	// Store all pieces except the last.
	for number := 1; number < pieces; number++ {
		f, err := putPiece(t, s, number)
		require.NoError(t, err)
		require.Nil(t, f)
	}

	// Store the last piece in many calls at the same time.
	const calls = 32
	got := make([]*uploads.File, calls)
	errs := make([]error, calls)
	race(calls, func(i int) {
		got[i], errs[i] = putPiece(t, s, pieces)
	})

	// All calls return the same file.
	for i, f := range got {
		require.NotNil(t, f, "every call returns the file")
		require.Equal(t, got[0], f)
		if errs[i] != nil {
			// The file was complete before this call began.
			require.Equal(t, uploads.Completed, uploads.CodeOf(errs[i]))
		}
	}

	// There is one record, and the file has all pieces.
	require.Equal(t, []string{got[0].ID}, listIDs(t, s.Records(), uploads.Filter{}, 10))
	require.Equal(t, joinedPieces(), download(t, s, got[0].ID))
}

// testStore tests that Store describes the file in its result and in the record, and that the
// content can be read.
func testStore(t *testing.T, s *uploads.Service) {
	const pdf = "%PDF-1.7 all is well"
	start := time.Now().UTC().Truncate(time.Millisecond)
	f, err := s.Store(t.Context(), uploads.Upload{
		Body:     strings.NewReader(pdf),
		Name:     "Rechnung №7.PDF",
		User:     uploads.User{ID: "user-1"},
		Metadata: map[string]string{"purpose": "invoices"},
		Target:   &uploads.Target{ContentType: "application/pdf"},
	})
	require.NoError(t, err)

	// The result describes the file.
	const uuidLength = 36
	require.Len(t, f.ID, uuidLength)
	require.True(t, strings.HasSuffix(f.Key, f.ID+".pdf"))
	require.Equal(t, "application/pdf", f.ContentType)
	require.Equal(t, "Rechnung №7.PDF", f.Name)
	require.EqualValues(t, len(pdf), f.Size)
	require.Equal(t, "user-1", f.User.ID)
	require.Equal(t, "invoices", f.Purpose)
	require.True(t, f.CRC32C.Known)
	sinceStart := uploads.Filter{From: start, To: time.Now().Add(time.Second)}
	require.True(t, sinceStart.Matches(f), "the ID has the time of creation")

	// The record has these fields and no others.
	got, err := s.Records().Record(t.Context(), f.ID)
	require.NoError(t, err)
	want := uploads.File{
		ID:          f.ID,
		Key:         f.Key,
		Name:        f.Name,
		ContentType: f.ContentType,
		Size:        f.Size,
		User:        f.User,
		Purpose:     f.Purpose,
		CRC32C:      f.CRC32C,
	}
	require.Equal(t, want, *got)

	// The content can be read.
	require.Equal(t, pdf, download(t, s, f.ID))
}

// storeText stores text as a file of user-1, and returns the file. target may be nil.
func storeText(t *testing.T, s *uploads.Service, text string, target *uploads.Target) *uploads.File {
	t.Helper()
	f, err := s.Store(t.Context(), uploads.Upload{
		Body:   strings.NewReader(text),
		Name:   "a.txt",
		User:   uploads.User{ID: "user-1"},
		Target: target,
	})
	require.NoError(t, err)
	return f
}

// pieces is the number of pieces of a file.
const pieces = 5

// piece returns the content of one piece, whose length differs from those of the others.
func piece(number int) string { return strings.Repeat(fmt.Sprint(number, " "), 1000*number) }

// putPiece sends the piece with this number of a file of user-1. The result is nil as long as other pieces
// are missing.
func putPiece(t *testing.T, s *uploads.Service, number int) (*uploads.File, error) {
	return s.PutPiece(t.Context(), uploads.Piece{
		Token:  "token-1234",
		Count:  pieces,
		Number: number,
		Body:   strings.NewReader(piece(number)),
		Name:   "note.txt",
		User:   uploads.User{ID: "user-1"},
	})
}

// joinedPieces returns the content of the file that consists of all pieces.
func joinedPieces() string {
	var text strings.Builder
	for number := 1; number <= pieces; number++ {
		text.WriteString(piece(number))
	}
	return text.String()
}

// download returns the content of the file with this ID.
func download(t *testing.T, s *uploads.Service, id string) string {
	t.Helper()
	r, _, err := s.Download(t.Context(), id)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}
