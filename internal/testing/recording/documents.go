package recording

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// keptElements are the elements of XML documents, and the fields of JSON documents, whose values are
// recorded. All other values are replaced by CLEARED: owners, ids of requests and hosts, what was
// signed, keys, tokens, links, projects, members of policies, and whatever a cloud adds to its
// documents in the future.
var keptElements = wordSet(`
	AccessTier AccessTierChangeTime AccessTierInferred Action AllowedHeader AllowedMethod AllowedOrigin ArgumentName
	BlobSequenceNumber BlobType BlockPublicAcls BlockPublicPolicy BucketKeyEnabled BucketName
	Cache-Control ChecksumAlgorithm ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256
	ChecksumType Code Condition Content-CRC64 Content-Disposition Content-Encoding Content-Language Content-Length
	Content-MD5 Content-Type ContinuationToken CopyCompletionTime CopyProgress CopyStatus Creation-Time
	Date Days DaysAfterInitiation DefaultEncryptionScope Deleted DeletedTime Delimiter DenyEncryptionScopeOverride Details
	ETag Effect Enabled EncodingType Etag ExposeHeader
	HasImmutabilityPolicy HasLegalHold HasVersionsOnly HeaderName IgnorePublicAcls ImmutabilityPolicyMode
	ImmutabilityPolicyUntilDate ImmutableStorageWithVersioningEnabled Initiated IsCurrentVersion IsLatest IsPublic
	IsTruncated
	Key KeyCount KeyMarker Last-Modified LastModified Latest LeaseDuration LeaseState LeaseStatus LegalHold
	LocationConstraint MFADelete Marker MaxAgeSeconds MaxKeys MaxParts MaxResults Message Mode Name NextContinuationToken
	NextKeyMarker NextMarker NextPartNumberMarker NextVersionIdMarker
	ObjectLockEnabled ObjectOwnership ObjectSize Origin PartNumber PartNumberMarker PartsCount Permission Prefix
	PublicAccess QueryParameterName Quiet Reason RemainingRetentionDays ResourceType RestrictPublicBuckets RetainUntilDate
	SSEAlgorithm ServerEncrypted Size Snapshot StartAfter Status StorageClass TagCount TotalPartsCount
	Uncommitted Version VersionId VersionIdMarker Years
	age algorithm archived bucket cacheControl code componentCount condition contentDisposition contentEncoding
	contentLanguage contentType crc32c createdBefore customTime daysSinceCustomTime daysSinceNoncurrentTime
	destinationPredefinedAcl done
	effectiveTime enabled encryptionAlgorithm etag eventBasedHold generation hardDeleteTime ifGenerationMatch isLive
	isLocked kind locationType lockedTime matchesPrefix matchesStorageClass maxAgeSeconds md5Hash message metageneration
	method mode name nextPageToken noncurrentTimeBefore numNewerVersions objectSize origin prefixes
	publicAccessPrevention reason responseHeader retainUntilTime retentionDurationSeconds retentionExpirationTime
	retentionPeriod role rpo size softDeleteTime storageClass temporaryHold timeCreated timeDeleted timeFinalized
	timeStorageClassUpdated totalBytesRewritten type updated version`)

// messages are the kept elements and fields with text for people. The parts that tell about the account
// are replaced, too.
var messages = wordSet("Details Message Reason message")

// telling matches parts of a message that may tell about the account: mail addresses, names of
// resources of Amazon, numbers of accounts, ids of requests, and projects.
var telling = regexp.MustCompile(`(?i)[\w.+%-]+@[\w-]+(\.[\w-]+)+|\barn:[^\s"'<>]+|\b\d{12}\b` +
	`|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\bprojects?[ /:]+['"]?[\w:.-]+`)

// harmless has values that stand for public access. They are kept in any place of a document.
var harmless = []string{"*", "allUsers", "allAuthenticatedUsers"}

// wordSet returns the set of the words in text.
func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}

// errDocument is the error of an exchange with a document that nobody can read.
var errDocument = errors.New("a document is malformed")

// scrubDocument replaces the parts of an XML or JSON document that tell about the account. It returns any
// other body as it is. If mustBeDocument is true, a body that begins like a document but is malformed is an
// error. Otherwise such a body is the content of an object.
func (s *scrubber) scrubDocument(body []byte, mustBeDocument bool) ([]byte, error) {
	scrub := scrubJSON
	document := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if bytes.HasPrefix(document, []byte("<")) {
		scrub = scrubXML
	} else if !bytes.HasPrefix(document, []byte("{")) && !bytes.HasPrefix(document, []byte("[")) {
		return body, nil
	}

	clean, err := scrub(document)
	if err == nil {
		return []byte(s.withoutBuckets(string(clean))), nil
	}
	if mustBeDocument {
		return nil, errDocument
	}
	return body, nil
}

