package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// A recordedWay is a way to send the file a.pdf of the user eva to a service.
type recordedWay struct {
	name string
	// drops is true if the service removes a file that Stored refuses. Otherwise it keeps the file, and calls Stored
	// again.
	drops bool
	// send reports whether the service accepted the file.
	send func(t *testing.T, s *uploads.Service) (accepted bool)
}

var recordedWays = []recordedWay{
	{name: "Store", drops: true, send: sendPDFToStore},
	{name: "a form", drops: true, send: sendPDFByForm},
	{name: "tus", send: sendPDFByTus},
	{name: "pieces", send: sendPDFAsPiece},
}

// sendPDFToStore passes a.pdf to Service.Store.
func sendPDFToStore(t *testing.T, s *uploads.Service) bool {
	_, err := s.Store(t.Context(), uploads.Upload{
		Body: strings.NewReader(pdf),
		Name: "a.pdf",
		User: uploads.User{ID: "eva"},
	})
	return err == nil
}

func sendPDFByForm(t *testing.T, s *uploads.Service) bool { return sendForm(t, s, "file") < 400 }

// sendPDFByTus sends a.pdf by tus, in one PATCH request.
func sendPDFByTus(t *testing.T, s *uploads.Service) bool {
	created := request(s, "POST", "/tus/", "",
		"Tus-Resumable", "1.0.0",
		"Upload-Length", strconv.Itoa(len(pdf)),
		"Upload-Metadata", filenameMetadata("a.pdf"))
	require.Equal(t, http.StatusCreated, created.Code, created.Body)
	patched := request(s, "PATCH", created.Header().Get("Location"), pdf,
		"Tus-Resumable", "1.0.0",
		"Upload-Offset", "0",
		"Content-Type", "application/offset+octet-stream")
	return patched.Code < 400
}

// sendPDFAsPiece sends a.pdf as the only piece of a file.
func sendPDFAsPiece(t *testing.T, s *uploads.Service) bool {
	_, err := s.PutPiece(t.Context(), uploads.Piece{
		Token:  "token",
		Count:  1,
		Number: 1,
		Body:   strings.NewReader(pdf),
		Name:   "a.pdf",
		User:   uploads.User{ID: "eva"},
	})
	return err == nil
}

// request makes a request to the handler. header has names and values.
func request(s *uploads.Service, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// runOnEachRecordedWay runs a test with rules that look at the content, and with those that do not.
func runOnEachRecordedWay(
	t *testing.T,
	c uploads.Config,
	test func(t *testing.T, s *uploads.Service, bucket storage.Bucket, way recordedWay),
) {
	c.Authorize = func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil }
	for name, r := range map[string]rules.Rules{
		"judged": {Types: []string{"application/pdf"}},
		"any":    rules.Any(1 << 20),
	} {
		for _, way := range recordedWays {
			t.Run(way.name+", "+name, func(t *testing.T) {
				bucket := memstore.New()
				c.Rules = r
				c.Records = uploads.BucketRecords(bucket)
				s, err := uploads.New(bucket, c)
				require.NoError(t, err)
				test(t, s, bucket, way)
			})
		}
	}
}

// Whichever way a file was uploaded, it has a record. Sweep keeps the record, and Delete removes it together with the
// bytes.
func TestRecordsHoldEachWay(t *testing.T) {
	var stored *uploads.File
	config := uploads.Config{Stored: func(_ context.Context, f *uploads.File) error {
		stored = f
		return nil
	}}
	runOnEachRecordedWay(t, config, func(t *testing.T, s *uploads.Service, bucket storage.Bucket, way recordedWay) {
		require.True(t, way.send(t, s))

		// The record describes the file that Stored got.
		files, next, err := s.Records().List(t.Context(), uploads.Filter{User: "eva"}, "", 10)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, files, 1)
		f := files[0]
		require.Equal(t, stored.ID, f.ID)
		require.Equal(t, "a.pdf", f.Name)
		require.EqualValues(t, len(pdf), f.Size)
		require.NotEmpty(t, f.ContentType)

		// The object has its bytes.
		text, _, err := storage.ReadAll(t.Context(), bucket, f.Key)
		require.NoError(t, err)
		require.Equal(t, pdf, string(text))

		// Sweep keeps the file.
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, &uploads.SweepReport{}, report)

		// Delete removes the record and the bytes.
		require.NoError(t, s.Delete(t.Context(), f.Key, uploads.User{ID: "eva"}))
		_, err = s.Records().Record(t.Context(), f.ID)
		require.ErrorIs(t, err, storage.ObjectNotFound)
		_, err = bucket.Attrs(t.Context(), f.Key)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})
}

