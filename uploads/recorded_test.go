package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

const pdf = "%PDF-1.7 all is well"

// A recordedWay sends a.pdf of eva to a service.
type recordedWay struct {
	name string
	// drops: the file goes if Stored refuses it. Other ways keep it, and tell again.
	drops bool
	send  func(t *testing.T, s *uploads.Service) (failed bool)
}

var recordedWays = []recordedWay{
	{"Store", true, func(t *testing.T, s *uploads.Service) bool {
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: "a.pdf", User: uploads.User{ID: "eva"}})
		return err != nil
	}},
	{"a form", true, func(t *testing.T, s *uploads.Service) bool {
		return sendForm(t, s, "file") >= 400
	}},
	{"tus", false, func(t *testing.T, s *uploads.Service) bool {
		w := sent(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "20", "Upload-Metadata", "filename YS5wZGY=")
		require.Equal(t, http.StatusCreated, w.Code, w.Body)
		return sent(s, "PATCH", w.Header().Get("Location"), pdf, "Tus-Resumable", "1.0.0", "Upload-Offset", "0",
			"Content-Type", "application/offset+octet-stream").Code >= 400
	}},
	{"pieces", false, func(t *testing.T, s *uploads.Service) bool {
		_, err := s.PutPiece(t.Context(), uploads.Piece{
			Token:  "token",
			Count:  1,
			Number: 1,
			Body:   strings.NewReader(pdf),
			Name:   "a.pdf",
			User:   uploads.User{ID: "eva"},
		})
		return err != nil
	}},
}

func sent(s *uploads.Service, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// runOnEachRecordedWay runs a test with rules that look at the content, and with those that do not.
func runOnEachRecordedWay(t *testing.T, c uploads.Config, test func(t *testing.T, s *uploads.Service, b storage.Bucket, way recordedWay)) {
	c.Authorize = func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil }
	for name, r := range map[string]rules.Rules{"judged": {Types: []string{"application/pdf"}}, "any": rules.Any(1 << 20)} {
		for _, way := range recordedWays {
			t.Run(way.name+", "+name, func(t *testing.T) {
				b := memstore.New()
				c.Rules, c.Records = r, uploads.BucketRecords(b)
				s, err := uploads.New(b, c)
				require.NoError(t, err)
				test(t, s, b, way)
			})
		}
	}
}

// A file gets a record in each way of uploading.
func TestRecordsHoldEachWay(t *testing.T) {
	var told *uploads.File
	config := uploads.Config{Stored: func(_ context.Context, f *uploads.File) error {
		told = f
		return nil
	}}
	runOnEachRecordedWay(t, config, func(t *testing.T, s *uploads.Service, b storage.Bucket, way recordedWay) {
		require.False(t, way.send(t, s))
		files, next, err := s.Records().List(t.Context(), uploads.Filter{User: "eva"}, "", 10)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, files, 1)

		f := files[0]
		require.Equal(t, told.ID, f.ID, "Stored gets the record")
		require.Equal(t, "a.pdf", f.Name)
		require.EqualValues(t, len(pdf), f.Size)
		require.NotEmpty(t, f.ContentType)

		text, _, err := storage.ReadAll(t.Context(), b, f.Key)
		require.NoError(t, err)
		require.Equal(t, pdf, string(text))

		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, &uploads.SweepReport{}, report)

		require.NoError(t, s.Delete(t.Context(), f.Key, uploads.User{ID: "eva"}))
		_, err = s.Records().Record(t.Context(), f.ID)
		require.ErrorIs(t, err, storage.ObjectNotFound)
		_, err = b.Attrs(t.Context(), f.Key)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})
}

// If Stored refuses a file of Store or of a form, neither its record nor its bytes stay. A file by tus or in
// pieces keeps its record.
func TestRecordsOfFileThatStoredRefuses(t *testing.T) {
	config := uploads.Config{Stored: func(context.Context, *uploads.File) error { return storage.PermissionDenied }}
	runOnEachRecordedWay(t, config, func(t *testing.T, s *uploads.Service, b storage.Bucket, way recordedWay) {
		require.True(t, way.send(t, s))
		ids, _, err := s.Records().IDs(t.Context(), "", 10)
		require.NoError(t, err)
		require.Equal(t, way.drops, len(ids) == 0)
		if !way.drops {
			return
		}
		for entry, err := range b.List(t.Context()) {
			require.NoError(t, err)
			require.Fail(t, "left", entry.Key)
		}
	})
}

// New refuses Records with a Config.Key whose keys do not sort like their IDs.
func TestRecordsNeedOrderedKeys(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{uploads.DefaultKey, "users/{user}/{id}{ext}", "files/{yyyy}/{id}"} {
		_, err := uploads.New(b, uploads.Config{Key: key, Records: uploads.BucketRecords(b)})
		require.ErrorIs(t, err, storage.InvalidArgument, key)
	}
}

// Store fails with InvalidValue for a Target.Lifetime without Config.Records.
func TestLifetimeNeedsRecords(t *testing.T) {
	s, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(0)})
	require.NoError(t, err)
	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("x"), Name: "a", Target: &uploads.Target{Lifetime: time.Hour}})
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
}

