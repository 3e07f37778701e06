package s3

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
)

const probeTTL = 5 * time.Minute

// checkACL writes a public object and one that is not, and reads both without
// credentials.
func checkACL(ctx context.Context, p *probe) (Verdict, string) {
	r := p.request("public", "public", storage.Condition{})
	r.PublicRead = true
	return inTurn(
		must("a public object", func() error { _, err := p.putRequest(ctx, r); return err }),
		must("a private object", func() error { _, err := p.put(ctx, "private", "private", storage.Condition{}); return err }),
		func() (Verdict, string) {
			open, err := p.anyoneReads(ctx, "private")
			switch {
			case err != nil:
				return unclear("reading without credentials", err)
			case open:
				return Unclear, "the whole bucket is public: one object cannot be told from another"
			}
			if open, err = p.anyoneReads(ctx, "public"); err != nil {
				return unclear("reading without credentials", err)
			} else if !open {
				return Ignored, "the object was stored, and is not public"
			}
			return Enforced, ""
		},
	)
}

func (p *probe) anyoneReads(ctx context.Context, key string) (bool, error) {
	bucket, err := p.bucketAddress(ctx, "")
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, keyAddress(bucket, p.prefix+key).String(), nil)
	if err != nil {
		return false, err
	}
	status, err := p.send(r)
	return status == http.StatusOK, err
}

// send makes a request of somebody who is not this driver. Its error does not
// name the address, which is signed: a report is shown around.
func (p *probe) send(r *http.Request) (status int, err error) {
	answer, err := p.client.Do(r)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err
		}
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	return answer.StatusCode, nil
}

// signedPut uses what Sign returned, with the body and the header that change
// says.
func (p *probe) signedPut(ctx context.Context, signed *storage.SignedURL, text string, change http.Header) (int, error) {
	r, err := signed.Request(ctx, strings.NewReader(text))
	if err != nil {
		return 0, err
	}
	for name, values := range change {
		r.Header[name] = values
	}
	return p.send(r)
}

func (p *probe) signing(key string) *storage.SignRequest {
	return &storage.SignRequest{
		Method: http.MethodPut, Key: p.prefix + key, TTL: probeTTL, MinSize: -1, MaxSize: -1,
		Properties: storage.Properties{ContentType: "text/plain"},
	}
}

// turnedAway is a step: a signed request that must be refused.
func turnedAway(name string, send func() (int, error)) step {
	return func() (Verdict, string) {
		switch status, err := send(); {
		case err != nil:
			return unclear(name, err)
		case status < 300:
			return Ignored, name + " was accepted"
		}
		return Enforced, ""
	}
}

// letIn is a step: a signed request that must be accepted.
func letIn(name string, send func() (int, error)) step {
	return func() (Verdict, string) {
		switch status, err := send(); {
		case err != nil:
			return unclear(name, err)
		case status >= 300:
			return Unclear, fmt.Sprintf("%s was answered %d", name, status)
		}
		return Enforced, ""
	}
}

func checkSignedType(ctx context.Context, p *probe) (Verdict, string) {
	signed, err := p.driver.Sign(ctx, p.signing("signed-type"))
	if err != nil {
		return unclear("signing", err)
	}
	return inTurn(
		turnedAway("another content type", func() (int, error) {
			return p.signedPut(ctx, signed, "text", http.Header{"Content-Type": {"text/html"}})
		}),
		p.lacks(ctx, "signed-type"),
		letIn("the signed content type", func() (int, error) { return p.signedPut(ctx, signed, "text", nil) }),
		p.holds(ctx, "signed-type", "text"),
	)
}

func checkSignedSize(ctx context.Context, p *probe) (Verdict, string) {
	r := p.signing("signed-size")
	r.MinSize, r.MaxSize = 4, 4
	signed, err := p.driver.Sign(ctx, r)
	if err != nil {
		return unclear("signing", err)
	}
	return inTurn(
		turnedAway("a longer body", func() (int, error) { return p.signedPut(ctx, signed, "longer", nil) }),
		turnedAway("a shorter body", func() (int, error) { return p.signedPut(ctx, signed, "a", nil) }),
		p.lacks(ctx, "signed-size"),
		letIn("a body of the signed size", func() (int, error) { return p.signedPut(ctx, signed, "text", nil) }),
		p.holds(ctx, "signed-size", "text"),
	)
}

func checkSignedCreate(ctx context.Context, p *probe) (Verdict, string) {
	r := p.signing("signed-create")
	r.Condition.Absent = true
	signed, err := p.driver.Sign(ctx, r)
	if err != nil {
		return unclear("signing", err)
	}
	return inTurn(
		letIn("the first upload", func() (int, error) { return p.signedPut(ctx, signed, "old", nil) }),
		turnedAway("the second upload", func() (int, error) { return p.signedPut(ctx, signed, "new", nil) }),
		p.holds(ctx, "signed-create", "old"),
	)
}

func checkForms(ctx context.Context, p *probe) (Verdict, string) {
	r := p.signing("form")
	r.Method, r.MinSize, r.MaxSize = http.MethodPost, 2, 5
	form, err := p.driver.SignForm(ctx, r)
	if err != nil {
		return unclear("signing", err)
	}
	post := func(text, kind string) func() (int, error) {
		return func() (int, error) { return p.post(ctx, form, text, kind) }
	}
	return inTurn(
		turnedAway("a longer file", post("longer", "text/plain")),
		turnedAway("a shorter file", post("a", "text/plain")),
		turnedAway("another content type", post("text", "text/html")),
		p.lacks(ctx, "form"),
		letIn("what the form says", post("text", "text/plain")),
		p.holds(ctx, "form", "text"),
	)
}

// post submits a form as a browser does: its fields first, the file last.
func (p *probe) post(ctx context.Context, form *storage.UploadForm, text, kind string) (int, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		if name == "Content-Type" {
			value = kind
		}
		if err := w.WriteField(name, value); err != nil {
			return 0, err
		}
	}
	file, err := w.CreateFormFile("file", "file.txt")
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(file, text); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, form.URL, &body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return p.send(r)
}
