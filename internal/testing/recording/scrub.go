package recording

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Cleared is what replaces a value.
const Cleared = "CLEARED"

// keptHeaders are the headers whose values are recorded. All other values are replaced by CLEARED:
// authorizations, tokens, customers' keys, ids of requests, of hosts and of keys.
var keptHeaders = strings.Fields(`
	Accept-Ranges Cache-Control Content-Disposition Content-Encoding Content-Language Content-Length Content-Range
	Content-Type Date Etag Expires If-Match If-None-Match If-Modified-Since If-Unmodified-Since Last-Modified Range
	Retry-After Server Vary
	X-Amz-Checksum-Algorithm X-Amz-Checksum-Crc32 X-Amz-Checksum-Crc32c X-Amz-Checksum-Crc64nvme X-Amz-Checksum-Mode
	X-Amz-Checksum-Type X-Amz-Content-Sha256 X-Amz-Copy-Source X-Amz-Copy-Source-If-Match X-Amz-Decoded-Content-Length
	X-Amz-Delete-Marker X-Amz-Metadata-Directive X-Amz-Mp-Parts-Count X-Amz-Object-Lock-Legal-Hold X-Amz-Object-Lock-Mode
	X-Amz-Object-Lock-Retain-Until-Date X-Amz-Storage-Class X-Amz-Tagging-Count
	X-Amz-Trailer X-Amz-Version-Id X-Amz-Server-Side-Encryption X-Amz-Meta-*
	X-Goog-Generation X-Goog-Hash X-Goog-If-Generation-Match X-Goog-Metageneration X-Goog-Storage-Class
	X-Goog-Stored-Content-Encoding X-Goog-Stored-Content-Length X-Goog-Component-Count X-Goog-Meta-*
	X-Ms-Access-Tier X-Ms-Access-Tier-Inferred X-Ms-Blob-Cache-Control X-Ms-Blob-Content-Disposition
	X-Ms-Blob-Content-Encoding X-Ms-Blob-Content-Language X-Ms-Blob-Content-Md5 X-Ms-Blob-Content-Type X-Ms-Blob-Type
	X-Ms-Content-Crc64 X-Ms-Copy-Source X-Ms-Copy-Status X-Ms-Creation-Time X-Ms-Delete-Snapshots X-Ms-Error-Code
	X-Ms-Immutability-Policy-Mode
	X-Ms-Immutability-Policy-Until-Date X-Ms-Is-Current-Version X-Ms-Lease-State X-Ms-Lease-Status X-Ms-Legal-Hold X-Ms-Range X-Ms-Request-Server-Encrypted
	X-Ms-Requires-Sync X-Ms-Server-Encrypted X-Ms-Tag-Count X-Ms-Version X-Ms-Version-Id X-Ms-Meta-* Content-Md5`)

// keptParameters are the query parameters whose values are recorded. All other values are replaced
// by CLEARED: signatures, tokens, and names of projects and accounts.
var keptParameters = strings.Fields(`
	acl attributes comp compose continuation-token cors delete delimiter encoding-type endOffset generation
	ifGenerationMatch ifGenerationNotMatch ifMetagenerationMatch ifMetagenerationNotMatch
	includeFoldersAsPrefixes includeTrailingDelimiter include legal-hold lifecycle list-type location marker matchGlob
	max-keys max-parts maxResults maxresults name object-lock pageToken part-number-marker partNumber policy prefix
	prettyPrint projection restype retention rewriteTo sourceGeneration startOffset startFrom start-after tagging
	timeout uploads uploadType versionId versionid versioning versions x-id alt fields`)

// A scrubber removes from exchanges what tells about an account: credentials, account names, tokens,
// signatures, keys and names of buckets. It has three means. Headers, parameters, elements and
// fields that are not known to be harmless lose their value. Names of buckets and hosts are replaced
// by others. And an exchange in which a known secret remains is not recorded at all: plain, escaped
// for a URL, XML or JSON, in Base64 or in hexadecimal digits.
type scrubber struct {
	cloud   string            // scheme of the account's address: s3, gs or azblob
	secrets secrets           // known secrets
	isKnown map[string]bool   // texts of secrets
	buckets map[string]string // replacements by name
}