// If Config.Stored refuses a file of Store or of a form, neither its record nor its bytes stay. A file by tus or in
// pieces keeps its record, because the client may try again.
func TestRecordsOfFileThatStoredRefuses(t *testing.T) {
	config := uploads.Config{Stored: func(context.Context, *uploads.File) error { return storage.PermissionDenied }}
	runOnEachRecordedWay(t, config, func(t *testing.T, s *uploads.Service, bucket storage.Bucket, way recordedWay) {
		require.False(t, way.send(t, s))
		ids, _, err := s.Records().IDs(t.Context(), "", 10)
		require.NoError(t, err)
		if way.drops {
			require.Empty(t, ids)
			require.Empty(t, keysUnder(t, bucket, ""))
		} else {
			require.NotEmpty(t, ids)
		}
	})
}

// New refuses Records with a Config.Key whose keys do not sort like their IDs.
func TestRecordsNeedOrderedKeys(t *testing.T) {
	bucket := memstore.New()
	for _, key := range []string{uploads.DefaultKey, "users/{user}/{id}{ext}", "files/{yyyy}/{id}"} {
		_, err := uploads.New(bucket, uploads.Config{Key: key, Records: uploads.BucketRecords(bucket)})
		require.ErrorIs(t, err, storage.InvalidArgument, key)
	}
}

// Store refuses a Target with a Lifetime if Config.Records is not set.
func TestLifetimeNeedsRecords(t *testing.T) {
	s, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(0)})
	require.NoError(t, err)
	_, err = s.Store(t.Context(), uploads.Upload{
		Body:   strings.NewReader("x"),
		Name:   "a",
		Target: &uploads.Target{Lifetime: time.Hour},
	})
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
}

// With Config.Records, Begin must not return a Target, because the records know only keys of Config.Key.
func TestBeginTargetWithRecords(t *testing.T) {
	bucket := memstore.New()
	var handlerErr error
	s, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(bucket),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: "mine"}, nil
		},
		OnError: func(_ *http.Request, err error) {
			handlerErr = err
		},
	})
	require.NoError(t, err)

	w := request(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "3")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.ErrorContains(t, handlerErr, "Config.Begin")
}

// sendForm sends a.pdf in a field of a form, and returns the status of the response.
func sendForm(t *testing.T, s *uploads.Service, field string) int {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile(field, "a.pdf")
	require.NoError(t, err)
	_, err = io.WriteString(part, pdf)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return request(s, "POST", "/", form.String(), "Content-Type", w.FormDataContentType()).Code
}

// lostCreate creates records, loses the answer, and cannot be asked for them.
type lostCreate struct {
	uploads.Records
	lost bool
}

// Create creates a record. If r.lost is set, it then fails as if the response was lost.
func (r *lostCreate) Create(ctx context.Context, f *uploads.File) error {
	if err := r.Records.Create(ctx, f); err != nil || !r.lost {
		return err
	}
	return &storage.Error{Code: storage.Unavailable, Unknown: true}
}

// Record fails if r.lost is set.
func (r *lostCreate) Record(ctx context.Context, id string) (*uploads.File, error) {
	if r.lost {
		return nil, &storage.Error{Code: storage.Unavailable}
	}
	return r.Records.Record(ctx, id)
}

// A form leaves no record without bytes, even if the response to the creation of the record is lost.
func TestRecordsOfFormHaveBytes(t *testing.T) {
	// The records are created, but the response to each creation is lost.
	bucket := memstore.New()
	records := &lostCreate{Records: uploads.BucketRecords(bucket), lost: true}
	s, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(1 << 20),
		Records:   records,
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	require.NoError(t, err)

	require.Equal(t, http.StatusServiceUnavailable, sendForm(t, s, "file"))

	// From now on, the records can be read. Each of them has its bytes.
	records.lost = false
	ids, _, err := records.IDs(t.Context(), "", 10)
	require.NoError(t, err)
	require.NotEmpty(t, ids)
	for _, id := range ids {
		f, err := records.Record(t.Context(), id)
		require.NoError(t, err)
		exists, err := bucket.Exists(t.Context(), f.Key)
		require.NoError(t, err)
		require.True(t, exists, "the record has no bytes")
	}
}

// failedCreate cannot create a record.
type failedCreate struct {
	uploads.Records
	failed bool
}

// Create fails if r.failed is set.
func (r *failedCreate) Create(ctx context.Context, f *uploads.File) error {
	if r.failed {
		return storage.Unavailable
	}
	return r.Records.Create(ctx, f)
}

