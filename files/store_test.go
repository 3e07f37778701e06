package files_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

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
}

func TestStore(t *testing.T) {
	for _, p := range places() {
		for _, backend := range backends() {
			t.Run(p.name+" with records in "+backend.name, func(t *testing.T) {
				for _, c := range storeCases {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						b := p.open(t)
						s, err := files.New(b, backend.open(t, b), files.Config{})
						require.NoError(t, err)
						c.run(t, s)
					})
				}
			})
		}
	}
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

func TestNewRefuses(t *testing.T) {
	b := memstore.New()
	without := func(f storage.Features) storage.Bucket {
		return memstore.New(storage.WithLayer(faults.Limits(faults.Bounds{Without: f})))
	}
	noCreate, noSwap := without(storage.ConditionalCreate), without(storage.ConditionalUpdate)
	for name, c := range map[string]struct {
		bucket  storage.Bucket
		records files.Records
		config  files.Config
		code    storage.Code
	}{
		"no bucket":                              {nil, files.BucketRecords(b), files.Config{}, storage.InvalidArgument},
		"no records":                             {b, nil, files.Config{}, storage.InvalidArgument},
		"a negative size":                        {b, files.BucketRecords(b), files.Config{MaxSize: -1}, storage.InvalidArgument},
		"a negative grace":                       {b, files.BucketRecords(b), files.Config{Grace: -1}, storage.InvalidArgument},
		"a negative TTL":                         {b, files.BucketRecords(b), files.Config{PartsTTL: -1}, storage.InvalidArgument},
		"a bucket that cannot refuse to replace": {noCreate, files.BucketRecords(noCreate), files.Config{}, storage.Unsupported},
		"a bucket that cannot compare and swap":  {noSwap, files.BucketRecords(noSwap), files.Config{}, storage.Unsupported},
	} {
		s, err := files.New(c.bucket, c.records, c.config)
		require.ErrorIs(t, err, c.code, name)
		require.Nil(t, s, name)
	}
}

// A bucket without conditions is enough for whole files whose records are elsewhere.
func TestRecordsElsewhereNeedNoConditionsOfTheBucket(t *testing.T) {
	b := memstore.New(storage.WithLayer(faults.Limits(faults.Bounds{Without: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove})))
	// A type of its own, as a database's is.
	records := struct{ files.Records }{files.BucketRecords(memstore.New())}
	s, err := files.New(b, records, files.Config{})
	require.NoError(t, err)
	r, err := s.Upload(t.Context(), strings.NewReader("text"), named("a.txt"))
	require.NoError(t, err)
	require.Equal(t, "text", content(t, s, r.ID))
	temp, err := s.UploadTemp(t.Context(), strings.NewReader("temp"), named("a.txt"))
	require.NoError(t, err)
	reader, _, err := s.DownloadTemp(t.Context(), temp.ID)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	for _, upload := range []func() (*files.Record, error){
		func() (*files.Record, error) {
			return s.UploadPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
		},
		func() (*files.Record, error) {
			return s.UploadTempPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
		},
	} {
		_, err = upload()
		refused(t, err, "", files.StoreFailed, storage.Unsupported)
	}
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", content(t, s, r.ID))
	require.NoError(t, s.Delete(t.Context(), r.ID))
}

func TestUploadOfABodyThatFails(t *testing.T) {
	f := inMemory(t, files.Config{})
	cause := errors.New("the sender went away")
	_, err := f.Upload(t.Context(), io.MultiReader(strings.NewReader("begun"), errReader{cause}), named("a.txt"))
	refused(t, err, "file", files.Interrupted, storage.BodyFailed)
	require.ErrorIs(t, err, cause)
	require.Empty(t, under(t, f.bucket, "files/"))
}

