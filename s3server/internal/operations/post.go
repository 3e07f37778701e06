package operations

import (
	"encoding/xml"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/formpolicy"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// postObject stores the file of a form upload, if the form's policy permits it.
func postObject(r *request.Request) error {
	f, err := readFields(r)
	if err != nil {
		return err
	}

	r.Target.Key = f.fields["key"]
	if r.Target.Key == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "key").WithMessage(
			"Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
		)
	}
	// S3 does not document which of the two fields counts.
	if f.fields["acl"] != "" && f.fields["x-amz-acl"] != "" {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-acl", "ArgumentValue",
			f.fields["x-amz-acl"]).WithMessage("Bucket POST must not contain both of the fields 'acl' and 'x-amz-acl'")
	}
	if err := request.CheckKey(r.Target.Key); err != nil {
		return err
	}

	// The form must be permitted as a whole, and each of its fields must be valid as a header.
	sizes, err := permit(r, f)
	if err != nil {
		return err
	}
	header := f.header()
	if err := access.CheckPayer(r, r.Target.Bucket, header); err != nil {
		return err
	}
	if err := headers.Check(headers.FormFields, header, r.Server.Strict); err != nil {
		return err
	}
	if err := access.CheckOwner(r, header); err != nil {
		return err
	}

	o, err := NewObject(r, header)
	if err != nil {
		return err
	}
	o.Properties.Tags, err = f.tags()
	if err != nil {
		return err
	}
	b, err := request.OpenFile(f.file, header, sizes)
	if err != nil {
		return err
	}
	v, versionID, err := r.Server.Store.Put(r.HTTP.Context(), writeOf(r, o, state.WriteCondition{}), b)
	if err != nil {
		return b.Cause(err)
	}
	setWriteHeaders(r, v, versionID)
	return writeFormResponse(r, f, v)
}

// readFields reads the fields of the form, which precede the file. It limits their time and their bytes.
func readFields(r *request.Request) (*form, error) {
	r.SetBodyDeadline()
	preamble := &bodyio.LimitedReader{Body: r.HTTP.Body, Left: maxPreamble, TooLarge: io.ErrUnexpectedEOF}
	r.HTTP.Body = io.NopCloser(preamble)
	reader, err := r.HTTP.MultipartReader()
	if err != nil {
		return nil, s3error.New("PreconditionFailed", "Condition",
			"Bucket POST must be of the enclosure-type multipart/form-data")
	}
	f, err := readForm(reader)
	if preamble.Left < 0 {
		// The form has too many bytes before its file, which is the cause of err.
		return nil, s3error.New("MaxPostPreDataLengthExceededError")
	}
	if err != nil {
		return nil, err
	}

	// The limits do not apply to the file.
	preamble.Left = math.MaxInt64
	r.ClearBodyDeadline()
	return f, nil
}

// permit checks the signature, the permission and the policy of a form, and returns the sizes that its
// file may have. A form without a policy is the write of an anonymous caller.
func permit(r *request.Request, f *form) (formpolicy.Sizes, error) {
	sizes := formpolicy.Sizes{Max: r.Server.Limits.MaxPutSize}
	if f.fields["policy"] == "" {
		r.Caller = request.Caller{Anonymous: true}
		return sizes, authorizeForm(r, f)
	}

	if err := access.VerifyForm(r, f.fields); err != nil {
		return sizes, err
	}
	if err := authorizeForm(r, f); err != nil {
		return sizes, err
	}

	p, err := formpolicy.Parse(f.fields["policy"])
	if err != nil {
		return sizes, err
	}
	if !r.Now().Before(p.Expiration) {
		return sizes, s3error.New("AccessDenied").WithMessage("Invalid according to Policy: Policy expired.")
	}
	return p.Check(f.names, f.fields, r.Target.Bucket, sizes)
}

// authorizeForm fails unless the caller may write the object with the form's properties and tags.
func authorizeForm(r *request.Request, f *form) error {
	tags, err := f.tags()
	if err != nil {
		return err
	}
	return access.AuthorizeWith(r, f.header(), tags)
}

type postResponse struct {
	XMLName  xml.Name `xml:"PostResponse"`
	Location xmldoc.Text
	Bucket   string
	Key      xmldoc.Text
	ETag     string
}

// writeFormResponse responds to a form upload as the form asks: with a redirection, a status, or a
// document.
func writeFormResponse(r *request.Request, f *form, v *state.Version) error {
	header := r.Writer.Header()
	header.Set("Etag", v.Object.ETag)

	// S3 returns the checksum only if the form has one.
	sum, err := checksum.OfHeader(f.header())
	if err == nil && sum.Kind != nil {
		v.Object.Sum.Write(header)
	}

	location := r.Location()
	header.Set("Location", location)

	// As on S3, a target that is not a complete URL is ignored.
	target, err := url.Parse(f.fields["success_action_redirect"])
	if err == nil && target.Host != "" {
		query := "bucket=" + url.QueryEscape(r.Target.Bucket) +
			"&key=" + url.QueryEscape(r.Target.Key) +
			"&etag=" + url.QueryEscape(v.Object.ETag)
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+query, "&") // the target may have a query of its own
		header.Set("Location", target.String())
		return r.Done(http.StatusSeeOther)
	}

	switch f.fields["success_action_status"] {
	case "200":
		return r.Done(http.StatusOK)
	case "201":
		header.Set("Content-Type", "application/xml")
		// This document can always be encoded.
		body, _ := xml.Marshal(postResponse{
			Location: xmldoc.Text(location),
			Bucket:   r.Target.Bucket,
			Key:      xmldoc.Text(r.Target.Key),
			ETag:     v.Object.ETag,
		})
		r.Writer.WriteHeader(http.StatusCreated)
		_, _ = r.Writer.Write(append([]byte(xml.Header), body...))
		return nil
	}
	return r.Done(http.StatusNoContent)
}
