package gcs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/omnibucket/storage"
)

// SignForm asks whom Sign asks. Each field is a condition of the policy too, so
// that a field that was changed is refused, as one that was added is. The page
// adds its own "file" field, last.
// https://cloud.google.com/storage/docs/xml-api/post-object-forms
func (d *driver) SignForm(ctx context.Context, r *storage.SignRequest) (*storage.UploadForm, error) {
	return d.signForm(ctx, r, time.Now())
}

func (d *driver) signForm(ctx context.Context, r *storage.SignRequest, now time.Time) (*storage.UploadForm, error) {
	if err := checkForm(r); err != nil {
		return nil, err
	}
	address, err := d.bucketAddress(r.BaseURL)
	if err != nil {
		return nil, err
	}
	term, err := d.signAt(ctx, r.TTL, now)
	if err != nil {
		return nil, err
	}
	form := &v4Form{bucket: d.bucket, fields: formFields(r), conditions: []any{
		[]any{"content-length-range", r.MinSize, r.MaxSize},
	}}
	if err := term.signForm(ctx, form); err != nil {
		return nil, err
	}
	return &storage.UploadForm{URL: address.String() + "/", Fields: form.fields, ExpiresAt: term.until()}, nil
}

// checkForm refuses what a form cannot have Google enforce.
func checkForm(r *storage.SignRequest) error {
	unsupported := func(hint string) error { return &storage.Error{Code: storage.Unsupported, Hint: hint} }
	switch {
	case len(r.Native) > 0:
		return storage.Unsupported
	case r.Condition != storage.Condition{}:
		return unsupported("Google's forms know no condition: SignedUploadURL does")
	case r.CRC32C != nil:
		return unsupported("Google's forms check no CRC32C: SignedUploadURL does")
	case r.ContentLanguage != "":
		return unsupported("Google's forms have no field for the content language: SignedUploadURL has")
	case r.StorageClass != "":
		return unsupported("Google's forms have no field for the storage class: SignedUploadURL has")
	case strings.Contains(r.Key, "${filename}"):
		return &storage.Error{Code: storage.InvalidArgument, Hint: "Google puts the name of the user's file in the place of ${filename} in a form's key"}
	}
	return nil
}

// formFields are the fields that say what the object shall be.
func formFields(r *storage.SignRequest) map[string]string {
	fields := map[string]string{"key": r.Key}
	for name, value := range map[string]string{
		"content-type":        r.ContentType,
		"content-encoding":    r.ContentEncoding,
		"content-disposition": r.ContentDisposition,
		"cache-control":       r.CacheControl,
	} {
		if value != "" {
			fields[name] = value
		}
	}
	for name, value := range r.Metadata {
		fields["x-goog-meta-"+name] = value
	}
	if r.PublicRead {
		fields["acl"] = "public-read"
	}
	return fields
}

// A v4Form is what a V4 signature of a form is made of.
type v4Form struct {
	bucket     string
	fields     map[string]string // "key" among them
	conditions []any             // besides one for each field
}

// signForm adds the policy, its signature and the signature's own fields.
func (t *v4Term) signForm(ctx context.Context, f *v4Form) error {
	f.fields["x-goog-algorithm"] = v4Algorithm
	f.fields["x-goog-credential"] = t.credential()
	f.fields["x-goog-date"] = t.date()
	policy, err := f.policy(t.until())
	if err != nil {
		return err
	}
	signature, err := t.signature(ctx, []byte(policy))
	if err != nil {
		return err
	}
	f.fields["policy"], f.fields["x-goog-signature"] = policy, signature
	return nil
}

// policy is the document that is signed, in base64. Google's order of the
// conditions is what other clients write too: by name, and these last.
func (f *v4Form) policy(expires time.Time) (string, error) {
	last := []string{"key", "x-goog-date", "x-goog-credential", "x-goog-algorithm"}
	conditions := slices.Clone(f.conditions)
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		if !slices.Contains(last, name) {
			conditions = append(conditions, map[string]string{name: f.fields[name]})
		}
	}
	conditions = append(conditions, map[string]string{"bucket": f.bucket})
	for _, name := range last {
		conditions = append(conditions, map[string]string{name: f.fields[name]})
	}
	document, err := json.Marshal(struct {
		Conditions []any  `json:"conditions"`
		Expiration string `json:"expiration"`
	}{conditions, expires.Format(time.RFC3339)})
	if err != nil {
		return "", &storage.Error{Code: storage.Internal, Err: err}
	}
	return base64.StdEncoding.EncodeToString(asciiJSON(document)), nil
}

// asciiJSON escapes what is not ASCII, as Google wants a policy's characters.
func asciiJSON(document []byte) []byte {
	ascii := make([]byte, 0, len(document))
	for _, r := range string(document) {
		switch {
		case r < 0x80:
			ascii = append(ascii, byte(r))
		case r < 0x10000:
			ascii = fmt.Appendf(ascii, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			ascii = fmt.Appendf(ascii, `\u%04x\u%04x`, high, low)
		}
	}
	return ascii
}
