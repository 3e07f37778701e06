package driverstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// reservedName is the name of the metadata in which this server stores properties for which the
// driver has no field. reservedTag is the key of a tag for the same purpose. Clients never see
// either. S3 forbids clients to set tags that begin with "aws:".
const (
	reservedName = "s3server"
	reservedTag  = "aws:s3server"
)

// The reserved metadata is a text with the form of a URL's query. These are the names in the query.
const (
	entryETag       = "e" // MD5; for a multipart object, followed by "-N", the number of parts
	entryCRC        = "c" // CRC32C of the bytes; the entries e, s and p are valid only for these bytes
	entrySum        = "s" // NAME:VALUE:COVERS
	entryParts      = "p" // sizes
	entryPartSums   = "q" // checksums of the parts
	entryEncryption = "n"
	entryACL        = "a"
	entryHold       = "l"
	entryUpload     = "u"  // the id of the upload that made the object
	entryHeader     = "h." // prefix of entries for headers
	entryRestored   = "r"
	entryClass      = "k"
	entryAccount    = "o"
)

// SetContentHeaders sets the headers for which [storage.Properties] has a field, such as Content-Type, except those
// whose field is "".
func SetContentHeaders(header http.Header, p *storage.Properties) {
	set := func(name, value string) {
		if value != "" {
			header.Set(name, value)
		}
	}
	set("Content-Type", p.ContentType)
	set("Content-Encoding", p.ContentEncoding)
	set("Content-Disposition", p.ContentDisposition)
	set("Content-Language", p.ContentLanguage)
	set("Cache-Control", p.CacheControl)
}

// contentField returns the field of p for a header, or nil if p has none.
func contentField(p *storage.Properties, header string) *string {
	switch header {
	case "Content-Type":
		return &p.ContentType
	case "Content-Encoding":
		return &p.ContentEncoding
	case "Content-Disposition":
		return &p.ContentDisposition
	case "Content-Language":
		return &p.ContentLanguage
	case "Cache-Control":
		return &p.CacheControl
	}
	return nil
}

const metadataName = "x-amz-meta-"

// propertiesOf splits the properties of an object into p, which has those for which the driver has fields, and reserved,
// the values of the reserved metadata, which has the rest.
func (b *driverBucket) propertiesOf(o *state.Object) (p storage.Properties, reserved url.Values, err error) {
	// Even an object without user metadata has reserved metadata.
	if err := b.requireFeature(storage.Metadata, "metadata"); err != nil {
		return p, nil, err
	}
	if err := b.requireFeature(storage.ContentProperties, "content types"); err != nil {
		return p, nil, err
	}

	p.Metadata = map[string]string{}
	reserved = url.Values{}
	if err := b.splitHeader(o.Properties.Header, &p, reserved); err != nil {
		return p, nil, err
	}
	if o.Properties.Class != state.Standard {
		p.StorageClass = o.Properties.Class
		if err := b.requireFeature(storage.StorageClasses, "storage class "+o.Properties.Class); err != nil {
			return p, nil, err
		}
	}
	return p, reserved, addControls(b, o, reserved)
}

// splitHeader sets the fields and the metadata of p from the headers of an object, and puts the other headers into
// reserved. It fails with NotImplemented if metadata of the client has the name of the server's own.
func (b *driverBucket) splitHeader(header http.Header, p *storage.Properties, reserved url.Values) error {
	for name, values := range header {
		value := strings.Join(values, ",")
		meta, isMetadata := strings.CutPrefix(strings.ToLower(name), metadataName)
		if isMetadata && isHidden(b, meta) {
			return s3error.New("NotImplemented", "Header", name).
				WithMessage("This name of metadata is the server's own")
		}

		field := contentField(p, name)
		switch {
		case isMetadata:
			p.Metadata[meta] = value
		case field != nil:
			*field = value
		default:
			reserved.Set(entryHeader+name, value)
		}
	}
	return nil
}

// addControls adds the encryption, the owner, the ACL, the upload's id and a legal hold that is off to values, the
// reserved metadata of an object, because the driver has no fields for them. It fails with NotImplemented for an
// encryption that a gateway cannot have.
func addControls(b *driverBucket, o *state.Object, values url.Values) error {
	// Without an entry, restore sets the default, which is encryption by the store.
	e := o.Encryption
	if e.Algorithm != state.ByStore {
		if !b.ownStore() {
			return s3error.New("NotImplemented", "Header", state.SSEHeader).
				WithMessage("A gateway does not encrypt: it cannot take this encryption")
		}
		values.Set(
			entryEncryption,
			strings.Join([]string{e.Algorithm, e.KMSKey, strconv.FormatBool(e.BucketKey), e.CustomerMD5}, "\n"),
		)
	}

	// Values that are the default need no metadata.
	if o.Account != b.owner() {
		values.Set(entryAccount, o.Account)
	}
	// The driver cannot tell a hold that is off from one that was never set.
	if o.Lock.Hold == "OFF" {
		values.Set(entryHold, "OFF")
	}
	if o.ACL != nil {
		values.Set(entryACL, aclText(o))
	}
	if o.Upload != "" {
		values.Set(entryUpload, o.Upload)
	}
	return nil
}

