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

// BeginParts begins an upload in parts, and returns the name that the store has given it.
// CompleteParts sends the properties and the condition later.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	var name string
	err := driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, request{method: http.MethodPost, key: r.Key, query: url.Values{"parts": {""}}})
		if err != nil {
			return err
		}
		name = response.Header.Get("Upload")
		if name == "" {
			err = &storage.Error{Code: storage.Internal, Err: errors.New("the response names no upload")}
		}
		return errors.Join(err, response.Body.Close())
	})
	return name, err
}

// PutPart stores a part. Several goroutines may call it at once.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	part := driver.Part{Number: r.Number, Size: r.Size, CRC32C: r.CRC32C}
	err := driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, request{
			method: http.MethodPut,
			key:    r.Key,
			body:   r.Body,
			size:   r.Size,
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

// CompleteParts joins the parts to an object. The request has the headers of a Put, and its body
// lists the parts.
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
		method: http.MethodPost,
		query:  url.Values{"upload": {r.Upload}},
		body:   bytes.NewReader(text),
		size:   int64(len(text)),
	})
}

// AbortParts removes an upload and its parts. If there is no such upload, it returns nil.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	return d.remove(ctx, request{key: key, query: url.Values{"upload": {upload}}})
}
