package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/sigv4"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

const policyTime = "2006-01-02T15:04:05.000Z"

// SignForm signs an upload form. It sends no request, unless it must get credentials. The policy
// has a condition for each field, so that S3 refuses a form with a changed or an additional field.
// The web page with the form adds the field "file" at the end.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return d.urls.signForm(ctx, r, d.account.clock.Time())
}

// signForm signs a form at the time now. The signature covers the policy of the form, which lists
// the values of its fields.
func (us *urlSigner) signForm(ctx context.Context, r *driver.SignRequest, now time.Time) (*storage.SignedForm, error) {
	if err := sigv4.CheckForm(r, "S3"); err != nil {
		return nil, err
	}
	if r.LegalHold || r.Retention != (storage.Retention{}) {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Hint: "S3's forms have no field for locks: use SignedUploadURL",
		}
	}

	presigning, err := us.newPresigning(ctx, r.Method, r.BaseURL, r.TTL, r.Native, now)
	if err != nil {
		return nil, err
	}
	term := &presigning.term
	signingKey := us.account.keys.Get(&term.credentials, us.account.region, term.From)

	// The form has the fields of the object, and those that name the signing key.
	fields, err := us.formFields(r)
	if err != nil {
		return nil, err
	}
	fields["X-Amz-Algorithm"] = signature.Algorithm
	fields["X-Amz-Credential"] = term.credentials.AccessKeyID + "/" + signingKey.Scope
	fields["X-Amz-Date"] = term.From.Format(signature.TimeFormat)
	if term.credentials.SessionToken != "" {
		fields["X-Amz-Security-Token"] = term.credentials.SessionToken
	}

	// Sign the policy, which must list all the other fields.
	policy, err := policyDocument(us.bucket.name, fields, r.MinSize, r.MaxSize, term.Until())
	if err != nil {
		return nil, err
	}
	fields["Policy"] = policy
	fields["X-Amz-Signature"] = signingKey.Signature(policy)
	return &storage.SignedForm{
		URL:       presigning.endpoint.url.String() + "/",
		Fields:    fields,
		ExpiresAt: term.Until(),
	}, nil
}

// formFields returns the fields of a form for r. It omits empty properties, because each field is
// one more condition of the policy.
func (us *urlSigner) formFields(r *driver.SignRequest) (fields map[string]string, err error) {
	fields = map[string]string{
		"key":                   r.Key,
		"success_action_status": "204", // the default of S3, but not of every compatible server
		"Content-Type":          r.ContentType,
		"Content-Encoding":      r.ContentEncoding,
		"Content-Disposition":   r.ContentDisposition,
		"Cache-Control":         r.CacheControl,
		"x-amz-storage-class":   r.StorageClass,
	}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })

	for name, value := range us.account.profile.attributes().StoredNames(r.Metadata) {
		fields["x-amz-meta-"+name] = value
	}

	if len(r.Tags) > 0 {
		fields["tagging"], err = attributes.TagField(r.Tags)
		if err != nil {
			return nil, err
		}
	}

	// Fields have the names of headers in lower case, except for that of the ACL.
	err = us.setUploadOptions(r, func(name, value string) {
		name = strings.ToLower(name)
		if name == "x-amz-acl" {
			name = "acl"
		}
		fields[name] = value
	})
	return fields, err
}

// policyDocument returns the policy of an upload form, a JSON document that the server compares with the
// upload. The form must have exactly these fields, and the file a size in bytes within the limits.
func policyDocument(
	bucket string, fields map[string]string, minSize, maxSize int64, expires time.Time,
) (string, error) {
	conditions := []any{
		map[string]string{"bucket": bucket},
		[]any{"content-length-range", minSize, maxSize},
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		conditions = append(conditions, []any{"eq", "$" + name, policyText(fields[name])})
	}
	return sigv4.Policy(struct {
		Expiration string `json:"expiration"`
		Conditions []any  `json:"conditions"`
	}{expires.Format(policyTime), conditions})
}

// A policyText is a value in a policy. S3 requires that a dollar sign is escaped, because it begins
// the name of a field.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
type policyText string

// MarshalJSON returns the text as JSON without a dollar sign.
func (t policyText) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(string(t))
	return bytes.ReplaceAll(text, []byte("$"), []byte(`\u0024`)), err
}
