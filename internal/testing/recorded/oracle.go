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

// Expected returns what a caller must learn from the response of x. It reads the response itself,
// without the driver and the provider's SDK.
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
		return Result{Buckets: x.expectedBuckets()}
	}
	return Result{}
}

// expectedBuckets returns the names of the buckets in a listing of an account.
func (x *Exchange) expectedBuckets() []string {
	var page struct{ Items []struct{ Name string } }
	_ = json.Unmarshal(x.Response.Body, &page)
	var names []string
	for _, item := range page.Items {
		names = append(names, item.Name)
	}
	return names
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

// expectedCode returns the code of the error that a caller must get, or "" if the call succeeds.
func (x *Exchange) expectedCode() storage.Code {
	// In these cases, the provider's code and the status do not tell the reason.
	if x.isLocked() {
		return storage.Locked
	}
	isMismatch := x.Response.Status == http.StatusBadRequest &&
		strings.Contains(string(x.Response.Body), "doesn't match calculated")
	if isMismatch {
		return storage.ChecksumMismatch
	}
	if x.isHidden() {
		return storage.Unauthenticated
	}

	// The provider's code says more than the status. For a success, there is neither.
	code, hasCode := codes[x.errorCode()]
	if !hasCode {
		code = statuses[x.Response.Status]
	}
	if code == storage.ObjectNotFound {
		return x.codeOfMissing()
	}
	return code
}

// codeOfMissing returns the code that a caller must get if the response says that the object is missing,
// or "" if the call succeeds.
func (x *Exchange) codeOfMissing() storage.Code {
	switch x.Kind {
	case Delete, DeleteIf:
		return "" // a removal of a missing object succeeds
	case Copy, CopyIf:
		return storage.Changed // the source existed when its attributes were read
	case List, ListVersions, BucketInfo, UpdateBucket, DeleteBucket, GetPolicy, SetPolicy:
		return storage.BucketNotFound
	default:
		return storage.ObjectNotFound
	}
}

// isLocked reports whether Google refused a change because of a retention. The code in the response
// is that of a missing permission.
func (x *Exchange) isLocked() bool {
	if x.Provider != Google || x.Response.Status != http.StatusForbidden {
		return false
	}
	body := string(x.Response.Body)
	return strings.Contains(body, "retention policy and cannot be deleted") ||
		strings.Contains(body, "Cannot reduce retention duration of a locked")
}

// isHidden reports whether Azure hides the container from a request without credentials.
func (x *Exchange) isHidden() bool {
	return x.Provider == Azure && x.Response.Status == http.StatusNotFound && x.Response.Header.Get("X-Ms-Error-Code") == ""
}

// errorCode returns the provider's own code in an error response, or "".
func (x *Exchange) errorCode() string {
	// Azure has the code in a header, because a response to HEAD has no body.
	if code := x.Response.Header.Get("X-Ms-Error-Code"); code != "" {
		return code
	}

	// Amazon, Azure and Google's XML API send a document in XML.
	var document struct{ Code string }
	err := xml.Unmarshal(withoutMark(x.Response.Body), &document)
	if err == nil && document.Code != "" {
		return document.Code
	}

	// Google's JSON API sends a list of errors.
	var failure struct {
		Error struct{ Errors []struct{ Reason string } }
	}
	err = json.Unmarshal(x.Response.Body, &failure)
	if err != nil || len(failure.Error.Errors) == 0 {
		return ""
	}
	return failure.Error.Errors[0].Reason
}

// withoutMark returns a document without the byte order mark at its beginning.
func withoutMark(document []byte) []byte {
	return []byte(strings.TrimPrefix(string(document), "\ufeff"))
}

// expectedObject returns the attributes and the content in the response to a read.
func (x *Exchange) expectedObject() Result {
	r := Result{}
	if x.Kind != Head {
		r.Content = string(x.Response.Body)
	}
	if x.Provider == Google && x.Kind == Head {
		r.Attrs = googleObject(x.Response.Body)
	} else {
		r.Attrs = x.headerAttrs()
	}
	// No key of the recordings has an extension, so that rule W9 gives the object this type.
	r.Attrs.ContentType = cmp.Or(r.Attrs.ContentType, "application/octet-stream")
	return r
}

// headerAttrs returns the attributes in the headers of a response.
func (x *Exchange) headerAttrs() *storage.Attrs {
	h := x.Response.Header
	attrs := &storage.Attrs{
		Key: x.Key,
		Properties: storage.Properties{
			ContentType:        h.Get("Content-Type"),
			ContentEncoding:    h.Get("Content-Encoding"),
			ContentDisposition: h.Get("Content-Disposition"),
			ContentLanguage:    h.Get("Content-Language"),
			CacheControl:       h.Get("Cache-Control"),
			Metadata:           headerMetadata(x.Provider, h),
		},
		ETag:     h.Get("Etag"),
		Size:     size(h),
		Modified: headerTime(h.Get("Last-Modified")),
	}
	switch x.Provider {
	case Amazon:
		attrs.Revision = attrs.ETag
		attrs.Encryption.Algorithm = h.Get("X-Amz-Server-Side-Encryption")
		attrs.StorageClass = h.Get("X-Amz-Storage-Class")
		attrs.CRC32C = crc32C(h.Get("X-Amz-Checksum-Crc32c"))
	case Google:
		setGoogleHeaders(attrs, h)
	case Azure:
		setAzureHeaders(attrs, h)
	}
	return attrs
}

// setAzureHeaders sets the attributes that only Azure has in headers.
func setAzureHeaders(attrs *storage.Attrs, h http.Header) {
	attrs.Revision = attrs.ETag
	azureSums(attrs, h)
	if h.Get("X-Ms-Access-Tier-Inferred") != "true" {
		attrs.StorageClass = h.Get("X-Ms-Access-Tier")
	}
	if h.Get("X-Ms-Server-Encrypted") == "true" {
		attrs.Encryption.Algorithm = "AES256"
	}
}

// setGoogleHeaders sets the attributes that only Google has in headers.
func setGoogleHeaders(attrs *storage.Attrs, h http.Header) {
	attrs.Revision = h.Get("X-Goog-Generation")
	attrs.Version = attrs.Revision

	// Each of these values is the default, which the driver reports as "". Only fake-gcs-server sends "identity".
	attrs.StorageClass = h.Get("X-Goog-Storage-Class")
	if attrs.StorageClass == "STANDARD" {
		attrs.StorageClass = ""
	}
	if attrs.ContentEncoding == "identity" {
		attrs.ContentEncoding = ""
	}
	if attrs.CacheControl == "private, max-age=0" {
		attrs.CacheControl = ""
	}

	// X-Goog-Hash is crc32c=…,md5=… in one header or in two.
	for sum := range strings.SplitSeq(strings.Join(h.Values("X-Goog-Hash"), ","), ",") {
		name, value, _ := strings.Cut(sum, "=")
		switch name {
		case "crc32c":
			attrs.CRC32C = crc32C(value)
		case "md5":
			attrs.MD5 = decodeBase64(value)
		}
	}

	attrs.Encryption = googleEncryption(h.Get("X-Goog-Encryption-Kms-Key-Name"), h.Get("X-Goog-Encryption-Key-Sha256"))
	isEncrypted := attrs.Encryption != storage.Encryption{}
	if !isEncrypted && len(attrs.MD5) > 0 {
		// Google sends the MD5 as the ETag. fake-gcs-server sends another one.
		attrs.ETag = `"` + hex.EncodeToString(attrs.MD5) + `"`
	}
}

// headerMetadata returns the metadata in headers, or nil.
func headerMetadata(p Provider, h http.Header) map[string]string {
	prefixes := map[Provider]string{
		Amazon: "X-Amz-Meta-",
		Google: "X-Goog-Meta-",
		Azure:  "X-Ms-Meta-",
	}

	var metadata map[string]string
	for name := range h {
		stored, ok := strings.CutPrefix(name, prefixes[p])
		if !ok {
			continue
		}
		if metadata == nil {
			metadata = map[string]string{}
		}
		key, value := storedPair(p, strings.ToLower(stored), h.Get(name))
		metadata[key] = value
	}
	delete(metadata, "omnibucketwriteid") // the engine hides it
	return metadata
}

// storedPair returns the name and the value that a stored pair of metadata stands for (rule W8).
func storedPair(p Provider, storedKey, storedValue string) (key, value string) {
	if p == Google {
		// Google stores all names and values as they are.
		return storedKey, storedValue
	}

	key = storedKey
	if p == Azure {
		// Azure's names have no hyphen, so its code in hexadecimal digits takes its place.
		key = strings.NewReplacer("_x002d_", "-", "_x005f_", "_").Replace(storedKey)
	}
	// Amazon and Azure keep only ASCII, so other values are encoded as in the headers of mail.
	value, err := new(mime.WordDecoder).DecodeHeader(storedValue)
	if err != nil {
		value = storedValue
	}
	return key, value
}

// azureSums sets the checksums of an object from the metadata in which the driver stores the CRC32C
// and the size, as in "e3069283-9".
//
// The driver does not trust the MD5 of objects without it.
func azureSums(a *storage.Attrs, h http.Header) {
	sum, size, _ := strings.Cut(a.Metadata["omnibucket_crc32c"], "-")
	delete(a.Metadata, "omnibucket_crc32c")
	crc, err := strconv.ParseUint(sum, 16, 32)
	if err != nil || size != strconv.FormatInt(a.Size, 10) {
		return
	}
	a.CRC32C = storage.CRC32C{Sum: uint32(crc), Known: true}

	// In the response to a range, Content-Md5 is not the checksum of the object.
	md5 := h.Get("X-Ms-Blob-Content-Md5")
	isWholeObject := h.Get("Content-Range") == ""
	if isWholeObject {
		md5 = cmp.Or(h.Get("Content-Md5"), md5)
	}
	a.MD5 = decodeBase64(md5)
}

// decodeBase64 returns the bytes of text, or nil if it is malformed.
func decodeBase64(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return data
}

// size returns the size of the whole object, or 0 if the headers have none.
func size(h http.Header) int64 {
	text := cmp.Or(h.Get("X-Goog-Stored-Content-Length"), h.Get("Content-Length"))
	if _, total, isRange := strings.Cut(h.Get("Content-Range"), "/"); isRange {
		text = total
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// headerTime returns the time in a header, in UTC, or the zero time if there is none.
func headerTime(text string) time.Time {
	modified, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	return modified.UTC()
}

// documentTime returns the time in a document, in UTC and in whole seconds, or the zero time if
// there is none.
func documentTime(text string) time.Time {
	modified, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return modified.UTC().Truncate(time.Second)
}

// crc32C returns the checksum in a text in Base64, which is unknown if the text is malformed.
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

// attrs returns the attributes that a caller must get.
func (o *googleResource) attrs() *storage.Attrs {
	// A document of another kind has no size, which then is 0.
	size, _ := strconv.ParseInt(o.Size, 10, 64)
	attrs := &storage.Attrs{
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
		Size: size,

		Revision:   o.Generation,
		Version:    o.Generation,
		Modified:   documentTime(o.TimeCreated),
		CRC32C:     crc32C(o.CRC32C),
		LegalHold:  o.TemporaryHold,
		Encryption: googleEncryption(o.KMSKeyName, o.CustomerEncryption.KeySHA256),
	}
	delete(attrs.Metadata, "omnibucketwriteid") // the engine hides it
	if attrs.StorageClass == "STANDARD" {
		attrs.StorageClass = ""
	}

	if o.MD5Hash != "" {
		attrs.MD5 = decodeBase64(o.MD5Hash)
	}

	// The ETag is the MD5, unless the object is a composite without an MD5 or has a key of its own.
	hasOwnKey := o.CustomerEncryption.KeySHA256 != "" || o.KMSKeyName != ""
	if o.MD5Hash == "" || hasOwnKey {
		attrs.ETag = `"-` + o.Etag + `"`
	} else {
		attrs.ETag = `"` + hex.EncodeToString(attrs.MD5) + `"`
	}
	return attrs
}

// googleObject returns the attributes in a resource. A document of another kind has none.
func googleObject(document []byte) *storage.Attrs {
	var object googleResource
	_ = json.Unmarshal(document, &object)
	return object.attrs()
}

// googleEncryption returns the encryption with a customer's key or with a key of Google's KMS. Both
// are "" for an object without either.
func googleEncryption(kmsKey, customerKey string) storage.Encryption {
	if customerKey != "" {
		return storage.Encryption{Algorithm: "AES256", KeyID: customerKey}
	}
	return storage.Encryption{KeyID: kmsKey}
}

// expectedWrite returns the attributes that a caller must get from the response to a write: those that the
// store has given to the object, such as its revision.
func (x *Exchange) expectedWrite() *storage.Attrs {
	isCopy := x.Kind == Copy || x.Kind == CopyIf
	switch {
	case x.Provider == Google:
		return x.expectedGoogleWrite()
	case x.Provider == Amazon && isCopy:
		return x.expectedAmazonCopy()
	}

	etag := x.Response.Header.Get("Etag")
	attrs := &storage.Attrs{ETag: etag, Revision: etag}
	if x.Provider != Amazon {
		attrs.Modified = headerTime(x.Response.Header.Get("Last-Modified"))
	}
	return attrs
}

// expectedGoogleWrite is expectedWrite for Google. The body is the resource of the object. After a copy, it
// has the resource in a field.
func (x *Exchange) expectedGoogleWrite() *storage.Attrs {
	var copied struct{ Resource json.RawMessage }
	err := json.Unmarshal(x.Response.Body, &copied)
	if err == nil && copied.Resource != nil {
		return written(googleObject(copied.Resource))
	}
	return written(googleObject(x.Response.Body))
}

// expectedAmazonCopy is expectedWrite for a copy in S3, whose response has the attributes in a document. A
// malformed document has none.
func (x *Exchange) expectedAmazonCopy() *storage.Attrs {
	var copied struct{ ETag, LastModified string }
	_ = xml.Unmarshal(x.Response.Body, &copied)
	return &storage.Attrs{
		ETag:     copied.ETag,
		Revision: copied.ETag,
		Modified: documentTime(copied.LastModified),
	}
}

// written returns a copy of attrs with only the attributes that the store gives to an object.
func written(attrs *storage.Attrs) *storage.Attrs {
	if attrs == nil {
		return nil
	}
	return &storage.Attrs{
		ETag:     attrs.ETag,
		Revision: attrs.Revision,
		Version:  attrs.Version,
		Modified: attrs.Modified,
	}
}

// expectedPage returns the entries in the response to a listing, sorted by key.
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

// amazonPage returns the entries of a listing of Amazon. A document of another kind has none.
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

	r := Result{More: page.IsTruncated}
	for _, object := range page.Contents {
		entry := storage.ListEntry{
			Key:          decodeKey(object.Key, page.EncodingType),
			Size:         object.Size,
			ETag:         object.ETag,
			Revision:     object.ETag,
			Modified:     documentTime(object.LastModified),
			StorageClass: object.StorageClass,
		}
		// The usual class stands for none.
		if entry.StorageClass == "STANDARD" {
			entry.StorageClass = ""
		}
		r.Entries = append(r.Entries, entry)
	}
	for _, common := range page.CommonPrefixes {
		key := decodeKey(common.Prefix, page.EncodingType)
		r.Entries = append(r.Entries, storage.ListEntry{Key: key, IsPrefix: true})
	}
	return r
}

// decodeKey returns a key in a listing of Amazon, or "" if it is malformed.
func decodeKey(key, encodingType string) string {
	if encodingType != "url" {
		return key
	}
	text, err := url.QueryUnescape(key)
	if err != nil {
		return ""
	}
	return text
}

// googlePage returns the entries of a listing of Google. A document of another kind has none.
func googlePage(document []byte) Result {
	var page struct {
		NextPageToken string
		Prefixes      []string
		Items         []googleResource
	}
	_ = json.Unmarshal(document, &page)

	r := Result{More: page.NextPageToken != ""}
	for _, object := range page.Items {
		attrs := object.attrs()
		r.Entries = append(r.Entries, storage.ListEntry{
			Key:          attrs.Key,
			Size:         attrs.Size,
			ETag:         attrs.ETag,
			Revision:     attrs.Revision,
			Modified:     attrs.Modified,
			StorageClass: attrs.StorageClass,
		})
	}
	for _, prefix := range page.Prefixes {
		r.Entries = append(r.Entries, storage.ListEntry{Key: prefix, IsPrefix: true})
	}
	return r
}

// azurePage returns the entries of a listing of Azure, without prefixes if there is no delimiter. A malformed
// document has no entries.
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
	for _, blob := range page.Blobs.Blob {
		// In a document, the ETag may lack its quotes.
		etag := `"` + strings.Trim(blob.Properties.Etag, `"`) + `"`
		entry := storage.ListEntry{
			Key:      blob.Name,
			Size:     blob.Properties.ContentLength,
			ETag:     etag,
			Revision: etag,
			Modified: headerTime(blob.Properties.LastModified),
		}
		if !blob.Properties.AccessTierInferred {
			entry.StorageClass = blob.Properties.AccessTier
		}
		r.Entries = append(r.Entries, entry)
	}

	if delimiter == "" {
		// The SDK's page of a listing without a delimiter has no prefixes.
		return r
	}
	for _, prefix := range page.Blobs.BlobPrefix {
		r.Entries = append(r.Entries, storage.ListEntry{Key: prefix.Name, IsPrefix: true})
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