// aclText returns the ACL of an object as JSON.
func aclText(o *state.Object) string {
	document, _ := json.Marshal(o.ACL) // encoding an ACL cannot fail
	return string(document)
}

// addContent adds the entity tag, the checksum and the list of parts of an object to values, its reserved metadata. It
// adds nothing if a layer encrypts the object, because the store must not learn a checksum of the plain bytes.
func (b *driverBucket) addContent(values url.Values, o *state.Object, crc storage.CRC32C) {
	// A layer that encrypts has metadata of its own.
	mayBeEncrypted := len(b.description().HiddenMetadata) > 0
	if mayBeEncrypted {
		return
	}
	values.Set(entryETag, strings.Trim(o.ETag, `"`))
	values.Set(entryCRC, crc.String())
	if o.Sum.Kind != nil {
		values.Set(entrySum, o.Sum.Kind.Name+":"+o.Sum.Value+":"+o.Sum.Covers)
	}
	if o.Parts != nil {
		b.addParts(values, o.Parts)
	}
}

// addParts adds the sizes and the checksums of parts to values, the reserved metadata of their object. The metadata of
// a provider has room only for a short list of parts, maybe without their checksums.
func (b *driverBucket) addParts(values url.Values, parts []state.ObjectPart) {
	sizes := partSizes(parts)
	sums := partSums(parts)
	isUnlimited := b.ownStore()
	if isUnlimited || len(sizes) <= maxPartsEntry {
		values.Set(entryParts, sizes)
	}
	if isUnlimited || len(sizes)+len(sums) <= maxPartsEntry {
		values.Set(entryPartSums, sums)
	}
}

// version converts a driver's attributes and tags of an object to a version as S3 clients see it.
func (b *driverBucket) version(key string, a *storage.Attrs, tags map[string]string) *state.Version {
	v := &state.Version{
		Key:      key,
		ID:       b.shownVersion(a.Version, a.Modified),
		Modified: shownTime(a.Modified),
		Object: state.Object{
			Size:      a.Size,
			StoreETag: !b.keepsETags(),
			Properties: state.Properties{
				Class:  cmp.Or(a.StorageClass, state.Standard),
				Header: b.headerOf(key, a),
				Tags:   shownTags(tags),
			},
			Lock: state.Lock{
				Mode:  strings.ToUpper(string(a.Retention.Mode)),
				Until: a.Retention.Until,
			},
		},
	}
	if a.LegalHold {
		v.Object.Lock.Hold = "ON"
	}

	// The reserved metadata and tag have the rest. Clients cannot write them, so they are always well-formed.
	values, _ := url.ParseQuery(a.Metadata[reservedName])
	changes, _ := url.ParseQuery(tags[reservedTag])
	b.restore(&v.Object, a, values)
	restoreChanges(&v.Object, changes)
	return v
}

// headerOf returns the headers of an object that clients see: those for which the driver has a field, such as
// Content-Type, and one for each metadata value of a client.
func (b *driverBucket) headerOf(key string, a *storage.Attrs) http.Header {
	header := http.Header{}
	SetContentHeaders(header, &a.Properties)
	if a.ContentType == "" {
		header.Set("Content-Type", cmp.Or(headertext.MediaTypeByExtension(key), "binary/octet-stream"))
	}
	for name, value := range a.Metadata {
		if !isHidden(b, name) {
			header[metadataName+name] = []string{value}
		}
	}
	return header
}

// shownTags returns the tags of an object, except the server's own, in the order of their names.
func shownTags(tags map[string]string) []tagging.Tag {
	var shown []tagging.Tag
	for name, value := range tags {
		if name != reservedTag {
			shown = append(shown, tagging.Tag{Key: name, Value: value})
		}
	}
	slices.SortFunc(shown, func(x, y tagging.Tag) int { return strings.Compare(x.Key, y.Key) })
	return shown
}