// A repeated Finish fails while the records or Stored fail, but the file stays, and the next Finish returns it.
func TestFinishAgainKeepsFile(t *testing.T) {
	user := uploads.User{ID: "eva"}
	bucket := memstore.New(storage.WithSigningBaseURL("http://files.example"))
	records := &failedCreate{Records: uploads.BucketRecords(bucket)}
	var storedErr error
	s, err := uploads.New(bucket, uploads.Config{
		Rules:   rules.Rules{Types: []string{"application/pdf"}},
		Records: records,
		Stored:  func(context.Context, *uploads.File) error { return storedErr },
	})
	require.NoError(t, err)

	// A file is sent and finished.
	ticket, err := s.Sign(t.Context(), uploads.Request{Name: "a.pdf", Size: int64(len(pdf))}, user)
	require.NoError(t, err)
	contentType := storage.WithContentType("application/octet-stream")
	_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader(pdf), contentType)
	require.NoError(t, err)
	file, err := s.Finish(t.Context(), ticket.Token, user)
	require.NoError(t, err)

	tests := []struct {
		name        string
		recordsFail bool
		storedErr   error // error of Config.Stored
	}{
		{name: "the records are down", recordsFail: true},
		{name: "the application is down", storedErr: errors.New("down")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			records.failed = tt.recordsFail
			storedErr = tt.storedErr

			// A second Finish fails.
			_, err := s.Finish(t.Context(), ticket.Token, user)
			require.Error(t, err)

			// The records and the application work again.
			records.failed = false
			storedErr = nil
			repeated, err := s.Finish(t.Context(), ticket.Token, user)
			require.NoError(t, err)
			require.Equal(t, file.ID, repeated.ID)

			// The file can still be read.
			r, _, err := s.Download(t.Context(), file.ID)
			require.NoError(t, err)
			require.NoError(t, r.Close())
		})
	}
}

// Sweep looks for the bytes of a file under Config.Key. If Config.Key was changed, the records of older files seem to
// have no bytes. Sweep keeps these files, and its error names Config.Key.
func TestSweepKeepsFilesOfOtherKey(t *testing.T) {
	const files = 11 // one more than Sweep removes without WithoutOrphanLimit
	bucket := memstore.New()
	newServiceWithKey := func(key string) *uploads.Service {
		return newService(t, bucket, uploads.Config{
			Rules:   rules.Any(0),
			Records: uploads.BucketRecords(bucket),
			Key:     key,
		})
	}
	store := func(s *uploads.Service) {
		for range files {
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: "a.pdf"})
			require.NoError(t, err)
		}
	}

	// Store files with the first key, under which Sweep finds their bytes.
	before := newServiceWithKey("files/content/{id}{ext}")
	store(before)
	report, err := before.Sweep(t.Context(), uploads.WithoutOrphanLimit())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{}, report)

	// Store as many files with another key. The records of the first ones then seem to have no bytes.
	after := newServiceWithKey("media/{id}{ext}")
	store(after)
	_, err = after.Sweep(t.Context())
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.ErrorContains(t, err, "Config.Key")

	// Even without its limit for orphans, Sweep removes no files.
	report, err = after.Sweep(t.Context(), uploads.WithoutOrphanLimit())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{}, report)

	// The files of both services have their bytes and their records.
	const filesOfBoth = 2 * files
	const objectsOfFile = 2
	require.Len(t, listPublished(t, bucket), filesOfBoth*objectsOfFile)
}

// If the record of a tus upload cannot be created, Sweep keeps the stored bytes until the upload expires, even longer
// than Config.Grace. The client can then complete the upload.
func TestSweepKeepsStoredBytesWithoutRecord(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clock}))
	records := &failedCreate{Records: uploads.BucketRecords(bucket), failed: true}
	s, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(1 << 20),
		Records:   records,
		Now:       clock,
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	require.NoError(t, err)

	// Begin an upload.
	w := request(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(pdf)))
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	location := w.Header().Get("Location")
	patch := func(offset, body string) *httptest.ResponseRecorder {
		return request(s, "PATCH", location, body,
			"Tus-Resumable", "1.0.0",
			"Content-Type", "application/offset+octet-stream",
			"Upload-Offset", offset)
	}

	// All bytes arrive, but the record cannot be created.
	require.Equal(t, http.StatusServiceUnavailable, patch("0", pdf).Code)

	// Sweep removes nothing, although the bytes are older than Config.Grace.
	const longerThanGrace = 25 * time.Hour
	now = now.Add(longerThanGrace)
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)

	// The records work again. The client asks for the offset, and sends an empty PATCH, which creates the record.
	records.failed = false
	w = request(s, "HEAD", location, "", "Tus-Resumable", "1.0.0")
	w = patch(w.Header().Get("Upload-Offset"), "")
	require.Equal(t, http.StatusNoContent, w.Code, w.Body)
	files, _, err := records.List(t.Context(), uploads.Filter{}, "", 10)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

