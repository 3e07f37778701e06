package recordstest

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
)

// RunStore proves what a files.Store does, whatever bucket and records it is made
// of. open makes an empty one for each case, and is called from parallel cases.
func RunStore(t *testing.T, open func(t *testing.T) *files.Store) {
	t.Helper()
	t.Run("store", func(t *testing.T) {
		for _, c := range storeCases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, open(t))
			})
		}
	})
}

// storeCases is what a store does, on every kind of bucket and every place for
// records.
var storeCases = []struct {
	name string
	run  func(t *testing.T, s *files.Store)
}{
	{"a client file is uploaded, told of and read", func(t *testing.T, s *files.Store) {
		before := time.Now().UTC().Truncate(time.Millisecond)
		r, err := s.Upload(t.Context(), strings.NewReader("%PDF-1.7 all is well"), files.UploadOptions{
			OriginalFileName: "Rechnung №7.PDF", UploadedBy: "user-1", Purpose: "invoices",
		})
		require.NoError(t, err)
		require.Len(t, r.ID, 36)
		require.Equal(t, ".pdf", r.FileExt)
		require.Equal(t, "application/pdf", r.MIMEType)
		require.Equal(t, "Rechnung №7.PDF", r.OriginalFileName)
		require.EqualValues(t, 20, r.OriginalLength)
		require.Equal(t, "user-1", r.UploadedBy)
		require.Equal(t, "invoices", r.Purpose)
		require.WithinRange(t, r.Created, before, time.Now())
		require.NotNil(t, r.CRC32C)
		details, err := s.Details(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, r, details)
		require.Equal(t, "%PDF-1.7 all is well", content(t, s, r.ID))
	}},
	{"a temp file is read, and has no details", func(t *testing.T, s *files.Store) {
		r, err := s.UploadTemp(t.Context(), strings.NewReader("soon gone"), named("draft.txt"))
		require.NoError(t, err)
		reader, record, err := s.DownloadTemp(t.Context(), r.ID)
		require.NoError(t, err)
		defer func() { require.NoError(t, reader.Close()) }()
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "soon gone", string(b))
		require.Equal(t, r, record)
		_, err = s.Details(t.Context(), r.ID)
		refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
		_, _, err = s.Download(t.Context(), r.ID)
		refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
		require.NoError(t, s.Delete(t.Context(), r.ID), "is not a client file")
		reader, _, err = s.DownloadTemp(t.Context(), r.ID)
		require.NoError(t, err, "and so was not deleted")
		require.NoError(t, reader.Close())
	}},
	{"a client file is no temp file", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("stays"), named("a.txt"))
		require.NoError(t, err)
		_, _, err = s.DownloadTemp(t.Context(), r.ID)
		refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
	}},
	{"a range is read", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("0123456789"), named("a.txt"))
		require.NoError(t, err)
		reader, record, err := s.Download(t.Context(), r.ID, storage.WithRange(3, 4))
		require.NoError(t, err)
		defer func() { require.NoError(t, reader.Close()) }()
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "3456", string(b))
		require.EqualValues(t, 10, record.OriginalLength)
		_, _, err = s.Download(t.Context(), r.ID, storage.WithRange(11, 1))
		refused(t, err, "file", files.InvalidValue, storage.RangeNotSatisfiable)
	}},
	{"an empty file is a file", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader(""), named("empty.txt"))
		require.NoError(t, err)
		require.Zero(t, r.OriginalLength)
		require.Empty(t, content(t, s, r.ID))
	}},
	{"a stream is a file", func(t *testing.T, s *files.Store) {
		want := text(300_000, 1)
		r, err := s.Upload(t.Context(), io.MultiReader(strings.NewReader(want)), named("stream"))
		require.NoError(t, err)
		require.Equal(t, "text/plain; charset=utf-8", r.MIMEType, "by the first bytes")
		require.Equal(t, want, content(t, s, r.ID))
	}},
	{"a purpose is set and taken away", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		for _, purpose := range []string{"invoices", ""} {
			r.Purpose = purpose
			got, err := s.SetPurpose(t.Context(), r.ID, purpose)
			require.NoError(t, err)
			require.Equal(t, r, got)
			got, err = s.Details(t.Context(), r.ID)
			require.NoError(t, err)
			require.Equal(t, r, got)
		}
		_, err = s.SetPurpose(t.Context(), files.NewID(time.Now()), "x")
		refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
	}},
	{"a file is deleted, and deleted again", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, s.Delete(t.Context(), r.ID))
			_, err := s.Details(t.Context(), r.ID)
			refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
			_, _, err = s.Download(t.Context(), r.ID)
			refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
		}
	}},
	{"of many each has its own result", func(t *testing.T, s *files.Store) {
		ids := []string{"../nonsense", files.NewID(time.Now())}
		for range 20 {
			r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
			require.NoError(t, err)
			ids = append(ids, r.ID)
		}
		results := s.DeleteMany(t.Context(), ids)
		require.Len(t, results, len(ids))
		for i, result := range results {
			require.Equal(t, ids[i], result.ID)
			if i == 0 {
				refused(t, result.Err, "ID", files.InvalidValue, storage.InvalidArgument)
				continue
			}
			require.NoError(t, result.Err)
		}
		page, err := s.List(t.Context(), files.ListFilter{}, "", 100)
		require.NoError(t, err)
		require.Empty(t, page.Records)
		require.Empty(t, s.DeleteMany(t.Context(), nil))
	}},
	{"files are listed in pages, by what they are", func(t *testing.T, s *files.Store) {
		want := map[string][]string{}
		for i := range 9 {
			o := named("a.txt")
			o.Purpose, o.UploadedBy = []string{"", "odd"}[i%2], []string{"a", "b", "c"}[i%3]
			r, err := s.Upload(t.Context(), strings.NewReader("x"), o)
			require.NoError(t, err)
			want[""] = append(want[""], r.ID)
			want[o.Purpose+"/"+o.UploadedBy] = append(want[o.Purpose+"/"+o.UploadedBy], r.ID)
		}
		require.ElementsMatch(t, want[""], listed(t, s, files.ListFilter{}, 4))
		require.ElementsMatch(t, want["odd/b"], listed(t, s, files.ListFilter{Purpose: "odd", UploadedBy: "b"}, 1))
		require.Empty(t, listed(t, s, files.ListFilter{To: time.Now().Add(-time.Hour)}, 10))
	}},
	{"parts in any order make a file", func(t *testing.T, s *files.Store) {
		want := ""
		for i, number := range []int{3, 1, 4, 5, 2} {
			r, err := s.UploadPart(t.Context(), strings.NewReader(text(1000*number, uint64(number))), part("token-1234", 5, number))
			require.NoError(t, err)
			if i < 4 {
				require.Nil(t, r)
				continue
			}
			for number := 1; number <= 5; number++ {
				want += text(1000*number, uint64(number))
			}
			require.EqualValues(t, len(want), r.OriginalLength)
			require.Equal(t, ".txt", r.FileExt)
			require.Equal(t, "text/plain; charset=utf-8", r.MIMEType)
			require.Equal(t, want, content(t, s, r.ID))
			details, err := s.Details(t.Context(), r.ID)
			require.NoError(t, err)
			require.Equal(t, r, details)
		}
	}},
	{"parts make a temp file", func(t *testing.T, s *files.Store) {
		_, err := s.UploadTempPart(t.Context(), strings.NewReader("world"), part("token-1234", 2, 2))
		require.NoError(t, err)
		r, err := s.UploadTempPart(t.Context(), strings.NewReader("hello "), part("token-1234", 2, 1))
		require.NoError(t, err)
		reader, _, err := s.DownloadTemp(t.Context(), r.ID)
		require.NoError(t, err)
		defer func() { require.NoError(t, reader.Close()) }()
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "hello world", string(b))
		_, err = s.Details(t.Context(), r.ID)
		refused(t, err, "ID", files.NotFound, storage.ObjectNotFound)
	}},
	{"nothing is left that the sweep would remove", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, &files.SweepReport{}, report)
		require.Equal(t, "x", content(t, s, r.ID))
	}},
	{"many race the last part", func(t *testing.T, s *files.Store) {
		got := racing(t, s, 32)
		for _, r := range got {
			require.NotNil(t, r, "every call answers with the record")
			require.Equal(t, got[0], r)
		}
		require.Equal(t, []string{got[0].ID}, listed(t, s, files.ListFilter{}, 10), "there is one record")
		require.Equal(t, inFive(), content(t, s, got[0].ID))
	}},
}

