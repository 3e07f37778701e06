package recorded

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A Result is what a caller learns from one response.
type Result struct {
	Code    storage.Code // "" if the call succeeded
	Attrs   *storage.Attrs
	Content string
	Entries []storage.ListEntry
	More    bool // true if a listing has another page
	Buckets []string
}

// Expected returns what a caller must learn from the response of x. It reads the response without
// the driver, and without the provider's SDK.
func (x *Exchange) Expected() Result {
	if x.Response.Status >= http.StatusMultipleChoices {
		return Result{Code: x.expectedCode()}
	}
	switch x.Kind {
	case Head, Get, GetRange:
		return x.expectedObject()
	case Put, PutIf, Copy, CopyIf, Compose:
		return Result{Attrs: x.expectedWrite()}
	case List, ListVersions:
		return x.expectedPage()
	case GetPolicy, SetPolicy:
		return Result{Buckets: []string{x.Bucket}}
	case BucketInfo, CreateBucket, UpdateBucket:
		var bucket struct{ Name string }
		_ = json.Unmarshal(x.Response.Body, &bucket)
		return Result{Buckets: []string{bucket.Name}}
	case ListBuckets:
		var page struct{ Items []struct{ Name string } }
		_ = json.Unmarshal(x.Response.Body, &page)
		r := Result{}
		for _, item := range page.Items {
			r.Buckets = append(r.Buckets, item.Name)
		}
		return r
	}
	return Result{}
}

// codes are the meanings of the providers' error codes. A code that is missing means what its
// status means.
var codes = map[string]storage.Code{
	"NoSuchKey":                       storage.ObjectNotFound,
	"NoSuchBucket":                    storage.BucketNotFound,
	"SignatureDoesNotMatch":           storage.Unauthenticated,
	"BlobNotFound":                    storage.ObjectNotFound,
	"ContainerNotFound":               storage.BucketNotFound,
	"BlobAlreadyExists":               storage.PreconditionFailed,
	"AuthorizationPermissionMismatch": storage.PermissionDenied,
	"AuthenticationFailed":            storage.Unauthenticated,
	"rateLimitExceeded":               storage.RateLimited,
	"UserProjectMissing":              storage.InvalidArgument,
	"UserProjectAccessDenied":         storage.PermissionDenied,
}

// statuses are the meanings of statuses.
var statuses = map[int]storage.Code{
	http.StatusNotModified:                  storage.NotModified,
	http.StatusBadRequest:                   storage.InvalidArgument,
	http.StatusUnauthorized:                 storage.Unauthenticated,
	http.StatusForbidden:                    storage.PermissionDenied,
	http.StatusNotFound:                     storage.ObjectNotFound,
	http.StatusPreconditionFailed:           storage.PreconditionFailed,
	http.StatusRequestedRangeNotSatisfiable: storage.RangeNotSatisfiable,
	http.StatusTooManyRequests:              storage.RateLimited,
	http.StatusBadGateway:                   storage.Unavailable,
}

func (x *Exchange) expectedCode() storage.Code {
	code, ok := codes[x.errorCode()]
	if !ok {
		code = statuses[x.Response.Status]
	}
	if x.isLocked() {
		return storage.Locked
	}
	if x.Response.Status == http.StatusBadRequest && strings.Contains(string(x.Response.Body), "doesn't match calculated") {
		return storage.ChecksumMismatch // Google's code is that of any invalid argument
	}
	if x.isHidden() {
		return storage.Unauthenticated
	}
	isMissing := code == storage.ObjectNotFound
	if isMissing && (x.Kind == Delete || x.Kind == DeleteIf) {
		return "" // a removal of a missing object succeeds
	}
	if isMissing && (x.Kind == Copy || x.Kind == CopyIf) {
		return storage.Changed // the source existed when its attributes were read
	}
	if isMissing && (x.Kind == List || x.Kind == ListVersions || isOfBucket(x.Kind)) {
		return storage.BucketNotFound
	}
	return code
}

func isOfBucket(k Kind) bool {
	return k == BucketInfo || k == UpdateBucket || k == DeleteBucket || k == GetPolicy || k == SetPolicy
}

// isLocked reports whether Google refused a change because of a retention. The code in the response
// is that of a missing permission.
func (x *Exchange) isLocked() bool {
	return x.Provider == Google && x.Response.Status == http.StatusForbidden &&
		(strings.Contains(string(x.Response.Body), "retention policy and cannot be deleted") ||
			strings.Contains(string(x.Response.Body), "Cannot reduce retention duration of a locked"))
}

// isHidden reports whether Azure hides the container from a request without credentials.
func (x *Exchange) isHidden() bool {
	return x.Provider == Azure && x.Response.Status == http.StatusNotFound && x.Response.Header.Get("X-Ms-Error-Code") == ""
}