// With Records, Begin may not return a Target with a key, because such a key would have no ID.
func TestBeginTargetWithRecords(t *testing.T) {
	b := memstore.New()
	var hidden error
	s, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(b),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: "mine"}, nil
		},
		OnError: func(_ *http.Request, err error) {
			hidden = err
		},
	})
	require.NoError(t, err)

	w := sent(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "3")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.ErrorContains(t, hidden, "Config.Begin")
}

func sendForm(t *testing.T, s *uploads.Service, field string) int {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile(field, "a.pdf")
	require.NoError(t, err)
	_, err = io.WriteString(part, pdf)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return sent(s, "POST", "/", form.String(), "Content-Type", w.FormDataContentType()).Code
}

// lostCreate creates records, loses the answer, and cannot be asked for them.
type lostCreate struct {
	uploads.Records
	lost bool
}

func (r *lostCreate) Create(ctx context.Context, f *uploads.File) error {
	if err := r.Records.Create(ctx, f); err != nil || !r.lost {
		return err
	}
	return &storage.Error{Code: storage.Unavailable, Unknown: true}
}

func (r *lostCreate) Record(ctx context.Context, id string) (*uploads.File, error) {
	if r.lost {
		return nil, &storage.Error{Code: storage.Unavailable}
	}
	return r.Records.Record(ctx, id)
}

// If the response to the creation of a form's record is lost, no record without bytes is left.
func TestRecordsOfFormHaveBytes(t *testing.T) {
	b := memstore.New()
	records := &lostCreate{uploads.BucketRecords(b), true}
	s, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(1 << 20),
		Records:   records,
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	require.NoError(t, err)

	require.Equal(t, http.StatusServiceUnavailable, sendForm(t, s, "file"))
	records.lost = false
	ids, _, err := records.IDs(t.Context(), "", 10)
	require.NoError(t, err)
	for _, id := range ids {
		f, err := records.Record(t.Context(), id)
		require.NoError(t, err)
		exists, err := b.Exists(t.Context(), f.Key)
		require.NoError(t, err)
		require.True(t, exists, "the record has bytes")
	}
}

// failedCreate cannot create a record.
type failedCreate struct {
	uploads.Records
	failed bool
}

func (r *failedCreate) Create(ctx context.Context, f *uploads.File) error {
	if r.failed {
		return storage.Unavailable
	}
	return r.Records.Create(ctx, f)
}

// If the client repeats Finish while the records or Stored fail, that Finish fails, but the file stays.
func TestFinishAgainKeepsFile(t *testing.T) {
	b := memstore.New(storage.WithSigningBaseURL("http://files.example"))
	records := &failedCreate{Records: uploads.BucketRecords(b)}
	var down error
	s, err := uploads.New(b, uploads.Config{
		Rules:   rules.Rules{Types: []string{"application/pdf"}},
		Records: records,
		Stored:  func(context.Context, *uploads.File) error { return down },
	})
	require.NoError(t, err)
	user := uploads.User{ID: "eva"}
	ticket, err := s.Sign(t.Context(), uploads.Request{Name: "a.pdf", Size: int64(len(pdf))}, user)
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), pendingOf(ticket), strings.NewReader(pdf), storage.WithContentType("application/octet-stream"))
	require.NoError(t, err)
	file, err := s.Finish(t.Context(), ticket.Token, user)
	require.NoError(t, err)

	for _, row := range []struct {
		name    string
		records bool
		down    error
	}{{"the records are down", true, nil}, {"the application is down", false, errors.New("down")}} {
		records.failed = row.records
		down = row.down

		_, err = s.Finish(t.Context(), ticket.Token, user)
		require.Error(t, err, row.name)
		records.failed = false
		down = nil
		second, err := s.Finish(t.Context(), ticket.Token, user)
		require.NoError(t, err, row.name)
		require.Equal(t, file.ID, second.ID)

		r, _, err := s.Download(t.Context(), file.ID)
		require.NoError(t, err, row.name)
		require.NoError(t, r.Close())
	}
}

// Files that were stored with another Config.Key look like records without bytes. Sweep keeps them, and its error
// says what to do.
func TestSweepKeepsFilesOfOtherKey(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"files/content/{id}{ext}", "media/{id}{ext}"} {
		s := newService(t, b, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(b), Key: key})
		for range 11 {
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: "a.pdf"})
			require.NoError(t, err)
		}
		_, err := s.Sweep(t.Context())
		if key != "files/content/{id}{ext}" {
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.ErrorContains(t, err, "Config.Key")
		}
		report, err := s.Sweep(t.Context(), uploads.WithoutOrphanLimit())
		require.NoError(t, err)
		require.Equal(t, &uploads.SweepReport{}, report)
	}
	require.Len(t, listPublished(t, b), 44)
}

