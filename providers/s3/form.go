package s3

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

const policyTime = "2006-01-02T15:04:05.000Z"

// SignForm makes no request, unless the credentials have to be fetched. Each
// field is a condition of the policy too, so that a field that was changed is
// refused, as one that was added is: S3 takes none that the policy does not
// name. The page adds its own "file" field, last.
func (d *driver) SignForm(ctx context.Context, r *storage.SignRequest) (*storage.UploadForm, error) {
	return d.signForm(ctx, r, time.Now())
}

func (d *driver) signForm(ctx context.Context, r *storage.SignRequest, now time.Time) (*storage.UploadForm, error) {
	if err := checkForm(r); err != nil {
		return nil, err
	}
	s, err := d.signAt(ctx, r.TTL, now)
	if err != nil {
		return nil, err
	}
	at, err := d.placeAt(ctx, r.BaseURL)
	if err != nil {
		return nil, err
	}
	key := d.keys.of(&s.credentials, d.region, s.from)
	fields := formFields(r)
	fields["X-Amz-Algorithm"] = signingAlgorithm
	fields["X-Amz-Credential"] = s.credentials.AccessKeyID + "/" + key.scope
	fields["X-Amz-Date"] = s.from.Format(amzTime)
	if s.credentials.SessionToken != "" {
		fields["X-Amz-Security-Token"] = s.credentials.SessionToken
	}
	policy, err := policyDocument(d.bucket, fields, r.MinSize, r.MaxSize, s.until())
	if err != nil {
		return nil, err
	}
	fields["Policy"] = policy
	fields["X-Amz-Signature"] = key.signature(policy)
	return &storage.UploadForm{URL: at.address.String() + "/", Fields: fields, ExpiresAt: s.until()}, nil
}

// checkForm refuses what a form cannot have the server enforce.
func checkForm(r *storage.SignRequest) error {
	unsupported := func(hint string) error { return &storage.Error{Code: storage.Unsupported, Hint: hint} }
	switch {
	case len(r.Native) > 0:
		return storage.Unsupported
	case r.Condition != storage.Condition{}:
		return unsupported("S3's forms know no condition: SignedUploadURL does")
	case r.CRC32C != nil:
		return unsupported("S3's forms are not known to check a CRC32C: SignedUploadURL does")
	case r.ContentLanguage != "":
		return unsupported("S3's forms have no field for the content language")
	case strings.Contains(r.Key, "${filename}"):
		return &storage.Error{Code: storage.InvalidArgument, Hint: "S3 puts the name of the user's file in the place of ${filename} in a form's key"}
	}
	return nil
}

// formFields are the fields that say what the object shall be.
func formFields(r *storage.SignRequest) map[string]string {
	fields := map[string]string{
		"key":                   r.Key,
		"success_action_status": "204", // as S3 answers by itself; some compatible servers do not
	}
	for name, value := range map[string]string{
		"Content-Type":        r.ContentType,
		"Content-Encoding":    r.ContentEncoding,
		"Content-Disposition": r.ContentDisposition,
		"Cache-Control":       r.CacheControl,
		"x-amz-storage-class": r.StorageClass,
	} {
		if value != "" {
			fields[name] = value
		}
	}
	for name, value := range r.Metadata {
		fields["x-amz-meta-"+name] = value
	}
	if r.PublicRead {
		fields["acl"] = "public-read"
	}
	return fields
}

// policyDocument is the document that is signed, in base64.
func policyDocument(bucket string, fields map[string]string, minSize, maxSize int64, expires time.Time) (string, error) {
	conditions := []any{
		map[string]string{"bucket": bucket},
		[]any{"content-length-range", minSize, maxSize},
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		conditions = append(conditions, []any{"eq", "$" + name, fields[name]})
	}
	document, err := json.Marshal(struct {
		Expiration string `json:"expiration"`
		Conditions []any  `json:"conditions"`
	}{expires.Format(policyTime), conditions})
	if err != nil {
		return "", &storage.Error{Code: storage.Internal, Err: err}
	}
	return base64.StdEncoding.EncodeToString(asciiJSON(document)), nil
}

// asciiJSON escapes what is not ASCII, as S3 wants a policy's characters.
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