func TestUploadWhoseRecordIsRefused(t *testing.T) {
	f := inMemory(t, files.Config{})
	for name, c := range map[string]struct {
		lost bool
		left int
	}{
		"for certain: its bytes are removed":         {false, 0},
		"perhaps not: its record is there, or Sweep": {true, 1},
	} {
		s, err := files.New(f.bucket, &blindRecords{failingRecords{Records: f.records, n: 1, lost: c.lost}}, files.Config{})
		require.NoError(t, err)
		_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		refused(t, err, "", files.StoreFailed, storage.Unavailable)
		require.Equal(t, c.lost, errors.Is(err, storage.OutcomeUnknown), name)
		require.Len(t, under(t, f.bucket, "files/client/"), c.left, name)
		whole(t, f.bucket, f.records)
		for _, id := range listed(t, f.Store, files.ListFilter{}, 10) {
			require.NoError(t, f.Delete(t.Context(), id))
		}
	}
}

// An attempt whose answer was lost has made the record, and the one that is told
// of is told that the ID is taken.
func TestUploadWhoseRecordWasMadeByALostAttempt(t *testing.T) {
	t.Run("the record can be read", func(t *testing.T) {
		f := inMemory(t, files.Config{})
		s, err := files.New(f.bucket, repeatedRecords{f.records}, files.Config{Now: f.clock.Now})
		require.NoError(t, err)
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		require.Equal(t, "x", content(t, f.Store, r.ID))
		whole(t, f.bucket, f.records)
	})
	t.Run("it cannot: the bytes are left", func(t *testing.T) {
		f := inMemory(t, files.Config{})
		s, err := files.New(f.bucket, repeatedRecords{&blindRecords{failingRecords{Records: f.records}}}, files.Config{})
		require.NoError(t, err)
		_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		refused(t, err, "", files.StoreFailed, storage.OutcomeUnknown)
		require.Len(t, listed(t, f.Store, files.ListFilter{}, 10), 1)
		whole(t, f.bucket, f.records)
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestUploadIsBounded(t *testing.T) {
	f := inMemory(t, files.Config{MaxSize: 10})
	for name, body := range map[string]func(text string) io.Reader{
		"in place":         func(text string) io.Reader { return strings.NewReader(text) },
		"a stream":         func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) },
		"a byte at a time": func(text string) io.Reader { return bytewise(text) },
	} {
		r, err := f.Upload(t.Context(), body("0123456789"), named("a.txt"))
		require.NoError(t, err, name)
		require.Equal(t, "0123456789", content(t, f.Store, r.ID))
		require.NoError(t, f.Delete(t.Context(), r.ID))
		_, err = f.Upload(t.Context(), body("0123456789x"), named("a.txt"))
		refused(t, err, "file", files.TooLarge, storage.TooLarge)
		require.Empty(t, under(t, f.bucket, "files/"), name)
	}
}

// bytewise is a reader of single bytes.
func bytewise(text string) io.Reader { return &single{text} }

type single struct{ left string }

func (s *single) Read(p []byte) (int, error) {
	if s.left == "" {
		return 0, io.EOF
	}
	n := copy(p[:1], s.left)
	s.left = s.left[n:]
	return n, nil
}

func TestIDsAreInTheOrderOfTime(t *testing.T) {
	f := inMemory(t, files.Config{})
	var want []string
	for range 20 {
		want = append(want, f.upload(t, "x").ID)
		f.clock.Advance(time.Millisecond)
	}
	require.Equal(t, want, listed(t, f.Store, files.ListFilter{}, 7))
	from := f.clock.Now().Add(-10 * time.Millisecond)
	require.Equal(t, want[10:], listed(t, f.Store, files.ListFilter{From: from}, 7))
	require.Equal(t, want[:10], listed(t, f.Store, files.ListFilter{To: from}, 7))
}

func TestStoreInAPlaceOfItsOwn(t *testing.T) {
	b := memstore.New()
	for _, place := range []string{"a/", "b/"} {
		view := storage.Prefixed(b, place)
		s, err := files.New(view, files.BucketRecords(view), files.Config{})
		require.NoError(t, err)
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		require.Equal(t, []string{r.ID}, listed(t, s, files.ListFilter{}, 10))
		require.Len(t, under(t, b, place), 2)
	}
}