// errorCode returns the provider's own code in an error response, or "".
func (x *Exchange) errorCode() string {
	if code := x.Response.Header.Get("X-Ms-Error-Code"); code != "" {
		return code
	}
	var document struct{ Code string }
	if xml.Unmarshal(withoutMark(x.Response.Body), &document) == nil && document.Code != "" {
		return document.Code
	}
	var failure struct {
		Error struct{ Errors []struct{ Reason string } }
	}
	if json.Unmarshal(x.Response.Body, &failure) == nil && len(failure.Error.Errors) > 0 {
		return failure.Error.Errors[0].Reason
	}
	return ""
}

func withoutMark(document []byte) []byte {
	return []byte(strings.TrimPrefix(string(document), "\ufeff"))
}

func (x *Exchange) expectedObject() Result {
	r := Result{}
	if x.Kind != Head {
		r.Content = string(x.Response.Body)
	}
	if x.Provider == Google && x.Kind == Head {
		r.Attrs = googleObject(x.Response.Body)
		if r.Attrs.ContentType == "" {
			r.Attrs.ContentType = "application/octet-stream"
		}
		return r
	}
	h := x.Response.Header
	a := &storage.Attrs{
		Key: x.Key,
		Properties: storage.Properties{
			ContentType:        h.Get("Content-Type"),
			ContentEncoding:    h.Get("Content-Encoding"),
			ContentDisposition: h.Get("Content-Disposition"),
			ContentLanguage:    h.Get("Content-Language"),
			CacheControl:       h.Get("Cache-Control"),
		},
		ETag: h.Get("Etag"),
	}
	a.Size = size(h)
	a.Modified = headerTime(h.Get("Last-Modified"))
	metadata := map[Provider]string{Amazon: "X-Amz-Meta-", Google: "X-Goog-Meta-", Azure: "X-Ms-Meta-"}[x.Provider]
	for name := range h {
		if key, ok := strings.CutPrefix(name, metadata); ok {
			if a.Metadata == nil {
				a.Metadata = map[string]string{}
			}
			key, value := storedPair(x.Provider, strings.ToLower(key), h.Get(name))
			a.Metadata[key] = value
		}
	}
	delete(a.Metadata, "omnibucketwriteid") // the engine hides it
	switch x.Provider {
	case Amazon:
		a.Revision = a.ETag
		a.Encryption.Algorithm = h.Get("X-Amz-Server-Side-Encryption")
		a.StorageClass = h.Get("X-Amz-Storage-Class")
		a.CRC32C = crc32C(h.Get("X-Amz-Checksum-Crc32c"))
	case Google:
		if a.ContentEncoding == "identity" {
			a.ContentEncoding = "" // as Google, whatever fake-gcs-server sends
		}
		a.Revision = h.Get("X-Goog-Generation")
		a.Version = a.Revision
		if class := h.Get("X-Goog-Storage-Class"); class != "STANDARD" {
			a.StorageClass = class
		}
		if a.CacheControl == "private, max-age=0" {
			a.CacheControl = ""
		}
		for _, sums := range h.Values("X-Goog-Hash") {
			for sum := range strings.SplitSeq(sums, ",") {
				name, value, _ := strings.Cut(sum, "=")
				switch name {
				case "crc32c":
					a.CRC32C = crc32C(value)
				case "md5":
					a.MD5, _ = base64.StdEncoding.DecodeString(value)
				}
			}
		}
		a.Encryption = googleEncryption(h.Get("X-Goog-Encryption-Kms-Key-Name"), h.Get("X-Goog-Encryption-Key-Sha256"))
		if a.Encryption == (storage.Encryption{}) && len(a.MD5) > 0 {
			a.ETag = `"` + hex.EncodeToString(a.MD5) + `"` // as Google, whatever fake-gcs-server sends
		}
	case Azure:
		a.Revision = a.ETag
		azureSums(a, h)
		if h.Get("X-Ms-Access-Tier-Inferred") != "true" {
			a.StorageClass = h.Get("X-Ms-Access-Tier")
		}
		if h.Get("X-Ms-Server-Encrypted") == "true" {
			a.Encryption.Algorithm = "AES256"
		}
	}
	if a.ContentType == "" {
		a.ContentType = "application/octet-stream" // rule W9: the keys have no extension
	}
	r.Attrs = a
	return r
}

var escapedName = regexp.MustCompile("_x002d_|_x005f_")

// storedPair returns what a pair of metadata means. Amazon and Azure keep only ASCII, and Azure's names
// have no hyphen (rule W8).
func storedPair(p Provider, key, value string) (name, text string) {
	if p == Google {
		return key, value
	}
	if p == Azure {
		key = escapedName.ReplaceAllStringFunc(key, func(escape string) string {
			return map[string]string{"_x002d_": "-", "_x005f_": "_"}[escape]
		})
	}
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		text = value
	}
	return key, text
}