// newScrubber returns a scrubber that knows the values in the address and in the environment
// variables of the clouds.
func newScrubber(address string, environ []string) *scrubber {
	s := &scrubber{
		secrets: secrets{},
		isKnown: map[string]bool{},
		buckets: map[string]string{},
	}
	if u, err := url.Parse(address); err == nil {
		s.cloud = u.Scheme
		s.addAccountAddress(u)
	}
	s.addEnvironment(environ)
	return s
}

// harmlessSettings are the parameters of an address that have no secret.
var harmlessSettings = wordSet("region profile path_style hierarchical_namespace api_version create endpoint")

// addAccountAddress adds the secrets in the address of the account: its user, its settings and its
// endpoint. A host of Amazon or Google is no secret, and one of Azure contains the name of the
// account.
func (s *scrubber) addAccountAddress(u *url.URL) {
	query := u.Query()
	for name, values := range query {
		for _, value := range values {
			if !harmlessSettings[name] {
				s.addSetting(value)
			}
		}
	}
	s.addSecrets(u.User.Username())

	endpoint, err := url.Parse(query.Get("endpoint"))
	if err != nil {
		// No request can be sent to such an endpoint.
		return
	}
	s.addSecrets(strings.Trim(endpoint.Path, "/"))

	host := endpoint.Hostname()
	if account, _, isAzure := strings.Cut(host, ".blob."); isAzure {
		s.addSecrets(account)
		return
	}
	isPublic := strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".googleapis.com")
	if !isPublic {
		s.addSecrets(host)
	}
}

// bucket returns the replacement of a bucket's name, which is bucket-a00 for the first, then
// bucket-b00 and so on, and bucket-a01 after bucket-z00.
func (s *scrubber) bucket(name string) string {
	if s.buckets[name] == "" {
		const letters = 26
		number := len(s.buckets)
		letter := 'a' + rune(number%letters)
		s.buckets[name] = fmt.Sprintf("bucket-%c%02x", letter, byte(number/letters))
	}
	return s.buckets[name]
}

// withoutBuckets replaces the names of buckets in a text.
func (s *scrubber) withoutBuckets(text string) string {
	return ownBucket.ReplaceAllStringFunc(text, s.bucket)
}

// scrub returns x without bucket names, credentials and other data of the account. It fails if a secret of
// the account or of this exchange remains. own has the secrets of the exchange.
func (s *scrubber) scrub(x Exchange, own secrets) (Exchange, error) {
	address, err := s.address(x.Request.URL)
	if err != nil {
		return x, err
	}

	// Replace the bodies, except the content of an object.
	x.Request.BodyParts, err = s.requestBody(&x)
	if err != nil {
		return x, err
	}
	if !isContent(&x) {
		isFailed := x.Response.StatusCode >= http.StatusMultipleChoices
		x.Response.Body, err = s.body(x.Response.Body, x.Response.Header.Get("Content-Type"), isFailed)
		if err != nil {
			return x, err
		}
	}

	// Replace the address and the headers.
	x.Request.URL = address
	x.Request.Header = s.header(x.Request.Header)
	x.Response.Header = s.header(x.Response.Header)
	x.Request.MediaType, _, _ = strings.Cut(x.Request.MediaType, ";")
	// The body may have another length now. In a response to HEAD, the length is that of the object.
	if x.Response.Header.Get("Content-Length") != "" && x.Request.Method != http.MethodHead {
		x.Response.Header.Set("Content-Length", strconv.Itoa(len(x.Response.Body)))
	}

	if s.remains(&x, own) {
		return x, errSecret
	}
	return x, nil
}

