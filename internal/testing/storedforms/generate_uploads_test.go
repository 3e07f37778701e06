package storedforms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// writtenUploads are unfinished uploads of package uploads. This file uses only names of the API that each version has.
var writtenUploads = map[string]func(t *testing.T) stored{
	"upload-tus": func(t *testing.T) stored {
		d := newParts("store")
		s := newService(t, d, uploads.Config{})
		address := createTus(t, s, 9, "")
		patchTus(t, s, address, 0, "text")
		return stored{"store": dump(t, d), "client": {{Key: "address", Body: address}}}
	},
	"upload-concat": func(t *testing.T) stored {
		d := newParts("store")
		s := newService(t, d, uploads.Config{})
		first := createTus(t, s, 4, "partial")
		second := createTus(t, s, 5, "partial")
		patchTus(t, s, first, 0, "text")
		patchTus(t, s, second, 0, " more")
		return stored{
			"store":  dump(t, d),
			"client": {{Key: "first", Body: first}, {Key: "second", Body: second}},
		}
	},
	"upload-parts": func(t *testing.T) stored {
		d := newParts("store")
		s := newService(t, d, uploads.Config{ProxyParts: true})
		a := request(t, s, "POST", "/s3/multipart", `{"filename":"k.txt","type":"text/plain","size":9}`, nil)
		var upload struct{ UploadID, Key string }
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &upload), a.Body.String())
		etag := putPart(t, s, upload.UploadID, 1, "text more")
		return stored{
			"store":  dump(t, d),
			"client": {{Key: "upload", Body: upload.UploadID}, {Key: "etag", Body: etag}},
		}
	},
	"upload-pieces": func(t *testing.T) stored {
		d := newParts("store")
		f, err := newService(t, d, uploads.Config{}).PutPiece(t.Context(), piece(1, "text"))
		require.NoError(t, err)
		require.Nil(t, f)
		return stored{"store": dump(t, d)}
	},
	"upload-stored": func(t *testing.T) stored { // the file is stored, and the application does not know it yet
		d := newParts("store")
		s := newService(t, d, uploads.Config{
			Stored: func(context.Context, *uploads.File) error { return storage.Unavailable },
		})
		address := createTus(t, s, 9, "")
		a := request(t, s, "PATCH", address, "text more", tusHeaders("Upload-Offset", "0"))
		require.GreaterOrEqual(t, a.Code, 500, a.Body.String())
		return stored{"store": dump(t, d), "client": {{Key: "address", Body: address}}}
	},
	"upload-ticket": func(t *testing.T) stored {
		d := newParts("store")
		s := newService(t, d, uploads.Config{})
		ticket, err := s.Sign(t.Context(), uploads.Request{
			Name: "k.txt",
			Type: "text/plain",
			Size: 9,
		}, uploads.User{ID: "user"})
		require.NoError(t, err)
		sendTicket(t, d, ticket)
		return stored{"store": dump(t, d), "client": {{Key: "token", Body: ticket.Token}}}
	},
}

// sendTicket stores the bytes of a ticket as a client does.
func sendTicket(t *testing.T, d driver.Driver, ticket *uploads.Ticket) {
	address, _, _ := strings.Cut(ticket.Put.URL, "?")
	put(t, d, strings.TrimPrefix(address, "http://store.invalid/"), "text more")
}

// newService returns a service of uploads over d, with a user, keys and a secret that are the same each time.
func newService(t *testing.T, d driver.Driver, c uploads.Config) *uploads.Service {
	c.Rules = rules.Any(1 << 30)
	c.Authorize = func(*http.Request) (uploads.User, error) { return uploads.User{ID: "user"}, nil }
	c.Key = "files/{user}/{random}{ext}"
	c.TokenKey = []byte(strings.Repeat("key ", 8))
	s, err := uploads.New(engine.New(d, storage.WithSigningBaseURL("http://store.invalid")), c)
	require.NoError(t, err)
	return s
}

// piece returns one of two pieces of a file.
func piece(number int, text string) uploads.Piece {
	return uploads.Piece{
		Token:  "token of the client",
		Count:  2,
		Number: number,
		Body:   strings.NewReader(text),
		User:   uploads.User{ID: "user"},
		Name:   "k.txt",
		Type:   "text/plain",
	}
}

// request makes a request to a service as a client.
func request(
	t *testing.T, s *uploads.Service, method, path, body string, header http.Header,
) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	if header == nil && body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// tusHeaders returns the headers of a tus request, with a further one unless its name is "".
func tusHeaders(name, value string) http.Header {
	h := http.Header{}
	h.Set("Tus-Resumable", "1.0.0")
	h.Set("Content-Type", "application/offset+octet-stream")
	if name != "" {
		h.Set(name, value)
	}
	return h
}

