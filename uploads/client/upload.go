package client

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// Upload stores body as a client file with one request. If purpose is "", the file has no purpose.
// For files that are too large for one request, call [Client.UploadLarge]. If body is nil, Upload
// fails with storage.InvalidArgument.
func (c *Client) Upload(ctx context.Context, name string, body io.Reader, purpose string) (*filesapi.Record, error) {
	var fields []field
	if purpose != "" {
		fields = append(fields, field{"Purpose", purpose})
	}
	return c.upload(ctx, "files", name, body, fields)
}

// UploadTemp stores body as a temp file with one request.
func (c *Client) UploadTemp(ctx context.Context, name string, body io.Reader) (*filesapi.Record, error) {
	return c.upload(ctx, "temp-files", name, body, nil)
}

// upload sends a whole file and the fields in a form, and returns the record of the file.
func (c *Client) upload(
	ctx context.Context, path, name string, body io.Reader, fields []field,
) (*filesapi.Record, error) {
	r, err := formRequest(path, name, body, fields)
	if err != nil {
		return nil, err
	}
	return doJSON(ctx, c, r, isRecord)
}

// A Part describes one part of a file.
type Part struct {
	Token            string // name of the upload, which all parts of one file share
	Count            int    // the number of parts
	Part             int    // the number of this part, beginning with 1
	OriginalFileName string
	Purpose          string // purpose of a client file; "" means none
}

// UploadPart stores one part of a client file. If other parts are still missing, the returned
// record is nil.
func (c *Client) UploadPart(ctx context.Context, p Part, body io.Reader) (*filesapi.Record, error) {
	return c.uploadPart(ctx, "files/parts", p, body)
}

// UploadTempPart stores one part of a temp file. If other parts are still missing, the returned
// record is nil.
func (c *Client) UploadTempPart(ctx context.Context, p Part, body io.Reader) (*filesapi.Record, error) {
	return c.uploadPart(ctx, "temp-files/parts", p, body)
}

// uploadPart sends one part of a file. It returns the record of the file, or nil while other parts are
// missing.
func (c *Client) uploadPart(ctx context.Context, path string, p Part, body io.Reader) (*filesapi.Record, error) {
	fields := []field{
		{"originalFileName", p.OriginalFileName},
		{"token", p.Token},
		{"count", strconv.Itoa(p.Count)},
		{"part", strconv.Itoa(p.Part)},
	}
	if p.Purpose != "" {
		fields = append(fields, field{"Purpose", p.Purpose})
	}

	r, err := formRequest(path, p.OriginalFileName, body, fields)
	if err != nil {
		return nil, err
	}
	r.success = []int{http.StatusCreated, http.StatusAccepted}

	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusAccepted {
		// Other parts are missing, so the response has only the numbers of this part.
		type stored struct{ Part, Count int }
		isValid := func(s stored) bool { return s.Part == p.Part && s.Count == p.Count }
		_, err := readJSON(resp, isValid)
		return nil, err
	}
	return readJSON(resp, isRecord)
}

// A field is a field of a form, with a text.
type field struct{ name, value string }

// formRequest returns a request whose body is a form with these fields and, last, the file. It does not read
// the file; it is read while the request is sent.
func formRequest(path, name string, body io.Reader, fields []field) (request, error) {
	if body == nil {
		return request{}, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "client",
			Hint: "give a body that is not nil",
		}
	}

	// Write the form up to the content of the file. Writes to a bytes.Buffer never fail.
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	for _, f := range fields {
		_ = form.WriteField(f.name, f.value)
	}
	_, _ = form.CreateFormFile("file", name)
	headLength := frame.Len()

	// Close writes what follows the content.
	_ = form.Close()
	head := frame.Bytes()[:headLength]
	tail := frame.Bytes()[headLength:]

	r := request{
		method:  http.MethodPost,
		path:    path,
		length:  -1,
		success: []int{http.StatusCreated},
		header:  http.Header{"Content-Type": {form.FormDataContentType()}},
		body:    io.MultiReader(bytes.NewReader(head), body, bytes.NewReader(tail)),
	}
	if size, isKnown := bodyio.Length(body); isKnown {
		r.length = int64(frame.Len()) + size
	}
	return r, nil
}
