package s3server

import (
	"cmp"
	"encoding/xml"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/bodylimit"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/formpolicy"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// postObject stores the file of a form upload, if the form's policy permits it.
func postObject(r *request) error {
	r.body.until = time.Now().Add(documentTimeout)
	preamble := &bodylimit.Reader{Body: r.in.Body, Left: maxPreamble, TooLarge: io.ErrUnexpectedEOF}
	r.in.Body = io.NopCloser(preamble)
	reader, err := r.in.MultipartReader()
	if err != nil {
		return s3error.New("PreconditionFailed", "Condition",
			"Bucket POST must be of the enclosure-type multipart/form-data")
	}
	f, err := readForm(reader)
	if preamble.Left < 0 {
		// The form has too many bytes before its file. This limit has caused the parser's error, so
		// the parser's error is ignored.
		return s3error.New("MaxPostPreDataLengthExceededError")
	}
	if err != nil {
		return err
	}
	preamble.Left, r.body.until = math.MaxInt64, time.Time{} // the limits for the fields do not apply to the file
	r.target.key = f.fields["key"]
	if r.target.key == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "key").WithMessage(
			"Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
		)
	}
	// S3 does not document which of the two fields counts.
	if f.fields["acl"] != "" && f.fields["x-amz-acl"] != "" {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-acl", "ArgumentValue",
			f.fields["x-amz-acl"]).WithMessage("Bucket POST must not contain both of the fields 'acl' and 'x-amz-acl'")
	}
	if err := checkKey(r.target.key); err != nil {
		return err
	}
	size, err := permit(r, f)
	if err != nil {
		return err
	}
	header := f.header()
	if err := cmp.Or(checkPayer(r, r.target.bucket, header), headers.Check(headers.FormFields, header, r.server.config.Strict), checkOwner(r, header)); err != nil {
		return err
	}
	o, err := newObject(r, header)
	if err != nil {
		return err
	}
	if o.Properties.Tags, err = f.tags(); err != nil {
		return err
	}
	b, err := openFile(f, header, size)
	if err != nil {
		return err
	}
	v, versionID, err := r.server.store.Put(r.in.Context(), r.write(o, state.WriteCondition{}), b)
	if err != nil {
		return b.Blame(err)
	}
	written(r, v, versionID)
	return writeFormResponse(r, f, v)
}

// permit checks the signature, the permission and the policy of a form, and returns the permitted
// sizes of its file. A form without a policy is a write by an anonymous caller.
func permit(r *request, f *form) (formpolicy.Sizes, error) {
	anySize := formpolicy.Sizes{Most: r.server.limits.MaxPutSize}
	if f.fields["policy"] == "" {
		r.caller = caller{anonymous: true}
		return anySize, authorizeForm(r, f)
	}
	if err := verifyForm(r, f); err != nil {
		return anySize, err
	}
	if err := authorizeForm(r, f); err != nil {
		return anySize, err
	}
	p, err := formpolicy.Parse(f.fields["policy"])
	if err != nil {
		return anySize, err
	}
	if !r.now().Before(p.Expiration) {
		return anySize, s3error.New("AccessDenied").WithMessage("Invalid according to Policy: Policy expired.")
	}
	return p.Check(f.names, f.fields, r.target.bucket, anySize)
}

// authorizeForm checks that the caller has the permission to write the object with the form's
// properties.
func authorizeForm(r *request, f *form) error {
	tags, err := f.tags()
	if err != nil {
		return err
	}
	return r.authorizeWith(f.header(), tags)
}

// verifyForm verifies the signature of the form's policy, and sets r.caller.
func verifyForm(r *request, f *form) error {
	if !r.server.config.Strict && f.fields["awsaccesskeyid"] != "" {
		return verifyFormV2(r, f)
	}
	for _, name := range []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
		if f.fields[name] == "" {
			return s3error.New("InvalidArgument", "ArgumentName", name).WithMessage(
				"Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.",
				name,
			)
		}
	}
	if f.fields["x-amz-algorithm"] != sign.Algorithm {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-algorithm").
			WithMessage("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
	}
	c := &claim{service: sign.Service, timestamp: f.fields["x-amz-date"], signature: f.fields["x-amz-signature"]}
	if err := c.credential(f.fields["x-amz-credential"], wrongCredential); err != nil {
		return err
	}
	if err := checkScope(r, c, wrongCredential); err != nil {
		return err
	}
	who, secret, err := identify(r, c.accessKey, f.fields["x-amz-security-token"])
	if err != nil {
		return err
	}
	key := sign.Key(secret, c.scope)
	if !sign.Equal(sign.HexMAC(key, f.fields["policy"]), c.signature) {
		return s3error.New(
			"SignatureDoesNotMatch", "AWSAccessKeyId", c.accessKey, "StringToSign", f.fields["policy"],
			"SignatureProvided",
			c.signature,
		)
	}
	who.algorithm = sign.Algorithm
	who.seal = sign.Seal{Timestamp: c.timestamp}
	r.caller = who
	return nil
}

type postResponse struct {
	XMLName  xml.Name `xml:"PostResponse"`
	Location xmldoc.Text
	Bucket   string
	Key      xmldoc.Text
	ETag     string
}

func writeFormResponse(r *request, f *form, v *state.Version) error {
	header := r.w.Header()
	header.Set("Etag", v.Object.ETag)
	if asserted, err := checksum.OfHeader(f.header()); err == nil && asserted.Kind != nil {
		v.Object.Sum.Write(header)
	}
	location := r.location()
	header.Set("Location", location)
	if target, err := url.Parse(f.fields["success_action_redirect"]); err == nil && target.Host != "" {
		query := "bucket=" + url.QueryEscape(r.target.bucket) + "&key=" + url.QueryEscape(
			r.target.key,
		) + "&etag=" + url.QueryEscape(v.Object.ETag)
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+query, "&")
		header.Set("Location", target.String())
		return r.done(http.StatusSeeOther)
	}
	switch f.fields["success_action_status"] {
	case "200":
		return r.done(http.StatusOK)
	case "201":
		header.Set("Content-Type", "application/xml")
		body, _ := xml.Marshal(
			postResponse{
				Location: xmldoc.Text(location),
				Bucket:   r.target.bucket,
				Key:      xmldoc.Text(r.target.key),
				ETag:     v.Object.ETag,
			},
		) // encoding this document cannot fail
		r.w.WriteHeader(http.StatusCreated)
		_, _ = r.w.Write(append([]byte(xml.Header), body...))
		return nil
	}
	return r.done(http.StatusNoContent)
}