// createTus begins an upload, and returns its path.
func createTus(t *testing.T, s *uploads.Service, size int, concat string) string {
	h := tusHeaders("Upload-Length", strconv.Itoa(size))
	h.Del("Content-Type")
	h.Set("Upload-Metadata", "filename ay50eHQ=") // k.txt
	if concat != "" {
		h.Set("Upload-Concat", concat)
	}

	a := request(t, s, "POST", "/tus/", "", h)
	require.Equal(t, http.StatusCreated, a.Code, a.Body.String())
	address := a.Header().Get("Location")
	return "/tus/" + address[strings.LastIndex(address, "/")+1:]
}

func patchTus(t *testing.T, s *uploads.Service, address string, offset int, text string) {
	a := request(t, s, "PATCH", address, text, tusHeaders("Upload-Offset", strconv.Itoa(offset)))
	require.Equal(t, http.StatusNoContent, a.Code, a.Body.String())
	require.Equal(t, strconv.Itoa(offset+len(text)), a.Header().Get("Upload-Offset"))
}

// putPart sends a part of an upload of the S3 routes, and returns its ETag.
func putPart(t *testing.T, s *uploads.Service, upload string, number int, text string) string {
	a := request(t, s, "GET", fmt.Sprintf("/s3/multipart/%s/%d", upload, number), "", nil)
	var signedPart struct{ URL, Method string }
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &signedPart), a.Body.String())
	path := signedPart.URL[strings.Index(signedPart.URL, "/s3/"):]
	a = request(t, s, signedPart.Method, path, text, http.Header{})
	require.Less(t, a.Code, 300, a.Body.String())
	return a.Header().Get("ETag")
}

// newParts returns an empty store that keeps the parts of its uploads in objects, so that a dump of the store has the
// parts, too.
func newParts(name string) driver.Driver {
	return &partsStore{placedStore{memstore.NewDriver(memstore.Config{Bucket: name})}}
}

type partsStore struct{ placedStore }

func partKey(upload string, number int) string { return fmt.Sprintf(".parts/%s/%05d", upload, number) }

// BeginParts begins an upload with a number, and stores its key and properties as part 0.
func (d *partsStore) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	page, err := d.List(ctx, &driver.ListRequest{Prefix: ".parts/", Limit: 1000})
	if err != nil {
		return "", err
	}
	upload := fmt.Sprint("upload-", len(page.Entries)+1)
	_, err = d.Put(ctx, &driver.PutRequest{
		Key:        partKey(upload, 0),
		Body:       strings.NewReader(r.Key),
		Size:       int64(len(r.Key)),
		Properties: r.Properties,
	})
	return upload, err
}

// PutPart stores the part as an object.
func (d *partsStore) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return driver.Part{}, err
	}
	_, err = d.Put(ctx, &driver.PutRequest{
		Key:  partKey(r.Upload, r.Number),
		Body: bytes.NewReader(text),
		Size: int64(len(text)),
	})
	return driver.Part{
		Number: r.Number,
		Tag:    fmt.Sprint("tag-", r.Number),
		Size:   r.Size,
		CRC32C: r.CRC32C,
	}, err
}

// ListParts lists the objects of the parts. The first object has the key of the upload, and is no part.
func (d *partsStore) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	page := &driver.PartPage{}
	list, err := d.List(ctx, &driver.ListRequest{Prefix: ".parts/" + r.Upload + "/", Limit: 1000})
	if err != nil {
		return nil, err
	}
	if len(list.Entries) == 0 {
		return nil, storage.ObjectNotFound
	}
	for number, e := range list.Entries {
		if number > r.After {
			page.Parts = append(page.Parts, driver.Part{
				Number: number,
				Tag:    fmt.Sprint("tag-", number),
				Size:   e.Size,
			})
		}
	}
	return page, nil
}

// CompleteParts stores the bytes of all parts as the object, and removes the parts.
func (d *partsStore) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if r.Last != nil {
		last, err := d.PutPart(ctx, r.Last)
		if err != nil {
			return nil, err
		}
		r.Parts = append(r.Parts, last)
	}
	var data []byte
	for _, part := range r.Parts {
		attrs, body, err := d.Get(ctx, &driver.GetRequest{Key: partKey(r.Upload, part.Number), Length: -1})
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close()); err != nil {
			return nil, err
		}
		if int64(len(text)) != attrs.Size || part.Tag != fmt.Sprint("tag-", part.Number) {
			return nil, errors.New("another part")
		}
		data = append(data, text...)
	}
	request := *r.Put
	request.Body = bytes.NewReader(data)
	request.Size = int64(len(data))
	attrs, err := d.Put(ctx, &request)
	if err != nil {
		return nil, err
	}
	return attrs, d.AbortParts(ctx, r.Put.Key, r.Upload)
}

// AbortParts removes the objects of an upload.
func (d *partsStore) AbortParts(ctx context.Context, _, upload string) error {
	page, err := d.List(ctx, &driver.ListRequest{Prefix: ".parts/" + upload + "/", Limit: 1000})
	if err != nil {
		return err
	}
	for _, e := range page.Entries {
		if err := d.Delete(ctx, &driver.DeleteRequest{Key: e.Key}); err != nil {
			return err
		}
	}
	return nil
}
