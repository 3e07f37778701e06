package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// Put makes one request with the attributes, the bytes and their CRC32C, which the server verifies
// before it stores the object. Put does not buffer the bytes.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	opts := newCallOptions(r.Native)
	attrs, err := d.account.attrsToSet(r.Key, &r.Properties, &r.Controls, opts)
	if err != nil {
		return nil, err
	}
	query := d.bucket.uploadQuery("multipart", attrs)
	if err := setCondition(query, r.Condition); err != nil {
		return nil, err
	}

	object := resourceOf(attrs)
	if r.CRC32C.Known {
		object.CRC32C = crc32c.Encode(r.CRC32C.Sum)
	}

	stored, err := d.bucket.put(withCallOptions(ctx, opts), &objectUpload{
		query:  query,
		object: object,
		body:   r.Body,
		size:   r.Size,
		key:    opts.key,
		token:  d.putToken(ctx, r),
	})
	if err != nil {
		return nil, d.bucket.lockError(ctx, err, r.Condition, &r.Controls)
	}
	return stored.attrs(), nil
}

// uploadQuery returns the query of an upload's URL. kind is "multipart" or "resumable". uploadPath adds the
// fields that the response must have.
func (b *bucket) uploadQuery(kind string, attrs *gcs.ObjectAttrs) url.Values {
	query := url.Values{
		"uploadType":  {kind},
		"prettyPrint": {"false"},
	}
	if attrs.PredefinedACL != "" {
		query.Set("predefinedAcl", attrs.PredefinedACL)
	}
	if attrs.KMSKeyName != "" {
		query.Set("kmsKeyName", attrs.KMSKeyName)
	}
	if b.account.userProject != "" {
		query.Set("userProject", b.account.userProject)
	}
	return query
}

// An objectUpload describes the upload of an object in one request.
type objectUpload struct {
	query  url.Values
	object *resource
	body   io.Reader
	size   int64
	key    *customerkey.Key
	token  string // idempotency token from changeToken, or ""
}

// put sends an object's resource and its bytes as a multipart/related body: head, bytes, tail.
func (b *bucket) put(ctx context.Context, u *objectUpload) (*resource, error) {
	boundary := randomName()
	head, tail, err := frame(boundary, u.object)
	if err != nil {
		return nil, err
	}
	size := int64(len(head)) + u.size + int64(len(tail))

	send := func(ctx context.Context) (*resource, error) {
		body := io.MultiReader(strings.NewReader(head), u.body, strings.NewReader(tail))
		req, err := b.account.request(ctx, http.MethodPost, b.uploadPath(u.query), body, size)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "multipart/related; boundary="+boundary)
		if u.token != "" {
			req.Header.Set(tokenHeader, u.token)
		}
		u.key.SetHeaders(req.Header, "X-Goog-")

		resp, err := b.account.send(req, http.StatusOK)
		if err != nil {
			return nil, err
		}
		return readWriteResponse(resp)
	}
	stored, err := write(ctx, send)
	if err != nil {
		return nil, listError(err)
	}
	return stored, nil
}

// frame returns the text of a multipart body before and after the bytes of the object. The first part of
// the body is the resource as JSON, and the second part has the bytes.
func frame(boundary string, object *resource) (head, tail string, err error) {
	document, err := json.Marshal(object)
	if err != nil {
		return "", "", argument.Invalid("attributes", "must be valid as JSON", "")
	}
	head = "--" + boundary + "\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" + string(document) +
		"\r\n--" + boundary + "\r\nContent-Type: " + object.partType() + "\r\n\r\n"
	return head, "\r\n--" + boundary + "--\r\n", nil
}

// partType returns the content type of the bytes in a multipart body. Google requires that it
// equals the content type of the resource.
func (o *resource) partType() string { return cmp.Or(o.ContentType, componentType) }

// readWriteResponse returns the resource in the response to a successful write. If the response
// cannot be read, the error is Unknown, because the write took effect but its result is missing.
func readWriteResponse(resp *http.Response) (*resource, error) {
	object, err := readResource(resp)
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		storageErr.Unknown = true
		return nil, storageErr
	}
	if err != nil {
		return nil, &storage.Error{
			Code:      storage.Unavailable,
			Status:    resp.StatusCode,
			Retryable: true,
			Unknown:   true,
			Err:       err,
		}
	}
	return object, nil
}

// randomName returns a name that nobody can guess. It also serves as a boundary that no body
// contains.
func randomName() string { return hexid.New(16) }
