package shelf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// BeginParts asks for the name of an upload. The store takes the properties and the condition at the
// end, in CompleteParts.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	var name string
	err := driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, request{method: http.MethodPost, key: r.Key, query: url.Values{"parts": {""}}})
		if err != nil {
			return err
		}
		if name = response.Header.Get("Upload"); name == "" {
			err = &storage.Error{Code: storage.Internal, Err: errors.New("the response names no upload")}
		}
		return errors.Join(err, response.Body.Close())
	})
	return name, err
}

// PutPart is called by several goroutines at once.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	part := driver.Part{Number: r.Number, Size: r.Size, CRC32C: r.CRC32C}
	err := driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, request{
			method: http.MethodPut, key: r.Key, body: r.Body, size: r.Size,
			query:  url.Values{"upload": {r.Upload}, "part": {strconv.Itoa(r.Number)}},
			header: http.Header{"Crc32c": {r.CRC32C.String()}},
		})
		if err != nil {
			return err
		}
		part.Tag = response.Header.Get("ETag")
		return response.Body.Close()
	})
	return part, err
}

// CompleteParts is a write like Put, whose body names the parts.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	type part struct {
		Number int    `json:"number"`
		ETag   string `json:"etag"`
	}
	parts := make([]part, 0, len(r.Parts))
	for _, p := range r.Parts {
		parts = append(parts, part{p.Number, p.Tag})
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
	return d.write(ctx, r.Put, request{
		method: http.MethodPost, query: url.Values{"upload": {r.Upload}},
		body: bytes.NewReader(text), size: int64(len(text)),
	})
}

// AbortParts succeeds if there is no such upload.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	return d.remove(ctx, request{key: key, query: url.Values{"upload": {upload}}})
}
