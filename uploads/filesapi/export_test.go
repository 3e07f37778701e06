package filesapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Store gives tests the operations of the handler as Go methods.
type Store struct{ handler *handler }

// A StoreConfig configures a Store. Its fields are settings of the service and of the handler.
type StoreConfig struct {
	MaxSize         int64
	Grace, PartsTTL time.Duration
	TempAge         time.Duration
	Inspect         func(ctx context.Context, r *Record, content *storage.ReaderAt) error
	Now             func() time.Time
}

// NewStore returns a store of files in the bucket. The methods of the store call the handler as a
// client would.
func NewStore(bucket storage.Bucket, records uploads.Records, c StoreConfig) (*Store, error) {
	if c.PartsTTL == 0 {
		c.PartsTTL = 24 * time.Hour
	}
	if c.TempAge == 0 {
		c.TempAge = 24 * time.Hour
	}

	config := uploads.Config{
		Rules:     rules.Any(c.MaxSize),
		Key:       "files/client/{id}{ext}",
		Prefix:    "files/parts/",
		Records:   records,
		Grace:     c.Grace,
		TTL:       c.PartsTTL,
		Unguarded: true,
		Now:       c.Now,
	}

	if c.Inspect != nil {
		config.Inspect = func(ctx context.Context, f *uploads.File, content *storage.ReaderAt) error {
			r := recordOf(f)
			r.CRC32C = content.Attrs().CRC32C
			err := c.Inspect(ctx, r, content)
			if refused, ok := errors.AsType[*uploads.Error](err); ok {
				return &uploads.Error{Field: refused.Field, Code: uploads.Refused, Message: refused.Message, Err: refused}
			}
			return err
		}
	}

	s, err := uploads.New(bucket, config)
	if err != nil {
		return nil, err
	}
	authorize := func(*http.Request) (uploads.User, error) { return uploads.User{}, nil }
	if _, err := New(s, Config{Authorize: authorize, TempAge: c.TempAge}); err != nil {
		return nil, err
	}
	return &Store{&handler{s, Config{TempAge: c.TempAge}}}, nil
}

// UploadOptions describe a file.
type UploadOptions struct{ OriginalFileName, UploadedBy, Purpose string }

// upload returns the Upload of a file with these options.
func (o UploadOptions) upload(body io.Reader) uploads.Upload {
	return uploads.Upload{
		Body:     body,
		Name:     o.OriginalFileName,
		User:     uploads.User{ID: o.UploadedBy},
		Metadata: map[string]string{purposeName: o.Purpose},
	}
}

// PartOptions describe one part of a file.
type PartOptions struct {
	Token       string
	Count, Part int
	UploadOptions
}

func (o PartOptions) piece(body io.Reader) uploads.Piece {
	u := o.upload(body)
	return uploads.Piece{Token: o.Token, Count: o.Count, Number: o.Part, Body: body, User: u.User, Name: u.Name, Metadata: u.Metadata}
}

// Upload stores a client file.
func (s *Store) Upload(ctx context.Context, body io.Reader, o UploadOptions) (*Record, error) {
	return s.handler.store(ctx, o.upload(body), false)
}

// UploadTemp stores a temp file.
func (s *Store) UploadTemp(ctx context.Context, body io.Reader, o UploadOptions) (*Record, error) {
	return s.handler.store(ctx, o.upload(body), true)
}

// UploadPart stores a part of a client file.
func (s *Store) UploadPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.handler.storePart(ctx, o.piece(body), false)
}

// UploadTempPart stores a part of a temp file.
func (s *Store) UploadTempPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.handler.storePart(ctx, o.piece(body), true)
}

// Details returns the record of a client file.
func (s *Store) Details(ctx context.Context, id string) (*Record, error) {
	return s.record(ctx, s.handler.details, id, nil)
}

