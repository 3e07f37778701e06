package main

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
)

// probeSignedForms tests whether the server enforces the policy of a form: it sends a body that fits, and
// one that is too long.
func probeSignedForms(ctx context.Context, p *probe) (string, error) {
	_, client, err := bucketWithClient[*awss3.Client](ctx, p)
	if err != nil {
		return "", err
	}

	form, err := awss3.NewPresignClient(client).PresignPostObject(
		ctx, &awss3.PutObjectInput{Bucket: aws.String(p.name()), Key: aws.String("a")},
		func(o *awss3.PresignPostOptions) {
			// The policy permits bodies from 1 byte to the length of "fits".
			o.Conditions = []any{[]any{"content-length-range", 1, len("fits")}}
		},
	)
	if err != nil {
		return "", err
	}

	status, err := p.postForm(ctx, form.URL, form.Values, "fits")
	if err != nil {
		return "", err
	}
	longStatus, err := p.postForm(ctx, form.URL, form.Values, "is too long")
	if err != nil {
		return "", err
	}
	p.setDetail("status %d, and %d for a body that is too long", status, longStatus)

	// The first body fits the policy, so the server must not refuse it.
	if status >= http.StatusMultipleChoices {
		return "refused", nil
	}
	if longStatus < http.StatusMultipleChoices {
		return "ignored", nil
	}
	return "enforced", nil
}

// postForm sends a form with a file, as a browser does, and returns the status of the response.
func (p *probe) postForm(ctx context.Context, address string, fields map[string]string, text string) (int, error) {
	// A write to a bytes.Buffer does not fail.
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fields {
		_ = w.WriteField(name, value)
	}
	file, _ := w.CreateFormFile("file", "a")
	_, _ = io.WriteString(file, text)
	_ = w.Close()

	header := http.Header{"Content-Type": {w.FormDataContentType()}}
	status, _, err := p.get(ctx, http.MethodPost, address, header, body.String())
	return status, err
}

// probeFormDollar tests whether the server reads an escaped dollar sign in the policy of a form.
func probeFormDollar(ctx context.Context, p *probe) (string, error) {
	b, err := p.newBucket(ctx)
	if err != nil {
		return "", err
	}

	const key = "a$b"
	form, err := storage.SignedUploadForm(ctx, b, key, 1, 10)
	if storage.CodeOf(err) == storage.Unsupported {
		return "", notApplicable("the profile declares no forms")
	}
	if err != nil {
		return "", err
	}

	status, err := p.postForm(ctx, form.URL, form.Fields, "text")
	if err != nil {
		return "", err
	}
	p.setDetail("status %d", status)

	// If the server misreads the policy, it refuses the form, and the object does not exist.
	exists, err := b.Exists(ctx, key)
	if err != nil {
		return "", err
	}
	if exists {
		return "yes", nil
	}
	return "no", nil
}
