package recordstest

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/internal/testing/filestest"
	"github.com/omnibucket/storage/uploads"
)

// RunStore tests a [files.Store] on any bucket and records. open returns an empty
// store for each case, and is called from parallel cases.
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

// storeCases hold for every kind of bucket and records.
var storeCases = []struct {
	name string
	run  func(t *testing.T, s *files.Store)
}{
	{"a client file is uploaded, described and read", func(t *testing.T, s *files.Store) {
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
		require.True(t, r.CRC32C.Known)
		details, err := s.Details(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, r, details)
		require.Equal(t, "%PDF-1.7 all is well", filestest.Content(t, s, r.ID))
	}},
	{"a temp file is read, and has no details", func(t *testing.T, s *files.Store) {
		r, err := s.UploadTemp(t.Context(), strings.NewReader("soon gone"), filestest.Named("draft.txt"))
		require.NoError(t, err)
		reader, record, err := s.DownloadTemp(t.Context(), r.ID)
		require.NoError(t, err)
		defer func() { require.NoError(t, reader.Close()) }()
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "soon gone", string(b))
		require.Equal(t, r, record)
		_, err = s.Details(t.Context(), r.ID)
		filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
		_, _, err = s.Download(t.Context(), r.ID)
		filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
		require.NoError(t, s.Delete(t.Context(), r.ID), "is not a client file")
		reader, _, err = s.DownloadTemp(t.Context(), r.ID)
		require.NoError(t, err, "and so was not deleted")
		require.NoError(t, reader.Close())
	}},
	{"a client file is not a temp file", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("stays"), filestest.Named("a.txt"))
		require.NoError(t, err)
		_, _, err = s.DownloadTemp(t.Context(), r.ID)
		filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
	}},
	{"a range is read", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("0123456789"), filestest.Named("a.txt"))
		require.NoError(t, err)
		reader, record, err := s.Download(t.Context(), r.ID, storage.WithRange(3, 4))
		require.NoError(t, err)
		defer func() { require.NoError(t, reader.Close()) }()
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "3456", string(b))
		require.EqualValues(t, 10, record.OriginalLength)
		_, _, err = s.Download(t.Context(), r.ID, storage.WithRange(11, 1))
		filestest.Refused(t, err, "file", uploads.InvalidValue, storage.RangeNotSatisfiable)
	}},
	{"an empty file is a file", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader(""), filestest.Named("empty.txt"))
		require.NoError(t, err)
		require.Zero(t, r.OriginalLength)
		require.Empty(t, filestest.Content(t, s, r.ID))
	}},
	{"a stream is a file", func(t *testing.T, s *files.Store) {
		want := filestest.Text(300_000, 1)
		r, err := s.Upload(t.Context(), io.MultiReader(strings.NewReader(want)), filestest.Named("stream"))
		require.NoError(t, err)
		require.Equal(t, "text/plain; charset=utf-8", r.MIMEType, "by the first bytes")
		require.Equal(t, want, filestest.Content(t, s, r.ID))
	}},
	{"a purpose is set and removed", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("x"), filestest.Named("a.txt"))
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
		filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
	}},
	{"a file is deleted, and deleted again", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("x"), filestest.Named("a.txt"))
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, s.Delete(t.Context(), r.ID))
			_, err := s.Details(t.Context(), r.ID)
			filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
			_, _, err = s.Download(t.Context(), r.ID)
			filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
		}
	}},
	{"each of many files has its own result", func(t *testing.T, s *files.Store) {
		ids := []string{"../nonsense", files.NewID(time.Now())}
		for range 20 {
			r, err := s.Upload(t.Context(), strings.NewReader("x"), filestest.Named("a.txt"))
			require.NoError(t, err)
			ids = append(ids, r.ID)
		}
		results := s.DeleteMany(t.Context(), ids)
		require.Len(t, results, len(ids))
		for i, result := range results {
			require.Equal(t, ids[i], result.ID)
			if i == 0 {
				filestest.Refused(t, result.Err, "ID", uploads.InvalidValue, storage.InvalidArgument)
				continue
			}
			require.NoError(t, result.Err)
		}
		page, err := s.List(t.Context(), files.ListFilter{}, "", 100)
		require.NoError(t, err)
		require.Empty(t, page.Records)
		require.Empty(t, s.DeleteMany(t.Context(), nil))
	}},
	{"files are listed in pages, and filtered", func(t *testing.T, s *files.Store) {
		want := map[string][]string{}
		for i := range 9 {
			o := filestest.Named("a.txt")
			o.Purpose, o.UploadedBy = []string{"", "odd"}[i%2], []string{"a", "b", "c"}[i%3]
			r, err := s.Upload(t.Context(), strings.NewReader("x"), o)
			require.NoError(t, err)
			want[""] = append(want[""], r.ID)
			want[o.Purpose+"/"+o.UploadedBy] = append(want[o.Purpose+"/"+o.UploadedBy], r.ID)
		}
		require.ElementsMatch(t, want[""], filestest.Listed(t, s, files.ListFilter{}, 4))
		require.ElementsMatch(t, want["odd/b"], filestest.Listed(t, s, files.ListFilter{Purpose: "odd", UploadedBy: "b"}, 1))
		require.Empty(t, filestest.Listed(t, s, files.ListFilter{To: time.Now().Add(-time.Hour)}, 10))
	}},
	{"parts in any order make a file", func(t *testing.T, s *files.Store) {
		want := ""
		for i, number := range []int{3, 1, 4, 5, 2} {
			r, err := s.UploadPart(t.Context(), strings.NewReader(filestest.Text(1000*number, uint64(number))), filestest.Part(filestest.Token, 5, number))
			require.NoError(t, err)
			if i < 4 {
				require.Nil(t, r)
				continue
			}
			for number := 1; number <= 5; number++ {
				want += filestest.Text(1000*number, uint64(number))
			}
			require.EqualValues(t, len(want), r.OriginalLength)
			require.Equal(t, ".txt", r.FileExt)
			require.Equal(t, "text/plain; charset=utf-8", r.MIMEType)
			require.Equal(t, want, filestest.Content(t, s, r.ID))
			details, err := s.Details(t.Context(), r.ID)
			require.NoError(t, err)
			require.Equal(t, r, details)
		}
	}},
	{"parts make a temp file", func(t *testing.T, s *files.Store) {
		_, err := s.UploadTempPart(t.Context(), strings.NewReader("world"), filestest.Part(filestest.Token, 2, 2))
		require.NoError(t, err)
		r, err := s.UploadTempPart(t.Context(), strings.NewReader("hello "), filestest.Part(filestest.Token, 2, 1))
		require.NoError(t, err)
		reader, _, err := s.DownloadTemp(t.Context(), r.ID)
		require.NoError(t, err)
		defer func() { require.NoError(t, reader.Close()) }()
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "hello world", string(b))
		_, err = s.Details(t.Context(), r.ID)
		filestest.Refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
	}},
	{"an upload leaves nothing that Sweep would remove", func(t *testing.T, s *files.Store) {
		r, err := s.Upload(t.Context(), strings.NewReader("x"), filestest.Named("a.txt"))
		require.NoError(t, err)
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, &files.SweepReport{}, report)
		require.Equal(t, "x", filestest.Content(t, s, r.ID))
	}},
	{"many race the last part", func(t *testing.T, s *files.Store) {
		got := filestest.SendLastPart(t, s, 32)
		for _, r := range got {
			require.NotNil(t, r, "every call returns the record")
			require.Equal(t, got[0], r)
		}
		require.Equal(t, []string{got[0].ID}, filestest.Listed(t, s, files.ListFilter{}, 10), "there is one record")
		require.Equal(t, filestest.FileOfFiveParts(), filestest.Content(t, s, got[0].ID))
	}},
}
