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
			counted(t, bucket, records)
		})
	})
}

// counted tests allowances. Each user may have 10 bytes. If neither the bucket has conditional
// writes nor the records keep states, counted only tests that New fails with Unsupported.
func counted(t *testing.T, bucket storage.Bucket, records uploads.Records) {
	s, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(0),
		Records:   records,
		Unguarded: true,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 10}, nil
		},
	})
	_, states := records.(uploads.States)
	if !states && !storage.Supports(bucket, storage.ConditionalCreate|storage.ConditionalUpdate) {
		require.ErrorIs(t, err, storage.Unsupported)
		return
	}
	require.NoError(t, err)
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

// requireUsage requires that a user has the given number of bytes and files, both by the stored
// counts and by a new count.
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

// sweepExpired calls Sweep until it has removed the one file that has expired. A file expires by
// the clock of the store.
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
	{"a file is stored, described and read", storedFile},
	{"a range is read", rangeRead},
	{"an empty file is a file", emptyFile},
	{"a stream is a file", streamedFile},
	{"a file is removed, and removed again", removedFile},
	{"files are listed in pages, and filtered", listedFiles},
	{"a file that expires is read, is not listed, and goes", expiringFile},
	{"pieces in any order make a file", piecesInAnyOrder},
	{"an upload leaves nothing that Sweep would remove", nothingToSweep},
	{"many race the last piece", lastPieceAtOnce},
}

// rangeRead tests that Download reads a range, and refuses one that begins after the end of the file.
func rangeRead(t *testing.T, s *uploads.Service) {
	f := put(t, s, "0123456789", nil)
	r, got, err := s.Download(t.Context(), f.ID, storage.WithRange(3, 4))
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "3456", string(b))
	require.EqualValues(t, 10, got.Size)
	_, _, err = s.Download(t.Context(), f.ID, storage.WithRange(11, 1))
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
}

// emptyFile tests that a file without content is stored and read.
func emptyFile(t *testing.T, s *uploads.Service) {
	require.Empty(t, content(t, s, put(t, s, "", nil).ID))
}

// streamedFile tests that the content may be a stream of unknown size. The first bytes determine
// the type of the file.
func streamedFile(t *testing.T, s *uploads.Service) {
	want := strings.Repeat("text ", 60_000)
	f, err := s.Store(
		t.Context(),
		uploads.Upload{Body: io.MultiReader(strings.NewReader(want)), Name: "stream", Target: &uploads.Target{}},
	)
	require.NoError(t, err)
	require.Equal(t, "text/plain; charset=utf-8", f.ContentType, "by the first bytes")
	require.Equal(t, want, content(t, s, f.ID))
}

// removedFile tests that a removed file has neither a record nor content, and that Remove can be
// repeated.
func removedFile(t *testing.T, s *uploads.Service) {
	f := put(t, s, "x", nil)
	for range 2 {
		require.NoError(t, s.Remove(t.Context(), f))
		_, err := s.Records().Record(t.Context(), f.ID)
		absent(t, err)
		_, _, err = s.Download(t.Context(), f.ID)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	}
	require.NoError(t, s.Remove(t.Context(), &uploads.File{ID: f.ID}), "without its key")
}

// listedFiles tests that the records list all stored files, and those that a filter selects.
func listedFiles(t *testing.T, s *uploads.Service) {
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
		for _, q := range []uploads.Filter{{}, {Purpose: purpose, User: user}} {
			want[q] = append(want[q], f.ID)
		}
	}
	odd := uploads.Filter{Purpose: "odd", User: "b"}
	require.ElementsMatch(t, want[uploads.Filter{}], all(t, s.Records(), uploads.Filter{}, 4))
	require.ElementsMatch(t, want[odd], all(t, s.Records(), odd, 1))
	require.Empty(t, all(t, s.Records(), uploads.Filter{To: time.Now().Add(-time.Hour)}, 10))
}

// expiringFile tests that a file that expires can be read, but is not listed, until Sweep removes it.
func expiringFile(t *testing.T, s *uploads.Service) {
	stays := put(t, s, "stays", nil)
	goes := put(t, s, "goes", &uploads.Target{Lifetime: time.Millisecond})
	temporary := put(t, s, "later", &uploads.Target{Lifetime: time.Hour})
	require.Equal(t, "goes", content(t, s, goes.ID))
	require.Equal(t, []string{stays.ID}, all(t, s.Records(), uploads.Filter{}, 10))
	sweepExpired(t, s)
	_, _, err := s.Download(t.Context(), goes.ID)
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	require.Equal(t, "stays", content(t, s, stays.ID))
	require.Equal(t, "later", content(t, s, temporary.ID))
}