// keptText returns what is recorded of the text of an element or field.
func keptText(name, text string, isKept bool) string {
	if slices.Contains(harmless, text) {
		return text
	}
	if !isKept {
		return withoutValue(text)
	}
	if messages[name] {
		return telling.ReplaceAllString(text, Cleared)
	}
	return text
}

// withoutValue returns a replacement of a value that its reader can still parse. A time or a
// boolean tells nothing and stays, and a number becomes 0.
func withoutValue(text string) string {
	if _, err := http.ParseTime(text); err == nil {
		return text
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text
	}
	if text == "true" || text == "false" {
		return text
	}
	if isNumber.MatchString(text) {
		return "0"
	}
	return Cleared
}

var isNumber = regexp.MustCompile(`^[0-9]+$`)

// attribute matches an attribute of an element.
var attribute = regexp.MustCompile(`([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')`)

// keptAttribute matches the names of attributes whose values are kept.
var keptAttribute = regexp.MustCompile(`^(xmlns|xmlns:.*|.*:type|Encoded|encoded|ContainerName)$`)

// scrubXML returns an XML document without comments in which only kept elements have their values.
// Elements of metadata, which may have any name, are kept.
func scrubXML(document []byte) ([]byte, error) {
	decoder := xml.NewDecoder(bytes.NewReader(document))
	var out bytes.Buffer
	var path []string // names of the open elements
	for {
		start := decoder.InputOffset()
		token, err := decoder.RawToken()
		isComplete := err == io.EOF && len(path) == 0 // all elements are closed
		if isComplete {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, errDocument
		}

		// Comments and directives are left out.
		raw := document[start:decoder.InputOffset()]
		switch token := token.(type) {
		case xml.ProcInst:
			if token.Target == "xml" {
				out.Write(raw)
			}
		case xml.StartElement:
			path = append(path, token.Name.Local)
			out.Write(attribute.ReplaceAllFunc(raw, scrubAttribute))
		case xml.EndElement:
			if len(path) == 0 || path[len(path)-1] != token.Name.Local {
				return nil, errDocument
			}
			path = path[:len(path)-1]
			out.Write(raw)
		case xml.CharData:
			if len(bytes.TrimSpace(token)) == 0 {
				out.Write(raw)
				continue
			}
			if err := scrubText(&out, path, string(token)); err != nil {
				return nil, err
			}
		}
	}
}

// scrubText writes the text of the innermost element of path, replaced unless the element is kept.
func scrubText(out *bytes.Buffer, path []string, text string) error {
	if len(path) == 0 {
		return errDocument
	}
	name := path[len(path)-1]
	isMetadata := len(path) > 1 && path[len(path)-2] == "Metadata"
	return xml.EscapeText(out, []byte(keptText(name, text, isMetadata || keptElements[name])))
}

// scrubAttribute returns an attribute of an element, with a replaced value unless the attribute is
// kept.
func scrubAttribute(raw []byte) []byte {
	name := attribute.FindSubmatch(raw)[1]
	if keptAttribute.Match(name) {
		return raw
	}
	return append(slices.Clone(name), `="`+Cleared+`"`...)
}

// scrubJSON returns a JSON document in which only kept fields have their values.
func scrubJSON(document []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errDocument
	}
	// Nothing may follow the value.
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errDocument
	}

	const isKept = false // the value of the whole document has no name
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(scrubValue("", value, isKept)); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// scrubValue returns a decoded JSON value without the texts and numbers of fields that are not kept. The value
// is that of the field with this name, or an element of its array. If isKept is true, the field is kept.
//
// It changes objects and arrays in place.
func scrubValue(name string, value any, isKept bool) any {
	switch value := value.(type) {
	case map[string]any:
		// The fields of the metadata are kept, whatever their names are.
		isMetadata := name == "metadata"
		for field, member := range value {
			value[field] = scrubValue(field, member, isMetadata || keptElements[field])
		}
		return value
	case []any:
		for i, element := range value {
			value[i] = scrubValue(name, element, isKept)
		}
		return value
	case string:
		return keptText(name, value, isKept)
	case json.Number:
		if !isKept {
			return 0
		}
		return value
	default:
		// The values true, false and null tell nothing about the account.
		return value
	}
}