// restore sets the properties of o from values, its reserved metadata, which propertiesOf and addContent have made.
func (b *driverBucket) restore(o *state.Object, a *storage.Attrs, values url.Values) {
	for name := range values {
		if header, ok := strings.CutPrefix(name, entryHeader); ok {
			o.Properties.Header[header] = []string{values.Get(name)}
		}
	}

	// The encryption has one line for each of its fields. Without them, the store encrypts.
	o.Encryption.Algorithm = state.ByStore
	fields := strings.Split(values.Get(entryEncryption), "\n")
	if len(fields) == 4 {
		o.Encryption = state.Encryption{
			Algorithm:   fields[0],
			KMSKey:      fields[1],
			BucketKey:   fields[2] == "true",
			CustomerMD5: fields[3],
		}
	}

	// The error for an object without an ACL is ignored, because the ACL then stays nil.
	_ = json.Unmarshal([]byte(values.Get(entryACL)), &o.ACL)
	o.Lock.Hold = cmp.Or(o.Lock.Hold, values.Get(entryHold))
	o.Upload = values.Get(entryUpload)

	// An account of "" means that an anonymous client wrote the object.
	o.Account = values.Get(entryAccount)
	if !values.Has(entryAccount) {
		o.Account = b.owner()
	}
	b.restoreContent(o, a, values)
}

// restoreContent sets the entity tag, the checksum and the parts of o from its reserved metadata. It ignores these
// values if another program has changed the object since, so that its CRC32C is not the stored one.
func (b *driverBucket) restoreContent(o *state.Object, a *storage.Attrs, values url.Values) {
	crc := values.Get(entryCRC)
	isUnchanged := crc != "" && crc == a.CRC32C.String()
	if isUnchanged && b.keepsETags() {
		o.ETag = `"` + values.Get(entryETag) + `"`
	} else {
		o.ETag = b.etagOf(a.ETag, a.Revision)
	}

	// The driver's checksum is that of the new content.
	if !isUnchanged {
		if a.CRC32C.Known {
			o.Sum = checksum.Sum{
				Kind:   checksum.ByName("CRC32C"),
				Value:  crc32c.Encode(a.CRC32C.Sum),
				Covers: checksum.FullObject,
			}
		}
		return
	}

	// addContent has stored NAME:VALUE:COVERS.
	fields := strings.SplitN(values.Get(entrySum), ":", 3)
	if len(fields) == 3 {
		o.Sum = checksum.Sum{Kind: checksum.ByName(fields[0]), Value: fields[1], Covers: fields[2]}
	}
	o.Parts = readParts(values.Get(entryParts), values.Get(entryPartSums), o.Sum.Kind)
}

// owner returns the account that owns the bucket.
func (b *driverBucket) owner() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cached != nil {
		return b.cached.bucket.Account
	}
	return b.store.Account
}

// restoreChanges sets the properties of o that were changed after the object was written. changes are the values that
// changesOf has encoded in a tag of the server's own. Clients cannot write the tag, so the values are always
// well-formed.
func restoreChanges(o *state.Object, changes url.Values) {
	if value := changes.Get(entryACL); value != "" {
		_ = json.Unmarshal([]byte(value), &o.ACL)
	}
	if class := changes.Get(entryClass); class != "" {
		o.Properties.Class = class
	}
	// The driver has a field for a hold that is on. The tag only tells a hold that is off from one that was never set.
	if changes.Has(entryHold) && o.Lock.Hold != "ON" {
		o.Lock.Hold = changes.Get(entryHold)
	}
	if start, end, ok := strings.Cut(changes.Get(entryRestored), " "); ok {
		o.Restored.From, _ = time.Parse(time.RFC3339Nano, start)
		o.Restored.Until, _ = time.Parse(time.RFC3339Nano, end)
	}
}

// changesOf returns the properties that may change after the object was written, in the form that restoreChanges reads.
func changesOf(o *state.Object) url.Values {
	values := url.Values{entryClass: {o.Properties.Class}, entryACL: {aclText(o)}}
	if o.Lock.Hold == "OFF" {
		values.Set(entryHold, "OFF")
	}
	if o.Restored != (state.Restored{}) {
		values.Set(entryRestored, o.Restored.From.Format(time.RFC3339Nano)+" "+o.Restored.Until.Format(time.RFC3339Nano))
	}
	return values
}

// isHidden reports whether metadata with this name is hidden: clients can neither see nor set it.
func isHidden(b *driverBucket, name string) bool {
	return name == reservedName || slices.Contains(b.description().HiddenMetadata, name)
}

// keepsETags reports whether the server computes and stores the entity tags itself, instead of
// using those of the driver. The server does so only if the driver is on this machine. A listing
// must read the stored tag of each object, which needs a request for each object of a remote
// driver. The driver must also store a checksum of the object. The checksum shows whether the
// entity tag still belongs to the bytes.
func (b *driverBucket) keepsETags() bool {
	return b.description().Local && b.has(storage.StoredChecksums)
}

// etagOf returns the entity tag of an object for which this server has stored none. It is S3's own tag, or otherwise a
// hash of the revision. The hash has the suffix "-1" of a multipart upload, so that no client takes it for the MD5 of
// the bytes.
func (b *driverBucket) etagOf(etag, revision string) string {
	if b.description().Provider == "s3" && etag != "" {
		return etag
	}
	hash := sha256.Sum256([]byte(cmp.Or(revision, etag)))
	return `"` + hex.EncodeToString(hash[:16]) + `-1"`
}