// record calls an operation of the handler, and returns the record of its response.
func (s *Store) record(ctx context.Context, serve func(*call) error, id string, body []byte) (record *Record, err error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPut, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.SetPathValue("id", id)

	c := &call{Request: r, w: w}
	if err = s.handler.authorizeFile(c, id); err == nil {
		err = serve(c)
	}
	if err == nil {
		err = json.Unmarshal(w.Body.Bytes(), &record)
	}
	return record, err
}

// Download opens a client file.
func (s *Store) Download(ctx context.Context, id string, opts ...storage.DownloadOption) (*storage.Reader, *Record, error) {
	return s.download(ctx, id, false, opts)
}

// DownloadTemp opens a temp file.
func (s *Store) DownloadTemp(ctx context.Context, id string, opts ...storage.DownloadOption) (*storage.Reader, *Record, error) {
	return s.download(ctx, id, true, opts)
}

// download opens a file, and returns its record too.
func (s *Store) download(ctx context.Context, id string, temp bool, opts []storage.DownloadOption) (*storage.Reader, *Record, error) {
	downloader := &recordDownloader{http.Header{}, s.handler.service, temp}
	r, err := downloader.Download(ctx, id, opts...)
	if err != nil {
		return nil, nil, err
	}

	f, err := s.handler.service.Records().Record(ctx, id)
	return r, recordOf(f), err
}

// Delete removes the file of a client.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := validateID(id); err != nil {
		return err
	}
	return s.handler.remove(ctx, id)
}

// SetPurpose changes the purpose of the file with this ID, and returns its new record.
func (s *Store) SetPurpose(ctx context.Context, id, purpose string) (*Record, error) {
	body, err := json.Marshal(map[string]string{fieldPurpose: purpose})
	if err != nil {
		return nil, err
	}
	return s.record(ctx, s.handler.setPurpose, id, body)
}

// A Page is a page of List.
type Page struct {
	Records []*Record
	Token   string
}

// List returns a page.
func (s *Store) List(ctx context.Context, f uploads.Filter, token string, size int) (*Page, error) {
	p, err := s.handler.page(ctx, f, token, size)
	if err != nil {
		return nil, err
	}
	return &Page{p.Items, p.NextPageToken}, nil
}

// Sweep sweeps.
func (s *Store) Sweep(ctx context.Context, opts ...uploads.SweepOption) (*uploads.SweepReport, error) {
	report, err := s.handler.service.Sweep(ctx, opts...)
	return report, clientError(err)
}

// SetWait replaces the function with which a store waits for other calls. Tests then need no real
// time.
func (s *Store) SetWait(wait intake.WaitFunc) { intake.Of(s.handler.service).Wait = wait }

// SetPulse replaces the function that times the heartbeats of a call while it joins parts.
func (s *Store) SetPulse(wait intake.WaitFunc) { intake.Of(s.handler.service).Pulse = wait }

// A HandlerConfig is a Config whose users are strings.
type HandlerConfig struct {
	Authorize     func(*http.Request) (user string, err error)
	AuthorizeFile func(r *http.Request, user, id string) error
	MaxUploadSize int64
	MaxDelete     int
	OnError       func(*http.Request, error)
}

// Handler returns a handler of the service of s, or one without a service if s is nil.
func Handler(s *Store, c HandlerConfig) (http.Handler, error) {
	config := Config{MaxUploadSize: c.MaxUploadSize, MaxDelete: c.MaxDelete, OnError: c.OnError}
	if c.Authorize != nil {
		config.Authorize = func(r *http.Request) (uploads.User, error) {
			user, err := c.Authorize(r)
			return uploads.User{ID: user}, err
		}
	}
	if c.AuthorizeFile != nil {
		config.AuthorizeFile = func(r *http.Request, user uploads.User, id string) error { return c.AuthorizeFile(r, user.ID, id) }
	}

	if s == nil {
		return New(nil, config)
	}
	config.TempAge = s.handler.config.TempAge
	return New(s.handler.service, config)
}

// Routes returns the operations that require authorization: "GET /files/{id}".
func Routes(*Store) []string {
	var all []string
	for _, r := range (&handler{}).routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}
