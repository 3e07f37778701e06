package signedurl

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// These fields of a form are not attributes. The page adds the file as the last field.
const (
	FileField      = "file"
	objectField    = "key"
	signatureField = "ob-signature"
)

// SignForm returns the signed form that r requests for the bucket. All fields are signed, so that
// nobody can change, add or remove one. If r has a condition, SignForm fails with Unsupported,
// because the forms of cloud providers have none.
func SignForm(k Keys, bucket string, r *driver.SignRequest, now time.Time) (*storage.SignedForm, error) {
	g, err := newGrant(r, now)
	if err != nil {
		return nil, err
	}
	hasMaxSize := g.MaxSize >= 0
	if k.Empty() || !hasMaxSize {
		return nil, storage.Unsupported
	}
	if g.RequiresAbsence() {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Hint: "use SignedUploadURL: a form cannot have a condition",
		}
	}

	signer := k.all[0]
	fields := map[string]string{
		objectField:  g.Key,
		expiresParam: strconv.FormatInt(g.Expires, 10),
		keyParam:     signer.id,
		sizeParam:    g.size(),
	}
	if g.CRC32C.Known {
		fields[crcParam] = textOfCRC(g.CRC32C)
	}
	for _, a := range g.Attributes {
		fields[a.Name] = a.Value
	}
	fields[signatureField] = signer.sign(formParts(bucket, fields)...)
	return &storage.SignedForm{
		URL:       r.BaseURL,
		Fields:    fields,
		ExpiresAt: time.Unix(g.Expires, 0).UTC(),
	}, nil
}

// formParts returns the texts that the signature of a form covers, which are all names and values
// of fields but the signature itself, sorted by name.
func formParts(bucket string, fields map[string]string) []string {
	parts := []string{"omnibucket form 1", bucket}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != signatureField {
			parts = append(parts, name, fields[name])
		}
	}
	return parts
}

// VerifyForm verifies the signature of a submitted form. fields holds the fields before the file,
// with names in lower case. VerifyForm returns a Grant only if the status is [Valid].
func VerifyForm(k Keys, bucket string, fields map[string]string, now time.Time) (*Grant, Status) {
	key, ok := k.find(fields[keyParam])
	if !ok || !key.verify(fields[signatureField], formParts(bucket, fields)...) {
		return nil, Invalid
	}

	expires, err := strconv.ParseInt(fields[expiresParam], 10, 64)
	if err != nil {
		return nil, Invalid
	}
	minSize, maxSize, err := parseSize(fields[sizeParam])
	if err != nil {
		return nil, Invalid
	}

	g := &Grant{
		Method:  http.MethodPost,
		Key:     fields[objectField],
		Expires: expires,
		MinSize: minSize,
		MaxSize: maxSize,
		CRC32C:  crcOf(fields[crcParam]),
	}

	// All other fields are properties of the object.
	for name, value := range fields {
		switch name {
		case objectField, expiresParam, keyParam, sizeParam, crcParam, signatureField:
			continue
		}
		g.Attributes = append(g.Attributes, Attribute{Name: name, Value: value})
	}
	slices.SortFunc(g.Attributes, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })

	// The signature is valid, but the form may have ended, or end too late.
	if s := g.status(now); s != Valid {
		return nil, s
	}
	return g, Valid
}