// piecesInAnyOrder tests that the last piece that arrives completes the file, whatever its number.
func piecesInAnyOrder(t *testing.T, s *uploads.Service) {
	for i, number := range []int{3, 1, 4, 5, 2} {
		f, err := putPiece(t, s, number)
		require.NoError(t, err)
		if i < 4 {
			require.Nil(t, f)
			continue
		}
		require.True(t, strings.HasSuffix(f.Key, ".txt"))
		require.Equal(t, wholeOfPieces(), content(t, s, f.ID))
		got, err := s.Records().Record(t.Context(), f.ID)
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
}

// nothingToSweep tests that Sweep finds nothing to remove after a complete upload.
func nothingToSweep(t *testing.T, s *uploads.Service) {
	f := put(t, s, "x", nil)
	report, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{}, report)
	require.Equal(t, "x", content(t, s, f.ID))
}

// lastPieceAtOnce tests that several calls that send the last piece at the same time all return the same
// file, which has one record.
func lastPieceAtOnce(t *testing.T, s *uploads.Service) {
	for number := 1; number < pieces; number++ {
		f, err := putPiece(t, s, number)
		require.NoError(t, err)
		require.Nil(t, f)
	}
	got := make([]*uploads.File, 32)
	errs := make([]error, len(got))
	race(len(got), func(i int) { got[i], errs[i] = putPiece(t, s, pieces) })
	for i, f := range got {
		if errs[i] != nil { // the file was complete before this call began
			require.Equal(t, uploads.Completed, uploads.CodeOf(errs[i]))
		}
		require.NotNil(t, f, "every call returns the file")
		require.Equal(t, got[0], f)
	}
	require.Equal(t, []string{got[0].ID}, all(t, s.Records(), uploads.Filter{}, 10), "there is one record")
	require.Equal(t, wholeOfPieces(), content(t, s, got[0].ID))
}

// storedFile tests that Store returns a file with the properties of the upload, that its record is
// equal, and that its content can be read.
func storedFile(t *testing.T, s *uploads.Service) {
	start := time.Now().UTC().Truncate(time.Millisecond)
	f, err := s.Store(t.Context(), uploads.Upload{
		Body:     strings.NewReader("%PDF-1.7 all is well"),
		Name:     "Rechnung №7.PDF",
		User:     uploads.User{ID: "user-1"},
		Metadata: map[string]string{"purpose": "invoices"},
		Target:   &uploads.Target{ContentType: "application/pdf"},
	})
	require.NoError(t, err)

	require.Len(t, f.ID, 36)
	require.True(t, strings.HasSuffix(f.Key, f.ID+".pdf"))
	require.Equal(t, "application/pdf", f.ContentType)
	require.Equal(t, "Rechnung №7.PDF", f.Name)
	require.EqualValues(t, 20, f.Size)
	require.Equal(t, "user-1", f.User.ID)
	require.Equal(t, "invoices", f.Purpose)
	require.True(t, uploads.Filter{From: start, To: time.Now().Add(time.Second)}.Matches(f), "the ID has its time")
	require.True(t, f.CRC32C.Known)

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
	require.Equal(t, "%PDF-1.7 all is well", content(t, s, f.ID))
}

// put stores a file that belongs to user-1.
func put(t *testing.T, s *uploads.Service, text string, target *uploads.Target) *uploads.File {
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

// piece returns the content of one piece. All pieces differ in length.
func piece(number int) string { return strings.Repeat(fmt.Sprint(number, " "), 1000*number) }

// putPiece sends one of the pieces of a file. It returns nil, and no error, as long as other pieces
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

// wholeOfPieces returns the content of the file that the pieces make.
func wholeOfPieces() string {
	var text strings.Builder
	for number := 1; number <= pieces; number++ {
		text.WriteString(piece(number))
	}
	return text.String()
}

// content downloads the content of a file.
func content(t *testing.T, s *uploads.Service, id string) string {
	t.Helper()
	r, _, err := s.Download(t.Context(), id)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}