// azureSums sets the checksums of an object that the driver wrote. It keeps the CRC32C, which Azure
// does not have, and the size in metadata. Without it, the MD5 is not used.
func azureSums(a *storage.Attrs, h http.Header) {
	sum, size, _ := strings.Cut(a.Metadata["omnibucket_crc32c"], "-")
	delete(a.Metadata, "omnibucket_crc32c")
	crc, err := strconv.ParseUint(sum, 16, 32)
	if err != nil || size != strconv.FormatInt(a.Size, 10) {
		return
	}
	a.CRC32C = storage.CRC32C{Sum: uint32(crc), Known: true}
	md5 := h.Get("X-Ms-Blob-Content-Md5")
	if h.Get("Content-Range") == "" {
		md5 = cmp.Or(h.Get("Content-Md5"), md5)
	}
	a.MD5, _ = base64.StdEncoding.DecodeString(md5)
}

// size returns the size of the whole object.
func size(h http.Header) int64 {
	text := h.Get("Content-Length")
	if value := h.Get("X-Goog-Stored-Content-Length"); value != "" {
		text = value
	}
	if _, total, isRange := strings.Cut(h.Get("Content-Range"), "/"); isRange {
		text = total
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func headerTime(text string) time.Time {
	t, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func crc32C(text string) storage.CRC32C {
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sum) != 4 {
		return storage.CRC32C{}
	}
	return storage.CRC32C{Sum: binary.BigEndian.Uint32(sum), Known: true}
}

// A googleResource is an object in the JSON API.
type googleResource struct {
	Name, ContentType, ContentEncoding, ContentDisposition, ContentLanguage, CacheControl string

	StorageClass, Size, MD5Hash, CRC32C, Etag, Generation, TimeCreated, KMSKeyName string

	Metadata           map[string]string
	CustomerEncryption struct{ KeySHA256 string }
	TemporaryHold      bool
}

func (o *googleResource) attrs() *storage.Attrs {
	a := &storage.Attrs{
		Key: o.Name,
		Properties: storage.Properties{
			ContentType:        o.ContentType,
			ContentEncoding:    o.ContentEncoding,
			ContentDisposition: o.ContentDisposition,
			ContentLanguage:    o.ContentLanguage,
			CacheControl:       o.CacheControl,
			Metadata:           o.Metadata,
			StorageClass:       o.StorageClass,
		},
		Revision:   o.Generation,
		Version:    o.Generation,
		CRC32C:     crc32C(o.CRC32C),
		LegalHold:  o.TemporaryHold,
		Encryption: googleEncryption(o.KMSKeyName, o.CustomerEncryption.KeySHA256),
	}
	delete(a.Metadata, "omnibucketwriteid") // the engine hides it
	if a.StorageClass == "STANDARD" {
		a.StorageClass = ""
	}
	a.Size, _ = strconv.ParseInt(o.Size, 10, 64)
	if created, err := time.Parse(time.RFC3339Nano, o.TimeCreated); err == nil {
		a.Modified = created.UTC().Truncate(time.Second)
	}
	a.ETag = `"-` + o.Etag + `"`
	if o.MD5Hash != "" {
		a.MD5, _ = base64.StdEncoding.DecodeString(o.MD5Hash)
		if o.CustomerEncryption.KeySHA256 == "" && o.KMSKeyName == "" {
			a.ETag = `"` + hex.EncodeToString(a.MD5) + `"`
		}
	}
	return a
}

func googleObject(document []byte) *storage.Attrs {
	var o googleResource
	_ = json.Unmarshal(document, &o)
	return o.attrs()
}

func googleEncryption(kms, customer string) storage.Encryption {
	if customer != "" {
		return storage.Encryption{Algorithm: "AES256", KeyID: customer}
	}
	return storage.Encryption{KeyID: kms}
}

// expectedWrite returns the attributes in the response to a write. The caller of a write knows the
// other attributes, because it has sent them.
func (x *Exchange) expectedWrite() *storage.Attrs {
	h := x.Response.Header
	switch x.Provider {
	case Google:
		var done struct{ Resource json.RawMessage }
		if json.Unmarshal(x.Response.Body, &done) == nil && done.Resource != nil {
			return written(googleObject(done.Resource))
		}
		return written(googleObject(x.Response.Body))
	case Amazon:
		tag := h.Get("Etag")
		if x.Kind == Copy || x.Kind == CopyIf {
			var result struct{ ETag, LastModified string }
			_ = xml.Unmarshal(x.Response.Body, &result)
			t, _ := time.Parse(time.RFC3339Nano, result.LastModified)
			return &storage.Attrs{ETag: result.ETag, Revision: result.ETag, Modified: t.UTC().Truncate(time.Second)}
		}
		return &storage.Attrs{ETag: tag, Revision: tag}
	}
	return &storage.Attrs{
		ETag:     h.Get("Etag"),
		Revision: h.Get("Etag"),
		Modified: headerTime(h.Get("Last-Modified")),
	}
}

// written returns only the attributes that the response to a write tells.
func written(a *storage.Attrs) *storage.Attrs {
	if a == nil {
		return nil
	}
	return &storage.Attrs{ETag: a.ETag, Revision: a.Revision, Version: a.Version, Modified: a.Modified}
}

func (x *Exchange) expectedPage() Result {
	var r Result
	switch x.Provider {
	case Amazon:
		r = amazonPage(x.Response.Body)
	case Google:
		r = googlePage(x.Response.Body)
	case Azure:
		r = azurePage(x.Response.Body, x.Request.URL.Query().Get("delimiter"))
	}
	slices.SortStableFunc(r.Entries, func(a, b storage.ListEntry) int { return strings.Compare(a.Key, b.Key) })
	return r
}

func amazonPage(document []byte) Result {
	var page struct {
		EncodingType string
		IsTruncated  bool
		Contents     []struct {
			Key, ETag, LastModified, StorageClass string
			Size                                  int64
		}
		CommonPrefixes []struct{ Prefix string }
	}
	_ = xml.Unmarshal(document, &page)
	decode := func(key string) string {
		if page.EncodingType != "url" {
			return key
		}
		text, _ := url.QueryUnescape(key)
		return text
	}
	r := Result{More: page.IsTruncated}
	for _, o := range page.Contents {
		e := storage.ListEntry{Key: decode(o.Key), Size: o.Size, ETag: o.ETag, Revision: o.ETag, StorageClass: o.StorageClass}
		if e.StorageClass == "STANDARD" {
			e.StorageClass = ""
		}
		if t, err := time.Parse(time.RFC3339Nano, o.LastModified); err == nil {
			e.Modified = t.UTC().Truncate(time.Second)
		}
		r.Entries = append(r.Entries, e)
	}
	for _, p := range page.CommonPrefixes {
		r.Entries = append(r.Entries, storage.ListEntry{Key: decode(p.Prefix), IsPrefix: true})
	}
	return r
}

func googlePage(document []byte) Result {
	var page struct {
		NextPageToken string
		Prefixes      []string
		Items         []googleResource
	}
	_ = json.Unmarshal(document, &page)
	r := Result{More: page.NextPageToken != ""}
	for _, o := range page.Items {
		a := o.attrs()
		r.Entries = append(r.Entries, storage.ListEntry{
			Key:          a.Key,
			Size:         a.Size,
			ETag:         a.ETag,
			Revision:     a.Revision,
			Modified:     a.Modified,
			StorageClass: a.StorageClass,
		})
	}
	for _, p := range page.Prefixes {
		r.Entries = append(r.Entries, storage.ListEntry{Key: p, IsPrefix: true})
	}
	return r
}

// azurePage returns the entries of a listing. Without a delimiter it has no prefixes, even if the
// document is that of another listing.
func azurePage(document []byte, delimiter string) Result {
	var page struct {
		NextMarker string
		Blobs      struct {
			Blob []struct {
				Name       string
				Properties struct {
					ContentLength      int64  `xml:"Content-Length"`
					LastModified       string `xml:"Last-Modified"`
					Etag               string
					AccessTier         string
					AccessTierInferred bool
				}
			}
			BlobPrefix []struct{ Name string }
		}
	}
	_ = xml.Unmarshal(withoutMark(document), &page)
	r := Result{More: page.NextMarker != ""}
	for _, b := range page.Blobs.Blob {
		e := storage.ListEntry{Key: b.Name, Size: b.Properties.ContentLength, Modified: headerTime(b.Properties.LastModified)}
		e.ETag = `"` + strings.Trim(b.Properties.Etag, `"`) + `"`
		e.Revision = e.ETag
		if !b.Properties.AccessTierInferred {
			e.StorageClass = b.Properties.AccessTier
		}
		r.Entries = append(r.Entries, e)
	}
	for _, p := range page.Blobs.BlobPrefix {
		if delimiter != "" {
			r.Entries = append(r.Entries, storage.ListEntry{Key: p.Name, IsPrefix: true})
		}
	}
	return r
}

// jsonKind returns the kind of a JSON document of Google, or "".
func jsonKind(body []byte) string {
	var document struct{ Kind string }
	if json.Unmarshal(body, &document) != nil {
		return ""
	}
	return document.Kind
}

// xmlRoot returns the name of the root of a whole XML document, or "".
func xmlRoot(body []byte) string {
	var root struct{ XMLName xml.Name }
	if xml.Unmarshal(withoutMark(body), &root) != nil {
		return ""
	}
	return root.XMLName.Local
}
