package signed

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// The fields of a form that are no attributes. The page adds the file, last.
const (
	FileField      = "file"
	objectField    = "key"
	signatureField = "ob-signature"
)

// Form signs a form that uploads what r asks for. Every field is signed, so that
// none can be changed, added or left out. No form of a cloud's knows a condition:
// one that did here would work on a laptop and nowhere else.
func Form(k Keys, bucket string, r *storage.SignRequest, now time.Time) (*storage.UploadForm, error) {
	g, err := grant(r, now)
	if err != nil {
		return nil, err
	}
	if k.None() || g.MaxSize < 0 {
		return nil, storage.Unsupported
	}
	if g.Creates() {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "a form knows no condition: SignedUploadURL does"}
	}
	fields := map[string]string{
		objectField:  g.Key,
		expiresParam: strconv.FormatInt(g.Expires, 10),
		keyParam:     k.all[0].id,
		sizeParam:    g.size(),
	}
	if g.CRC32C != "" {
		fields[crcParam] = g.CRC32C
	}
	for _, a := range g.Attributes {
		fields[a.Name] = a.Value
	}
	fields[signatureField] = k.all[0].signature(formParts(bucket, fields)...)
	return &storage.UploadForm{URL: r.BaseURL, Fields: fields, ExpiresAt: time.Unix(g.Expires, 0).UTC()}, nil
}

// formParts are what the signature of a form is of: the fields by name, but for
// the signature itself.
func formParts(bucket string, fields map[string]string) []string {
	parts := []string{"omnibucket form 1", bucket}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != signatureField {
			parts = append(parts, name, fields[name])
		}
	}
	return parts
}

// OpenForm checks the fields that came before the file, by their names in lower
// case. A Grant is returned with Good alone.
func OpenForm(k Keys, bucket string, fields map[string]string, now time.Time) (*Grant, Standing) {
	key, known := k.find(fields[keyParam])
	if !known || !key.signed(fields[signatureField], formParts(bucket, fields)...) {
		return nil, Unsigned
	}
	g := &Grant{Method: "POST", Key: fields[objectField], CRC32C: fields[crcParam]}
	var err error
	if g.Expires, err = strconv.ParseInt(fields[expiresParam], 10, 64); err != nil {
		return nil, Unsigned
	}
	if g.MinSize, g.MaxSize, err = parseSize(fields[sizeParam]); err != nil {
		return nil, Unsigned
	}
	for name, value := range fields {
		switch name {
		case objectField, expiresParam, keyParam, sizeParam, crcParam, signatureField:
		default:
			g.Attributes = append(g.Attributes, Attribute{name, value})
		}
	}
	slices.SortFunc(g.Attributes, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	if s := g.standing(now); s != Good {
		return nil, s
	}
	return g, Good
}