// Store and PutPiece fail with TooLarge, and the reason of the store, if the store refuses a file as too large.
func TestStoreTooLargeForBucket(t *testing.T) {
	// The store refuses every object as too large.
	refusePuts := driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Put" {
				return &storage.Error{Code: storage.TooLarge, Err: errors.New("5 GiB at most")}
			}
			return next(ctx)
		})
	})
	s, err := uploads.New(memstore.New(refusePuts), uploads.Config{
		Rules:   rules.Any(0),
		Records: uploads.BucketRecords(memstore.New()),
		States:  uploads.BucketStates(memstore.New()),
	})
	require.NoError(t, err)

	requireTooLarge := func(method string, err error) {
		uploadErr, ok := errors.AsType[*uploads.Error](err)
		require.True(t, ok, method)
		require.Equal(t, uploads.TooLarge, uploadErr.Code, method)
		require.Equal(t, http.StatusRequestEntityTooLarge, uploadErr.HTTPStatus(), method)
		require.ErrorContains(t, err, "5 GiB", method)
	}

	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("x"), Name: "a"})
	requireTooLarge("Store", err)
	_, err = s.PutPiece(t.Context(), piece(1).of(1, "x"))
	requireTooLarge("PutPiece", err)
}

// A sweepingDriver runs a Sweep before it stores a record.
type sweepingDriver struct {
	driver.Driver
	sweep func()
}

// Put calls d.sweep before it stores a record.
func (d *sweepingDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if strings.HasPrefix(r.Key, "files/records/") && d.sweep != nil {
		d.sweep()
	}
	return d.Driver.Put(ctx, r)
}

// A slowEnd is an empty body. It calls the function before it ends.
type slowEnd func()

func (pass slowEnd) Read([]byte) (int, error) {
	pass()
	return 0, io.EOF
}

// If the lifetime of a file ends while Store still reads it, a Sweep may remove its bytes before its record is stored.
// Store then fails and leaves nothing.
func TestStoreOfExpiringFileHasNoRecord(t *testing.T) {
	const lifetime = time.Hour
	now := time.Now()
	clock := func() time.Time { return now }
	drv := &sweepingDriver{Driver: memstore.NewDriver(memstore.Config{Now: clock})}
	bucket := engine.New(drv)
	s, err := uploads.New(bucket, uploads.Config{
		Rules:   rules.Any(0),
		Records: uploads.BucketRecords(bucket),
		Now:     clock,
	})
	require.NoError(t, err)

	// A Sweep runs just before the store writes the record, and removes the file.
	drv.sweep = func() {
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, report.Expired)
	}

	// When the body ends, the lifetime of the file has passed.
	passLifetime := slowEnd(func() {
		now = now.Add(2 * lifetime)
	})

	// Store fails, and leaves nothing.
	_, err = s.Store(t.Context(), uploads.Upload{
		Body:   io.MultiReader(strings.NewReader("x"), passLifetime),
		Name:   "a",
		Target: &uploads.Target{Lifetime: lifetime},
	})
	require.ErrorIs(t, err, storage.Unavailable)
	require.Empty(t, keysUnder(t, bucket, ""))
}

// An upload fails if Begin returns a Target with a Lifetime, and Config.Records is not set.
func TestLifetimeOfBeginTargetNeedsRecords(t *testing.T) {
	var handlerErr error
	s, err := uploads.New(memstore.New(), uploads.Config{
		Rules:     rules.Any(0),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: "mine", Lifetime: time.Hour}, nil
		},
		OnError: func(_ *http.Request, err error) {
			handlerErr = err
		},
	})
	require.NoError(t, err)

	w := request(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "3")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.ErrorContains(t, handlerErr, "Lifetime")
}

// New refuses a Config.Key whose keys would be under the prefix of the records.
func TestNewRefusesKeyWhereRecordsAre(t *testing.T) {
	bucket := memstore.New()
	for _, key := range []string{"files/records/{id}{ext}", "files/expiry/{id}"} {
		_, err := uploads.New(bucket, uploads.Config{Key: key, Records: uploads.BucketRecords(bucket)})
		require.ErrorIs(t, err, storage.InvalidArgument, key)
	}
}

// Delete changes nothing if no file is stored at the key, even if the key contains the ID of a stored file.
func TestDeleteOfUnknownKey(t *testing.T) {
	bucket := memstore.New()
	s, err := uploads.New(bucket, uploads.Config{
		Records: uploads.BucketRecords(bucket),
		Rules:   rules.Rules{Types: []string{"application/pdf"}},
	})
	require.NoError(t, err)
	f, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: "a.pdf"})
	require.NoError(t, err)

	// A key with the ID of the file and another extension is unknown.
	unknown := strings.Replace(f.Key, ".pdf", ".png", 1)
	require.NoError(t, s.Delete(t.Context(), unknown, uploads.User{}))
	_, err = s.Records().Record(t.Context(), f.ID)
	require.NoError(t, err)

	// The key of the file is removed.
	require.NoError(t, s.Delete(t.Context(), f.Key, uploads.User{}))
	require.Empty(t, listKeys(t, bucket))
}
