package request

import (
	"regexp"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// ApplyBeforeAuth applies those effects of the fault that come before the check of the signature.
func (r *Request) ApplyBeforeAuth() error {
	f := r.Fault
	if f.Latency > 0 {
		r.wait(f.Latency)
	}
	if f.Bandwidth > 0 {
		r.HTTP.Body = &slowBody{ReadCloser: r.HTTP.Body, request: r, bandwidth: f.Bandwidth}
	}
	if f.DropConnection {
		cutConnection()
	}
	if f.Redirect != "" {
		return s3error.New(
			"PermanentRedirect",
			"Endpoint", r.Target.Bucket+".s3."+f.Redirect+".amazonaws.com",
			"Bucket", r.Target.Bucket,
		).WithHeader("X-Amz-Bucket-Region", f.Redirect)
	}
	return nil
}

// ApplyAfterAuth applies those effects of the fault that come after the check of the signature.
func (r *Request) ApplyAfterAuth() error {
	for _, name := range r.Fault.Ignore {
		r.HTTP.Header.Del(name)
	}
	return r.Fault.Failure()
}

var tagElement = regexp.MustCompile(`<ETag>[^<]*</ETag>`)

// replaceTags replaces the entity tags in an XML document with the one of the fault, if it has one.
func (r *Request) replaceTags(document []byte) []byte {
	if r.Fault.ETag == "" {
		return document
	}
	return tagElement.ReplaceAllLiteral(document, []byte("<ETag>"+xmldoc.Escape(r.Fault.ETag)+"</ETag>"))
}
