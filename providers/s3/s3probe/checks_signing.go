package s3probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

const signingTTL = 5 * time.Minute

// checkACL checks that an object with a public ACL, and only such an object, can be read without
// credentials. An ACL is an access control list.
func checkACL(ctx context.Context, p *probe) (Verdict, string) {
	r := p.newPut("public", "public", storage.Condition{})
	r.PublicRead = true

	if _, err := p.putRequest(ctx, r); err != nil {
		return inconclusive("a public object", err)
	}
	if _, err := p.put(ctx, "private", "private", storage.Condition{}); err != nil {
		return inconclusive("a private object", err)
	}

	// If everyone can read the private object, too, the ACL proves nothing.
	isPublic, err := p.isPublic(ctx, "private")
	if err != nil {
		return inconclusive("reading without credentials", err)
	}
	if isPublic {
		return Inconclusive, "the whole bucket is public"
	}

	// Everyone must be able to read the public object.
	isPublic, err = p.isPublic(ctx, "public")
	if err != nil {
		return inconclusive("reading without credentials", err)
	}
	if !isPublic {
		return Ignored, "the object was stored and is not public"
	}
	return Enforced, ""
}

// isPublic reports whether a GET without credentials can read the object.
func (p *probe) isPublic(ctx context.Context, key string) (bool, error) {
	u, err := p.s3.URL(ctx, p.prefix+key)
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, err
	}
	status, err := p.send(r)
	return status == http.StatusOK, err
}

// send sends a request without the driver, and returns the status of the response.
func (p *probe) send(r *http.Request) (status int, err error) {
	response, err := p.s3.HTTPClient().Do(r)
	// Leave out the URL, which may be signed, because reports are passed on to other people.
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return 0, failure.Err
	}
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()

	// Read a short body, so that the connection can be used again.
	const maxDiscarded = 1 << 16
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxDiscarded))
	return response.StatusCode, nil
}

// signedPut sends a signed upload, with the given headers in place of signed ones of the same
// names.
func (p *probe) signedPut(
	ctx context.Context, signedURL *storage.SignedURL, text string, header http.Header,
) (int, error) {
	r, err := signedURL.Request(ctx, strings.NewReader(text))
	if err != nil {
		return 0, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return p.send(r)
}

// signRequest returns a request to sign an upload of plain text. A size of -1 sets no limit.
func (p *probe) signRequest(key string) *driver.SignRequest {
	return &driver.SignRequest{
		Method:     http.MethodPut,
		Key:        p.prefix + key,
		TTL:        signingTTL,
		MinSize:    -1,
		MaxSize:    -1,
		Properties: storage.Properties{ContentType: "text/plain"},
	}
}

// expectRejected returns a step that expects the server to refuse a signed request. send returns the
// status of the response, and any status from 300 is a refusal.
func expectRejected(name string, send func() (int, error)) step {
	return func() (Verdict, string) {
		status, err := send()
		if err != nil {
			return inconclusive(name, err)
		}
		if status < http.StatusMultipleChoices {
			return Ignored, name + " was accepted"
		}
		return Enforced, ""
	}
}

// expectAccepted returns a step that expects the server to accept a signed request. send returns the
// status of the response, which must be below 300.
func expectAccepted(name string, send func() (int, error)) step {
	return func() (Verdict, string) {
		status, err := send()
		if err != nil {
			return inconclusive(name, err)
		}
		if status >= http.StatusMultipleChoices {
			return Inconclusive, fmt.Sprintf("%s got status %d", name, status)
		}
		return Enforced, ""
	}
}

// checkSignedType checks that an upload by a signed URL must have the content type that was signed.
func checkSignedType(ctx context.Context, p *probe) (Verdict, string) {
	signedURL, err := p.driver.Sign(ctx, p.signRequest("signed-type"))
	if err != nil {
		return inconclusive("signing", err)
	}

	put := func(header http.Header) (status int, err error) {
		return p.signedPut(ctx, signedURL, "text", header)
	}
	html := http.Header{"Content-Type": {"text/html"}}
	return runSteps(
		expectRejected("another content type", func() (int, error) { return put(html) }),
		p.expectNoObject(ctx, "signed-type"),
		expectAccepted("the signed content type", func() (int, error) { return put(nil) }),
		p.expectObject(ctx, "signed-type", "text"),
	)
}

// checkSignedSize checks that an upload by a signed URL with a size must have that size.
func checkSignedSize(ctx context.Context, p *probe) (Verdict, string) {
	r := p.signRequest("signed-size")
	const text = "text"
	r.MinSize = int64(len(text))
	r.MaxSize = int64(len(text))
	signedURL, err := p.driver.Sign(ctx, r)
	if err != nil {
		return inconclusive("signing", err)
	}
	put := func(body string) (status int, err error) { return p.signedPut(ctx, signedURL, body, nil) }
	return runSteps(
		expectRejected("a longer body", func() (int, error) { return put("longer") }),
		expectRejected("a shorter body", func() (int, error) { return put("a") }),
		p.expectNoObject(ctx, "signed-size"),
		expectAccepted("a body of the signed size", func() (int, error) { return put(text) }),
		p.expectObject(ctx, "signed-size", text),
	)
}

// checkSignedCreate checks that an upload by a signed URL with the condition Absent replaces nothing.
func checkSignedCreate(ctx context.Context, p *probe) (Verdict, string) {
	r := p.signRequest("signed-create")
	r.Condition.Absent = true
	signedURL, err := p.driver.Sign(ctx, r)
	if err != nil {
		return inconclusive("signing", err)
	}

	put := func(body string) (status int, err error) { return p.signedPut(ctx, signedURL, body, nil) }
	return runSteps(
		expectAccepted("the first upload", func() (int, error) { return put("old") }),
		expectRejected("the second upload", func() (int, error) { return put("new") }),
		p.expectObject(ctx, "signed-create", "old"),
	)
}

// checkForms checks that a signed form limits the size of the file, here to two to five bytes, and
// its content type.
func checkForms(ctx context.Context, p *probe) (Verdict, string) {
	r := p.signRequest("form")
	r.Method = http.MethodPost
	r.MinSize = 2
	r.MaxSize = 5
	form, err := p.driver.SignForm(ctx, r)
	if err != nil {
		return inconclusive("signing", err)
	}
	post := func(text, contentType string) func() (status int, err error) {
		return func() (int, error) { return p.post(ctx, form, text, contentType) }
	}
	return runSteps(
		expectRejected("a longer file", post("longer", "text/plain")),
		expectRejected("a shorter file", post("a", "text/plain")),
		expectRejected("another content type", post("text", "text/html")),
		p.expectNoObject(ctx, "form"),
		expectAccepted("a file that fits the form", post("text", "text/plain")),
		p.expectObject(ctx, "form", "text"),
	)
}

// post submits a form as a browser does, with the file after the other fields.
func (p *probe) post(ctx context.Context, form *storage.SignedForm, text, contentType string) (int, error) {
	var body bytes.Buffer
	// Errors are ignored, because writes to memory never fail.
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		if name == "Content-Type" {
			value = contentType
		}
		_ = w.WriteField(name, value)
	}
	file, _ := w.CreateFormFile("file", "file.txt")
	_, _ = io.WriteString(file, text)
	_ = w.Close()

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, form.URL, &body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return p.send(r)
}