// If the record of a tus upload cannot be created, Sweep keeps the bytes while the upload lasts, which is longer
// than Grace.
func TestSweepKeepsStoredBytesWithoutRecord(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	b := engine.New(memstore.NewDriver(memstore.Config{Now: clock}))
	records := &failedCreate{uploads.BucketRecords(b), true}
	s, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(1 << 20),
		Records:   records,
		Now:       clock,
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	require.NoError(t, err)
	tus := []string{"Tus-Resumable", "1.0.0"}

	w := sent(s, "POST", "/tus/", "", append(tus, "Upload-Length", "20")...)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	location := w.Header().Get("Location")
	patch := append(tus, "Content-Type", "application/offset+octet-stream", "Upload-Offset")
	require.Equal(t, http.StatusServiceUnavailable, sent(s, "PATCH", location, pdf, append(patch, "0")...).Code)

	now = now.Add(25 * time.Hour)
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	records.failed = false
	w = sent(s, "HEAD", location, "", tus...)
	w = sent(s, "PATCH", location, "", append(patch, w.Header().Get("Upload-Offset"))...)
	require.Equal(t, http.StatusNoContent, w.Code, w.Body)

	files, _, err := records.List(t.Context(), uploads.Filter{}, "", 10)
	require.NoError(t, err)
	require.Len(t, files, 1, "the client has got 204 for this file")
}

// A file that the store finds too large is refused.
func TestStoreTooLargeForBucket(t *testing.T) {
	full := driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Put" {
				return &storage.Error{Code: storage.TooLarge, Err: errors.New("5 GiB at most")}
			}
			return next(ctx)
		})
	})
	records := uploads.BucketRecords(memstore.New())
	s, err := uploads.New(memstore.New(full), uploads.Config{Rules: rules.Any(0), Records: records, States: uploads.BucketStates(memstore.New())})
	require.NoError(t, err)

	for name, send := range map[string]func() (*uploads.File, error){
		"Store": func() (*uploads.File, error) {
			return s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("x"), Name: "a"})
		},
		"PutPiece": func() (*uploads.File, error) { return s.PutPiece(t.Context(), piece(1, 1, "x")) },
	} {
		_, err := send()
		e, ok := errors.AsType[*uploads.Error](err)
		require.True(t, ok, name)
		require.Equal(t, uploads.TooLarge, e.Code, name)
		require.Equal(t, http.StatusRequestEntityTooLarge, e.HTTPStatus(), name)
		require.ErrorContains(t, err, "5 GiB", name)
	}
}

// A late store sweeps before it keeps a record.
type late struct {
	driver.Driver
	sweep func()
}

func (d *late) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if strings.HasPrefix(r.Key, "files/records/") && d.sweep != nil {
		d.sweep()
	}
	return d.Driver.Put(ctx, r)
}

// A slow body takes this long.
type slow func()

func (pass slow) Read([]byte) (int, error) {
	pass()
	return 0, io.EOF
}

// If a file's lifetime ends while Store still reads it, Sweep removes its record, Store fails, and no object is
// left.
func TestStoreOfExpiringFileHasNoRecord(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	d := &late{Driver: memstore.NewDriver(memstore.Config{Now: clock})}
	b := engine.New(d)
	s, err := uploads.New(b, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(b), Now: clock})
	require.NoError(t, err)
	d.sweep = func() {
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, report.Expired)
	}

	_, err = s.Store(t.Context(), uploads.Upload{
		Body: io.MultiReader(strings.NewReader("x"), slow(func() {
			now = now.Add(2 * time.Hour)
		})),
		Name:   "a",
		Target: &uploads.Target{Lifetime: time.Hour},
	})
	require.ErrorIs(t, err, storage.Unavailable)

	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		t.Errorf("%s is left", entry.Key)
	}
}

// If Begin returns a Target with a Lifetime, but there are no Records, the upload fails.
func TestLifetimeOfBeginTargetNeedsRecords(t *testing.T) {
	var hidden error
	s, err := uploads.New(memstore.New(), uploads.Config{
		Rules:     rules.Any(0),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: "mine", Lifetime: time.Hour}, nil
		},
		OnError: func(_ *http.Request, err error) {
			hidden = err
		},
	})
	require.NoError(t, err)

	w := sent(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "3")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.ErrorContains(t, hidden, "Lifetime")
}

// New refuses a Config.Key under the prefix of the records, where a sender could choose a key that counts as a
// record.
func TestNewRefusesKeyWhereRecordsAre(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"files/records/{id}{ext}", "files/expiry/{id}"} {
		_, err := uploads.New(b, uploads.Config{Key: key, Records: uploads.BucketRecords(b)})
		require.ErrorIs(t, err, storage.InvalidArgument, key)
	}
}

// Delete of a key that no file has changes nothing.
func TestDeleteOfUnknownKey(t *testing.T) {
	b := memstore.New()
	s, err := uploads.New(b, uploads.Config{Records: uploads.BucketRecords(b), Rules: rules.Rules{Types: []string{"application/pdf"}}})
	require.NoError(t, err)
	f, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: "a.pdf"})
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), strings.Replace(f.Key, ".pdf", ".png", 1), uploads.User{}))
	_, err = s.Records().Record(t.Context(), f.ID)
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), f.Key, uploads.User{}))

	require.Empty(t, listKeys(t, b))
}