func listed(t *testing.T, s *files.Store, f files.ListFilter, size int) []string {
	t.Helper()
	var ids []string
	for token := ""; ; {
		page, err := s.List(t.Context(), f, token, size)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), size)
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		if token = page.Token; token == "" {
			return ids
		}
	}
}

// racing has n calls send the last of five parts, one after another or at once.
func racing(t *testing.T, s *files.Store, n int) []*files.Record {
	t.Helper()
	for number := 1; number < 5; number++ {
		r, err := s.UploadPart(t.Context(), strings.NewReader(text(5000, uint64(number))), part("token-1234", 5, number))
		require.NoError(t, err)
		require.Nil(t, r)
	}
	records, errs := make([]*files.Record, n), make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			records[i], errs[i] = s.UploadPart(t.Context(), strings.NewReader(text(5000, 5)), part("token-1234", 5, 5))
		})
	}
	close(start)
	group.Wait()
	for i, err := range errs {
		if err != nil { // it began when the file was there
			records[i] = refused(t, err, "token", files.Completed, storage.PreconditionFailed).Record
		}
	}
	return records
}

// inFive is the file that racing makes.
func inFive() string {
	want := ""
	for number := 1; number <= 5; number++ {
		want += text(5000, uint64(number))
	}
	return want
}

func named(name string) files.UploadOptions {
	return files.UploadOptions{OriginalFileName: name, UploadedBy: "user-1"}
}

// part is one of a file that is called note.txt.
func part(token string, count, number int) files.PartOptions {
	return files.PartOptions{Token: token, Count: count, Part: number, UploadOptions: named("note.txt")}
}

func content(t *testing.T, s *files.Store, id string) string {
	t.Helper()
	r, _, err := s.Download(t.Context(), id)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// refused holds an error to its field, its code and the storage.Code beneath.
func refused(t *testing.T, err error, field string, code files.Code, beneath storage.Code) *files.Error {
	t.Helper()
	var e *files.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, field, e.Field, "field of: %v", err)
	require.Equal(t, code, e.Code, "code of: %v", err)
	require.ErrorIs(t, err, beneath)
	require.NotEmpty(t, e.Message)
	return e
}

func text(n int, seed uint64) string {
	letters := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	return string(letters)
}
