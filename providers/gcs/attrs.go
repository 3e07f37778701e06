package gcs

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strconv"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// A resource is an object's description in the JSON API. A write sends a resource, and its response
// is a resource with the fields in resourceFields.
type resource struct {
	Name               string            `json:"name,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	CRC32C             string            `json:"crc32c,omitempty"`
	MD5Hash            string            `json:"md5Hash,omitempty"`
	ACL                []aclEntry        `json:"acl,omitempty"`
	CustomTime         string            `json:"customTime,omitempty"`
	EventBasedHold     *bool             `json:"eventBasedHold,omitempty"` // nil means the bucket's default
	TemporaryHold      bool              `json:"temporaryHold,omitempty"`
	Retention          *retention        `json:"retention,omitempty"`
	Contexts           *contexts         `json:"contexts,omitempty"`

	Generation  string     `json:"generation,omitempty"`
	KeptUntil   string     `json:"retentionExpirationTime,omitempty"`
	Etag        string     `json:"etag,omitempty"`
	TimeCreated *time.Time `json:"timeCreated,omitempty"`

	KMSKeyName         string              `json:"kmsKeyName,omitempty"`
	CustomerEncryption *customerEncryption `json:"customerEncryption,omitempty"`
}

type (
	aclEntry struct {
		Entity string `json:"entity"`
		Role   string `json:"role"`
	}
	retention struct {
		Mode  string `json:"mode"`
		Until string `json:"retainUntilTime"`
	}
	contexts struct {
		Custom map[string]*contextValue `json:"custom"`
	}
	contextValue struct {
		Value string `json:"value"`
	}
	customerEncryption struct {
		KeySHA256 string `json:"keySha256"`
	}
)

const resourceFields = "generation,etag,crc32c,md5Hash,timeCreated,storageClass,kmsKeyName,customerEncryption(keySha256),retentionExpirationTime"

// resourceOf returns the resource that a write with these attributes sends.
func resourceOf(a *gcs.ObjectAttrs) *resource {
	o := &resource{
		Name:               a.Name,
		ContentType:        a.ContentType,
		ContentEncoding:    a.ContentEncoding,
		ContentDisposition: a.ContentDisposition,
		ContentLanguage:    a.ContentLanguage,
		CacheControl:       a.CacheControl,
		Metadata:           a.Metadata,
		StorageClass:       a.StorageClass,
		MD5Hash:            base64.StdEncoding.EncodeToString(a.MD5),
		TemporaryHold:      a.TemporaryHold,
	}
	// For the markers and parts of uploads, send false, too. Otherwise the bucket's default hold
	// would apply to them.
	if a.EventBasedHold || isReserved(a.Name) {
		o.EventBasedHold = &a.EventBasedHold
	}

	// The remaining fields are set only if they have a value.
	for _, rule := range a.ACL {
		o.ACL = append(o.ACL, aclEntry{string(rule.Entity), string(rule.Role)})
	}
	if !a.CustomTime.IsZero() {
		// RFC 3339 is the form that the SDK sends.
		o.CustomTime = a.CustomTime.UTC().Format(time.RFC3339)
	}
	if a.Retention != nil {
		o.Retention = &retention{a.Retention.Mode, a.Retention.RetainUntil.UTC().Format(time.RFC3339)}
	}

	if a.Contexts != nil {
		o.Contexts = &contexts{Custom: make(map[string]*contextValue, len(a.Contexts.Custom))}
		for key, context := range a.Contexts.Custom {
			o.Contexts.Custom[key] = &contextValue{context.Value}
		}
	}
	return o
}

// attrs returns the attributes in the response to a write.
func (o *resource) attrs() *storage.Attrs {
	md5 := decodeMD5(o.MD5Hash)
	encryption := encryptionOf(o.KMSKeyName, o.keySHA256())
	a := &storage.Attrs{
		Properties: storage.Properties{StorageClass: httpheader.StorageClass(o.StorageClass)},
		ETag:       entityTag(md5, o.Etag, encryption),
		Revision:   o.Generation,
		Version:    o.Generation,
		CRC32C:     httpheader.CRC32C(o.CRC32C),
		MD5:        md5,
		Encryption: encryption,
	}
	if o.TimeCreated != nil {
		a.Modified = wholeSeconds(*o.TimeCreated)
	}
	return a
}

// keySHA256 returns the hash of the customer's key that encrypts the object, or "".
func (o *resource) keySHA256() string {
	if o.CustomerEncryption == nil {
		return ""
	}
	return o.CustomerEncryption.KeySHA256
}

// attrsOf returns the attributes of an object that the SDK has requested.
func attrsOf(o *gcs.ObjectAttrs) *storage.Attrs {
	// Without the customer's key, Google omits the checksums, and the SDK returns 0.
	isHidden := o.CustomerKeySHA256 != "" && o.CRC32C == 0 && o.Size > 0
	a := &storage.Attrs{
		Key:        o.Name,
		Size:       o.Size,
		Properties: propertiesOf(o),
		ETag:       entityTag(o.MD5, o.Etag, encryptionOf(o.KMSKeyName, o.CustomerKeySHA256)),
		Revision:   decimal(o.Generation),
		Version:    decimal(o.Generation),
		Modified:   wholeSeconds(o.Created),
		CRC32C:     storage.CRC32C{Sum: o.CRC32C, Known: !isHidden},
		MD5:        o.MD5,

		TagCount:   len(tagsOf(o)),
		Retention:  retentionOf(o.Retention),
		LegalHold:  o.TemporaryHold,
		Encryption: encryptionOf(o.KMSKeyName, o.CustomerKeySHA256),
	}
	a.StorageClass = httpheader.StorageClass(a.StorageClass)
	return a
}

// propertiesOf returns the properties in the attributes of the SDK.
func propertiesOf(o *gcs.ObjectAttrs) storage.Properties {
	return storage.Properties{
		ContentType:        o.ContentType,
		ContentEncoding:    o.ContentEncoding,
		ContentDisposition: o.ContentDisposition,
		ContentLanguage:    o.ContentLanguage,
		CacheControl:       o.CacheControl,
		Metadata:           o.Metadata,
		StorageClass:       o.StorageClass,
	}
}

// encryptionOf returns how an object is encrypted. It returns the zero value if the object has neither a
// customer's key nor a KMS key, and so only keys of Google.
func encryptionOf(kmsKeyName, customerKeySHA256 string) storage.Encryption {
	if customerKeySHA256 != "" {
		return storage.Encryption{Algorithm: "AES256", KeyID: customerKeySHA256}
	}
	if kmsKeyName != "" {
		return storage.Encryption{KeyID: kmsKeyName}
	}
	return storage.Encryption{}
}

const publicRead = "publicRead"

// attrsToSet returns the attributes that a write sends, which come from the properties, the controls
// and the options of the write.
func (a *account) attrsToSet(
	key string, props *storage.Properties, controls *storage.Controls, opts *callOptions,
) (*gcs.ObjectAttrs, error) {
	contexts, err := contextsToSet(controls.Tags)
	if err != nil {
		return nil, err
	}
	attrs := &gcs.ObjectAttrs{
		ContentType:        props.ContentType,
		ContentEncoding:    props.ContentEncoding,
		ContentDisposition: props.ContentDisposition,
		ContentLanguage:    props.ContentLanguage,
		CacheControl:       props.CacheControl,
		Metadata:           props.Metadata,
		StorageClass:       props.StorageClass,
		TemporaryHold:      controls.LegalHold,
		Retention:          retentionToSet(controls.Retention),
		Contexts:           contexts,
	}
	if controls.PublicRead {
		attrs.PredefinedACL = publicRead
	}
	// An object has either a customer's key or a KMS key.
	if opts.key == nil {
		attrs.KMSKeyName = a.kmsKey
	}

	// Native options may change the attributes, but not the caller's map.
	if len(opts.changes) > 0 {
		attrs.Metadata = maps.Clone(props.Metadata)
		if attrs.Metadata == nil {
			attrs.Metadata = map[string]string{}
		}
	}
	for _, change := range opts.changes {
		change(attrs)
	}
	attrs.Name = key // no option changes the key

	if opts.key != nil && attrs.KMSKeyName != "" {
		return nil, argument.Invalid("WithCustomerKey and WithKMSKey", "must not both be given", "")
	}
	if controls.PublicRead && attrs.PredefinedACL != publicRead {
		return nil, argument.Invalid("WithPublicRead and WithPredefinedACL", "must not name different access lists", "")
	}
	return attrs, nil
}

// kmsKeyOfPart returns the name of the KMS key that encrypts the parts of an upload to key, or "" if there
// is none. A part has none of the other attributes that options set.
func (a *account) kmsKeyOfPart(key string, opts *callOptions) (string, error) {
	attrs, err := a.attrsToSet(key, &storage.Properties{}, &storage.Controls{}, opts)
	if err != nil {
		return "", err
	}
	return attrs.KMSKeyName, nil
}

// entityTag returns the ETag with which Google serves the object over HTTP, which usually is the MD5. For
// a composed object, which has no MD5, and for an object with a customer's or a KMS key, it is etag, the
// ETag of the JSON API, after a dash. The dash marks an ETag that also changes with the metadata.
func entityTag(md5 []byte, etag string, encryption storage.Encryption) string {
	if len(md5) > 0 && encryption == (storage.Encryption{}) {
		return `"` + hex.EncodeToString(md5) + `"`
	}
	if etag != "" {
		return `"-` + etag + `"`
	}
	return ""
}

// wholeSeconds truncates a time to seconds. Listings have more precise times than headers, but must
// return the same times.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func decimal(generation int64) string { return strconv.FormatInt(generation, 10) }

// decodeMD5 decodes an MD5 in base64. If sum is not one, decodeMD5 returns nil.
func decodeMD5(sum string) []byte {
	raw, err := base64.StdEncoding.DecodeString(sum)
	if err != nil || len(raw) != md5Bytes {
		return nil
	}
	return raw
}

const md5Bytes = 16 // length of an MD5