// requestBody returns the parts of a request's body without data of the account, such as its bucket
// names and the signatures of chunks.
func (s *scrubber) requestBody(x *Exchange) ([][]byte, error) {
	const isFailed = false // only a response can report a failure

	// In the encoding aws-chunked, each chunk of the body has a signature.
	isChunked := strings.HasPrefix(x.Request.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
	parts := make([][]byte, len(x.Request.BodyParts))
	for i, part := range x.Request.BodyParts {
		if isChunked {
			part = chunkSignature.ReplaceAllFunc(part, withoutSignature)
		}
		clean, err := s.body(part, x.Request.MediaType, isFailed)
		if err != nil {
			return nil, err
		}
		parts[i] = clean
	}
	return parts, nil
}

// isContent reports whether the body of a response is the content of an object. The recording has
// such a body unchanged.
func isContent(x *Exchange) bool {
	isRead := x.Request.Method == http.MethodGet && x.Response.StatusCode < http.StatusMultipleChoices
	if !isRead {
		return false
	}
	isResource := strings.Contains(x.Request.URL, "/storage/v1/") && !strings.Contains(x.Request.URL, "alt=media")
	if isResource {
		// Google's JSON API returns the attributes of the object, and not its content.
		return false
	}

	// The responses with an object's content have one of these headers.
	for _, name := range []string{"Accept-Ranges", "Content-Range", "X-Goog-Generation", "X-Ms-Blob-Type"} {
		if x.Response.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// body replaces what tells about the account in a body. Forms and batches, which have signatures
// and other requests in them, are cleared.
func (s *scrubber) body(body []byte, mediaType string, isFailed bool) ([]byte, error) {
	mediaType = strings.ToLower(mediaType)
	isRelated := strings.HasPrefix(mediaType, "multipart/related") // an object of Google with its resource
	if strings.HasPrefix(mediaType, "multipart/") && !isRelated {
		return []byte(Cleared), nil
	}
	if strings.HasPrefix(mediaType, "application/x-www-form-urlencoded") && bytes.ContainsRune(body, '=') {
		return []byte(Cleared), nil
	}
	return s.scrubDocument(body, isFailed)
}

// chunkSignature matches the signature of a chunk, or of the trailer, of a body in the encoding
// aws-chunked.
var chunkSignature = regexp.MustCompile(`(?i)(chunk-signature=|x-amz-trailer-signature:)[0-9a-f]+`)

// withoutSignature replaces a signature by one of the same length.
func withoutSignature(match []byte) []byte {
	i := bytes.LastIndexAny(match, "=:") + 1
	return append(slices.Clone(match[:i]), bytes.Repeat([]byte("0"), len(match)-i)...)
}

// scrubParameters replaces the values of parameters that are not kept, and the buckets in the other
// values.
func (s *scrubber) scrubParameters(query url.Values) {
	for name, values := range query {
		isKept := slices.Contains(keptParameters, name)
		for i, value := range values {
			if !isKept {
				values[i] = Cleared
				continue
			}
			values[i] = s.withoutBuckets(value)
		}
	}
}

// address replaces the host, the bucket and the parameters of a URL, and gives it the form of the
// cloud's own addresses.
func (s *scrubber) address(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}

	query := u.Query()
	s.scrubParameters(query)

	// The bucket may be in the host of the given URL, or in its path. The result has it in the path for Google
	// and Azure, and in the host for Amazon.
	address := &url.URL{Scheme: "https", RawQuery: query.Encode()}
	path := u.EscapedPath()
	firstSegment, otherSegments, hasOthers := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch s.cloud {
	case "gs":
		address.Host = "storage.googleapis.com"
		if ownBucket.MatchString(u.Host) {
			path = "/" + ownBucket.FindString(u.Host) + path
		}
	case "azblob":
		address.Host = "account.blob.core.windows.net"
		// An emulator has the account before the bucket.
		isAccount := !ownBucket.MatchString(firstSegment)
		if isAccount && hasOthers {
			path = "/" + otherSegments
		}
	default: // a cloud with the API of Amazon
		bucket := ownBucket.FindString(u.Host)
		if bucket == "" {
			bucket = firstSegment
			path = "/" + otherSegments
		}
		address.Host = s.bucket(bucket) + ".s3.us-east-1.amazonaws.com"
	}

	path = s.withoutBuckets(path)
	if address.Path, err = url.PathUnescape(path); err != nil {
		return "", err
	}
	address.RawPath = path
	return address.String(), nil
}

// header replaces the values of headers that are not kept.
func (s *scrubber) header(h http.Header) http.Header {
	result := http.Header{}
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		for _, value := range values {
			if !isKept(name) {
				value = withoutValue(value)
			}
			result.Add(name, s.copySource(name, value))
		}
	}
	return result
}

// isKept reports whether the values of a header are recorded.
func isKept(header string) bool {
	for _, pattern := range keptHeaders {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if header == pattern {
			return true
		}
		if isPrefix && strings.HasPrefix(header, prefix) {
			return true
		}
	}
	return false
}

// copySource replaces the host and the account in the URL of a copy's source on Azure, and only
// names of buckets in any other header.
func (s *scrubber) copySource(name, value string) string {
	if name != "X-Ms-Copy-Source" {
		return s.withoutBuckets(value)
	}
	address, err := s.address(value)
	if err != nil {
		return Cleared
	}
	return address
}
