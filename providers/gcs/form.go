package gcs

import (
	"context"
	"maps"
	"slices"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/sigv4"
)

// SignForm returns a signed form for an upload. Each field is also a condition of the signed
// policy, so that Google refuses a form with changed or additional fields. The page must add the
// field "file" as the last one.
// https://cloud.google.com/storage/docs/xml-api/post-object-forms
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return d.urls.signForm(ctx, r, time.Now())
}

// signForm returns a form with which a browser can upload the object of r. It is valid for r.TTL from now on.
func (us *urlSigner) signForm(ctx context.Context, r *driver.SignRequest, now time.Time) (*storage.SignedForm, error) {
	attrs, err := us.bucket.account.attrsToSet(r.Key, &r.Properties, &r.Controls, newCallOptions(r.Native))
	if err != nil {
		return nil, err
	}
	if err := checkForm(r, attrs, us.bucket.account.userProject); err != nil {
		return nil, err
	}

	address, err := us.bucketURL(r.BaseURL)
	if err != nil {
		return nil, err
	}
	signer, err := us.newV4Signer(ctx, r.TTL, now)
	if err != nil {
		return nil, err
	}

	form := &v4Form{
		bucket: us.bucket.name,
		fields: formFields(attrs),
		conditions: []any{
			[]any{"content-length-range", r.MinSize, r.MaxSize},
		},
	}
	if err := signer.signForm(ctx, form); err != nil {
		return nil, err
	}
	return &storage.SignedForm{URL: address.String() + "/", Fields: form.fields, ExpiresAt: signer.Until()}, nil
}

// checkForm fails with Unsupported for a property that Google does not enforce in a form.
func checkForm(r *driver.SignRequest, a *gcs.ObjectAttrs, userProject string) error {
	field := propertyWithoutField(newCallOptions(r.Native), a, userProject)
	if field != "" {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "Google's forms have no field for " + field + ": use SignedUploadURL",
		}
	}

	if err := checkSigned(a); err != nil {
		return err
	}

	// The options of this package may have changed the properties, so check those of a.
	request := *r
	request.Properties = propertiesOf(a)
	return sigv4.CheckForm(&request, "Google")
}

// propertyWithoutField describes the first property for which Google's forms have no field, or
// returns "" if there is none.
func propertyWithoutField(opts *callOptions, a *gcs.ObjectAttrs, userProject string) string {
	switch {
	case a.StorageClass != "":
		return "the storage class"
	case a.KMSKeyName != "" || opts.key != nil:
		return "an encryption key"
	case userProject != "":
		return "the project to bill (Config.UserProject)"
	case a.Retention != nil:
		return "a retention"
	case !a.CustomTime.IsZero():
		return "a custom time"
	case len(opts.header) > 0 || len(opts.query) > 0:
		return "other headers and parameters"
	}
	return ""
}

// formFields returns the fields of a form that set the attributes of the uploaded object. It omits the
// fields that would be empty.
func formFields(a *gcs.ObjectAttrs) map[string]string {
	fields := map[string]string{
		"key":                 a.Name,
		"acl":                 predefinedACLs[a.PredefinedACL],
		"content-type":        a.ContentType,
		"content-encoding":    a.ContentEncoding,
		"content-disposition": a.ContentDisposition,
		"cache-control":       a.CacheControl,
	}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	for name, value := range a.Metadata {
		fields["x-goog-meta-"+name] = value
	}
	return fields
}

// A v4Form has the parts of a form that its V4 signature covers.
type v4Form struct {
	bucket     string
	fields     map[string]string // including "key"
	conditions []any             // conditions in addition to those for the fields
}

// signForm adds the fields of the V4 signature to a form. The signature covers the policy, and the policy covers all
// other fields.
// https://cloud.google.com/storage/docs/authentication/signatures
func (s *v4Signer) signForm(ctx context.Context, f *v4Form) error {
	f.fields["x-goog-algorithm"] = v4Algorithm
	f.fields["x-goog-credential"] = s.credential()
	f.fields["x-goog-date"] = s.date()

	policy, err := f.policy(s.Until())
	if err != nil {
		return err
	}
	signature, err := s.signature(ctx, []byte(policy))
	if err != nil {
		return err
	}
	f.fields["policy"] = policy
	f.fields["x-goog-signature"] = signature
	return nil
}

// policy returns the document to sign, which has a condition for each field of the form. The conditions
// are in the order of Google's own clients: sorted by name, except for lastFields at the end.
func (f *v4Form) policy(expires time.Time) (string, error) {
	lastFields := []string{"key", "x-goog-date", "x-goog-credential", "x-goog-algorithm"}
	conditions := slices.Clone(f.conditions)
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		if !slices.Contains(lastFields, name) {
			conditions = append(conditions, map[string]string{name: f.fields[name]})
		}
	}
	conditions = append(conditions, map[string]string{"bucket": f.bucket})
	for _, name := range lastFields {
		conditions = append(conditions, map[string]string{name: f.fields[name]})
	}
	return sigv4.Policy(struct {
		Conditions []any  `json:"conditions"`
		Expiration string `json:"expiration"`
	}{conditions, expires.Format(time.RFC3339)})
}
